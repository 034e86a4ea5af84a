"""Rounding and saturation of signed values."""

from amaranth.hdl import Signal, signed


def shift_right(value, places):
    """``value / 2^places`` of a signed value, rounded to nearest, ties upwards; places : at least 1."""
    return ((value >> (places - 1)) + 1) >> 1


def saturate(m, value, limit, name):
    """``value`` of signed bits within -limit to limit - 1, or +- ``limit`` where that is no power of two."""
    top = limit - 1 if limit & (limit - 1) == 0 else limit
    bottom = -limit
    result = Signal(signed(limit.bit_length() + (top == limit)), name=name)
    with m.If(value > top):
        m.d.comb += result.eq(top)
    with m.Elif(value < bottom):
        m.d.comb += result.eq(bottom)
    with m.Else():
        m.d.comb += result.eq(value)
    return result
