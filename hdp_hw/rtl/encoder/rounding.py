"""Rounding and saturation of signed values."""

from amaranth.hdl import C, Cat, Signal, signed

from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.spec.encoder import OPERAND_MAX


def shift_right(value, places):
    """``value / 2^places`` of a signed value, rounded to nearest, ties upwards; places : at least 1."""
    return ((value >> (places - 1)) + 1) >> 1


def saturate(m, value, width, name):
    """``value`` saturated to ``width`` signed bits."""
    return _clip(m, value, -(1 << (width - 1)), (1 << (width - 1)) - 1, name)


def operand(m, value, places, name):
    """``value / 2^places``, rounded, within +- ``OPERAND_MAX``."""
    return _clip(m, shift_right(value, places), -OPERAND_MAX, OPERAND_MAX, name)


def shifted(m, value, shift, width, name, beta=0):
    """``value / 2^shift``, rounded, ``+ beta``, saturated to ``width`` bits: three clock cycles later.

    shift : unsigned, 0 for no shift; it comes with the value, beta two clock cycles later.
    """
    low = (len(shift) + 1) // 2
    doubled = Cat(0, value).as_signed()
    coarse = register(m, doubled >> Cat(C(0, low), shift[low:]), f"{name}_coarse")
    fine = register(m, coarse >> delay(m, shift[:low], 1, f"{name}_fine_shift"), f"{name}_fine")
    return register(m, saturate(m, ((fine + 1) >> 1) + beta, width, f"{name}_saturated"), f"{name}_shifted")


def _clip(m, value, lowest, highest, name):
    result = Signal(signed(highest.bit_length() + 1), name=name)
    with m.If(value > highest):
        m.d.comb += result.eq(highest)
    with m.Elif(value < lowest):
        m.d.comb += result.eq(lowest)
    with m.Else():
        m.d.comb += result.eq(value)
    return result
