"""Pipelined arithmetic that several blocks of this folder use."""

from amaranth.hdl import Cat, Mux, Signal

from hdp_hw.rtl.common.pipeline import adder_tree, register

LIMB_WIDTH = 18  #: operand width of an FPGA's multiplier
PRODUCT_LATENCY = 2  #: clock cycles of :func:`product`


def product(m, wide, narrow, name):
    """``wide * narrow``, exact; ``narrow`` is unsigned. Latency: ``PRODUCT_LATENCY``; one product per clock cycle.

    Partial products of ``LIMB_WIDTH`` bits of ``wide`` are registered, then their sum.
    """
    partials = []
    for low in range(0, len(wide), LIMB_WIDTH):
        limb = wide[low : low + LIMB_WIDTH]
        if low + LIMB_WIDTH >= len(wide) and wide.shape().signed:
            limb = limb.as_signed()
        partials.append(register(m, limb * narrow, f"{name}_{low}") << low)
    assert len(partials) <= 4, "the sum of more partial products takes longer"
    total = adder_tree(m, partials, name=name) if len(partials) > 1 else register(m, partials[0], name)
    result = Signal((wide * narrow).shape(), name=name)
    m.d.comb += result.eq(total)
    return result


def extreme_tree(m, terms, largest, name):
    """Largest (or smallest) of ``terms``, a power of two of them; one comparison per clock cycle, log2 of their number
    cycles in all."""
    terms, level = list(terms), 0
    while len(terms) > 1:
        level += 1
        winners = []
        for index in range(0, len(terms), 2):
            a, b = terms[index], terms[index + 1]
            winner = Mux((a > b) if largest else (a < b), a, b)
            winners.append(register(m, winner, f"{name}_{level}_{index // 2}"))
        terms = winners
    return terms[0]


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
