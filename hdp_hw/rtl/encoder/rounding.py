"""Rounding and saturation of signed values."""

from amaranth.hdl import Cat, Mux, Signal, signed

from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.spec.encoder import OPERAND_MAX


def shift_right(value, places):
    """``value / 2^places`` of a signed value, rounded to nearest, ties upwards; places : at least 1."""
    return ((value >> (places - 1)) + 1) >> 1


def saturate(m, value, width, name):
    """``value`` saturated to ``width`` signed bits."""
    result = Signal(signed(width), name=name)
    m.d.comb += result.eq(Mux(_fits(value, width), value, Cat((~value[-1]).replicate(width - 1), value[-1])))
    return result


def operand(m, value, places, name):
    """``value / 2^places``, rounded, within +- ``OPERAND_MAX`` = 119: gates see beside the sum what goes beyond."""
    halves, result = value >> (places - 1), Signal(range(-OPERAND_MAX, OPERAND_MAX + 1), name=name)
    low, upper = halves[:8], halves[8:]
    above = upper.any() | (low[5:].all() & (low[4] | low[:4].all()))  # of a positive value, 239 halves or more
    below = ~upper.all() | ~(low[5:].any() | (low[4] & low[:4].any()))  # of a negative one, -240 or less
    rounded = (Cat(low, upper[0]).as_signed() + 1) >> 1
    m.d.comb += result.eq(Mux(halves[-1], Mux(below, -OPERAND_MAX, rounded), Mux(above, OPERAND_MAX, rounded)))
    return result


def shifted(m, value, shift, width, name, beta=0, least=0):
    """``value / 2^(least + shift)``, rounded, ``+ beta``, saturated to ``width`` bits: three clock cycles later.

    shift : unsigned, at most the bits of the value; it comes with the value, beta, of at most ``width`` bits, two clock
    cycles later. What is too large behind the coarse shift saturates in any case: only that and its sign remain.
    """
    low, doubled = (len(shift) + 1) // 2, Cat(0, value).as_signed() >> least
    coarse = Signal(signed(width + 2 + (1 << low)), name=f"{name}_coarse", reset_less=True)
    top = len(coarse) - 2  # below the sign
    *distances, furthest = range(0, min(1 << len(shift), len(doubled)), 1 << low)
    with m.Switch(shift[low:]):
        for distance in (*distances, furthest):
            with m.Default() if distance == furthest else m.Case(distance >> low):
                part = doubled >> distance
                large = Mux(_fits(part, len(coarse)), part[top], ~part[-1])
                m.d.sync += coarse.eq(Cat(part[:top], large, part[-1]))
    fine = register(m, coarse >> delay(m, shift[:low], 1, f"{name}_fine_shift"), f"{name}_fine")
    total = (fine + Cat(1, beta).as_signed()) >> 1
    return register(m, saturate(m, total, width, f"{name}_saturated"), f"{name}_shifted")


def _fits(value, width):
    """Whether a signed value has ``width`` bits at most."""
    upper = value[width - 1 :]
    return upper.all() | ~upper.any()
