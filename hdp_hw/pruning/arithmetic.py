"""Pipelined arithmetic that several blocks of this folder use."""

from amaranth.hdl import Mux, Signal

from hdp_hw.common.pipeline import adder_tree, delay

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
        partial = Signal((limb * narrow).shape(), name=f"{name}_{low}")
        m.d.sync += partial.eq(limb * narrow)
        partials.append(partial << low)
    assert len(partials) <= 4, "the sum of more partial products takes longer"
    total = adder_tree(m, partials, name=name) if len(partials) > 1 else delay(m, partials[0], 1, name)
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
            winner = Signal(a.shape(), name=f"{name}_{level}_{index // 2}")
            m.d.sync += winner.eq(Mux((a > b) if largest else (a < b), a, b))
            winners.append(winner)
        terms = winners
    return terms[0]


def log2(power_of_two):
    """Exponent of a power of two."""
    return power_of_two.bit_length() - 1
