"""Digits of operands by gates: so few bits take more logic as an adder or a comparator."""

from amaranth.hdl import Cat


def beyond(operand, w):
    """Whether an operand of 2w bits is above ``HdpParams.digit_max``, or below its negative."""
    above = operand[w - 1 :]
    lowest = (above == (1 << w) + 1) & ~operand[: w - 1].any()
    return above == (1 << w) - 1, (above == 1 << w) | lowest


def more(digit, bit):
    """The bits of ``digit + bit``."""
    bits, carry = [], bit
    for of_digit in digit:
        bits.append(of_digit ^ carry)
        carry = carry & of_digit
    return Cat(bits)


def less(digit, bit):
    """The bits of ``digit - bit``."""
    bits, borrow = [], bit
    for of_digit in digit:
        bits.append(of_digit ^ borrow)
        borrow = borrow & ~of_digit
    return Cat(bits)
