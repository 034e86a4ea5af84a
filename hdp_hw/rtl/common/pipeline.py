"""Registers: delay lines, counters, pipelined trees of adders and comparators."""

from amaranth.hdl import C, Cat, Mux, ShapeCastable, Signal, Value

#: Of a signal: its register serves what lies near it, so that tools must not merge it with others of the same value.
LOCAL = {"keep": "true"}


def register(m, value, name, local=False):
    """``value``, one clock cycle later, for data: without reset, which would have to reach every bit of it.

    What is read of it has a valid bit that is reset. local : see LOCAL.
    """
    stage = Signal(value.shape(), name=name, reset_less=True, attrs=LOCAL if local else None)
    m.d.sync += stage.eq(value)
    return stage


def delay(m, value, cycles, name="delayed", reset_less=False, local=False):
    """``value`` (Signal, View or expression), ``cycles`` clock cycles later; resets to zero unless ``reset_less``.

    The stages are one register: an event-driven simulator pays for registers, not for their bits. local : see LOCAL.
    """
    if cycles == 0:
        return value
    bits, shape = Value.cast(value), value.shape()
    stages = Signal(cycles * len(bits), name=name, reset_less=reset_less, attrs=LOCAL if local else None)
    m.d.sync += stages.eq(Cat(bits, stages))
    return _as_shape(stages[-len(bits) :], shape)


def _as_shape(bits, shape):
    """``bits`` read as a ``shape``: a View of a layout, or a signed or unsigned value."""
    if isinstance(shape, ShapeCastable):
        return shape(bits)
    return bits.as_signed() if shape.signed else bits


def unary_counter(m, limit, up, down, init=0, name="count"):
    """A count from 0 to ``limit``, bit k of which says that it is above k; ``up`` and ``down`` move it by one.

    So a comparison with 0 or ``limit`` takes no logic. ``up`` and ``down``, which come late, pass one gate: from
    conditions tools would make an enable and a reset.
    """
    count = Signal(limit, init=(1 << init) - 1, name=name)
    more, fewer = Cat(C(1, 1), count[:-1]), count[1:]
    for bit in range(limit):
        stays = fewer[bit] if bit + 1 < limit else 0
        m.d.sync += count[bit].eq(stays | (count[bit] & (up | ~down)) | (more[bit] & up & ~down))
    return count


def adder_tree(m, terms, levels_per_stage=2, name="sum"):
    """Sum of ``terms`` in a binary tree with a register after every ``levels_per_stage`` levels and after the last.

    A single term passes unchanged. Latency: :func:`hdp_hw.spec.timing.tree_latency`; one sum per clock cycle.
    """
    terms, level = list(terms), 0
    while len(terms) > 1:
        terms = [sum(terms[i : i + 2][1:], terms[i]) for i in range(0, len(terms), 2)]
        level += 1
        if level % levels_per_stage == 0 or len(terms) == 1:
            terms = [register(m, term, f"{name}_{level}_{index}") for index, term in enumerate(terms)]
    return terms[0]


def extreme_tree(m, terms, largest, name):
    """Largest (or smallest) of ``terms``, a power of two of them, in a tree with a register after every comparison.

    Latency: log2 of their number; one extreme per clock cycle.
    """
    terms, level = list(terms), 0
    while len(terms) > 1:
        level += 1
        pairs = zip(terms[::2], terms[1::2], strict=True)
        winners = [Mux((a > b) if largest else (a < b), a, b) for a, b in pairs]
        terms = [register(m, winner, f"{name}_{level}_{index}") for index, winner in enumerate(winners)]
    return terms[0]
