"""Arithmetic that several blocks of this folder use."""

from amaranth.hdl import Cat, Mux, Signal

from hdp_hw.rtl.common.pipeline import delay

PRODUCT_LATENCY = 2  #: clock cycles of a multiplication in the predictor, of operands of any configuration


def serial_product(m, start, factor, bits, name):
    """``factor * bits``, exact, of what they are at ``start``; ``bits`` is unsigned, and one of it is taken a cycle.

    Complete ``len(bits) + 1`` clock cycles after ``start``, and stable until the next.
    """
    held, high = (Signal(factor.shape(), name=f"{name}_{part}") for part in ("factor", "high"))
    rest = Signal(len(bits), name=f"{name}_rest")  # bits that are still to be taken, below those of the result
    running = Signal(name=f"{name}_running")
    m.d.sync += running.eq((running | start) & ~delay(m, start, len(bits), f"{name}_ends"))
    with m.If(start):
        m.d.sync += [held.eq(factor), high.eq(0), rest.eq(bits)]
    with m.Elif(running):
        m.d.sync += Cat(rest, high).eq(Cat(rest[1:], high + Mux(rest[0], held, 0)))
    result = Signal((factor * bits).shape(), name=name)
    m.d.comb += result.eq(Cat(rest, high))
    return result


def running_sum(m, addend, valid, last, total):
    """Register the sum of ``addend`` over the clock cycles with ``valid`` in ``total``, when the ``last`` has come.

    A sum begins at 0, to which its predecessor's end has brought it back: that takes less logic than a choice of 0.
    """
    running, following = (Signal(total.shape(), name=f"{total.name}_{name}") for name in ("running", "following"))
    m.d.comb += following.eq(running + addend)
    with m.If(valid):
        m.d.sync += running.eq(following)
        with m.If(last):
            m.d.sync += [running.eq(0), total.eq(following)]


def first_one(word):
    """``(index of the lowest one, whether there are more ones)`` of ``word``; the index is of no use if there is none.

    Combinational. By groups of four bits, which is faster than a carry chain through the whole word.
    """
    lows = range(0, len(word), 4)
    groups = [word[low : low + 4] for low in lows]
    exists = Cat(group.any() for group in groups)
    index = _first([_first(range(low, low + len(group)), group) for low, group in zip(lows, groups)], exists)
    return index, Cat(_several(bits) for bits in (*groups, exists)).any()


def _first(choices, bits):
    """The choice that belongs to the lowest one of ``bits``."""
    choice = choices[-1]
    for index in reversed(range(len(bits) - 1)):
        choice = Mux(bits[index], choices[index], choice)
    return choice


def _several(bits):
    """Whether two or more of ``bits`` are one."""
    return Cat(bits[index] & bits[:index].any() for index in range(1, len(bits))).any()


def log2(power_of_two):
    """Exponent of a power of two."""
    return power_of_two.bit_length() - 1
