"""Which head of the table a stage of the core is at."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.core.jobs import head_entry_layout
from hdp_hw.spec.formats import HEADS_INSIDE


class HeadCursor(wiring.Component):
    """Goes from entry to entry of the head table, and keeps which heads have left the stage.

    Heads pass a stage in the order in which they entered the core, which is that of the table's entries, in a ring.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_entries : In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE))
        The head table's entries.
    i_ready : In(unsigned(HEADS_INSIDE))
        The table, or the stage before, sets the bit of an entry whose head the stage may begin; the bit stays until
        the head has left.
    i_leaves : In(unsigned(1))
        The stage ends the head that it is at; only while that one's bit of ``i_ready`` is set.
    i_retired : In(unsigned(HEADS_INSIDE))
        The table gives back the entry whose bit is set, at most one.
    o_head : Out(unsigned(2))
        Index of the entry that the stage is at.
    o_place : Out(unsigned(HEADS_INSIDE))
        The bit of that entry, from registers of its own.
    o_entry : Out(head_entry_layout(params))
        That entry.
    o_waiting : Out(unsigned(1))
        The head at hand may begin, or is inside the stage.
    o_leaves : Out(unsigned(HEADS_INSIDE))
        The bit of the head that leaves in this clock cycle; else 0.
    o_left : Out(unsigned(HEADS_INSIDE))
        Bits of the heads that have left the stage and are still in the table.

    Timing
    ------
    ``o_left``, ``o_head`` and ``o_place`` follow ``i_leaves`` by one clock cycle, the other outputs their inputs at
    once.

    Numerics
    --------
    Golden twin ``golden.cycles.core.attention_core``, whose lists of heads to do this stands for.
    """

    latency = 1

    def __init__(self, params):
        self.params = params
        entry = head_entry_layout(params)
        super().__init__(
            {
                "i_entries": In(data.ArrayLayout(entry, HEADS_INSIDE)),
                "i_ready": In(unsigned(HEADS_INSIDE)),
                "i_leaves": In(unsigned(1)),
                "i_retired": In(unsigned(HEADS_INSIDE)),
                "o_head": Out(unsigned(2)),
                "o_place": Out(unsigned(HEADS_INSIDE)),
                "o_entry": Out(entry),
                "o_waiting": Out(unsigned(1)),
                "o_leaves": Out(unsigned(HEADS_INSIDE)),
                "o_left": Out(unsigned(HEADS_INSIDE)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        place = Signal(HEADS_INSIDE, init=1)
        m.d.comb += [
            self.o_entry.eq(select_entry(m, self.i_entries, self.o_head, "entry")),
            self.o_place.eq(place),
            self.o_waiting.eq((self.i_ready & ~self.o_left & place).any()),
            self.o_leaves.eq(Mux(self.i_leaves, place, 0)),
        ]
        m.d.sync += self.o_left.eq((self.o_left | self.o_leaves) & ~self.i_retired)
        with m.If(self.i_leaves):
            m.d.sync += [
                place.eq(place.rotate_left(1)),
                self.o_head.eq(Mux(self.o_head == HEADS_INSIDE - 1, 0, self.o_head + 1)),
            ]
        return m


def select_entry(m, entries, head, name):
    """Entry number ``head`` of the head table."""
    entry = Signal(entries.shape().elem_shape, name=name)
    with m.Switch(head):
        for index in range(HEADS_INSIDE):
            with m.Case(index):
                m.d.comb += entry.eq(entries[index])
    return entry
