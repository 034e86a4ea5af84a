"""Rows that wait between two stages of execution."""

from amaranth.hdl import C, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.core.jobs import row_job_layout
from hdp_hw.spec.timing import QUEUE_DEPTH


class RowQueue(wiring.Component):
    """A first-in, first-out queue of ``QUEUE_DEPTH`` row jobs, the oldest always in the same register.

    Unlike a memory's word, that register can feed the choice of the array's next operation without delay.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i : In(stream.Signature(row_job_layout(params)))
        The stage before hands on a row.
    o : Out(stream.Signature(row_job_layout(params)))
        The oldest row, which stays until the stage behind takes it.

    Timing
    ------
    A job can be taken ``latency`` = 1 clock cycle after it came, one job per clock cycle. A full queue takes none, even
    in a clock cycle in which one leaves.
    """

    latency = 1

    def __init__(self, params):
        self.params = params
        job = stream.Signature(row_job_layout(params))
        super().__init__({"i": In(job), "o": Out(job)})

    def elaborate(self, platform):
        m = Module()
        slots = [Signal(row_job_layout(self.params), name=f"slot_{index}") for index in range(QUEUE_DEPTH)]
        used = Signal(QUEUE_DEPTH)  # from the lowest on
        comes, leaves = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~used[-1]),
            self.o.valid.eq(used[0]),
            self.o.payload.eq(slots[0]),
            comes.eq(self.i.valid & self.i.ready),
            leaves.eq(self.o.valid & self.o.ready),
        ]
        with m.If(comes & ~leaves):
            m.d.sync += used.eq((used << 1) | 1)
        with m.If(leaves & ~comes):
            m.d.sync += used.eq(used >> 1)
        # Slots that hold no job follow the input, so that nothing need be known of where the next job goes.
        for index, slot in enumerate(slots):
            after = slots[index + 1] if index + 1 < QUEUE_DEPTH else self.i.payload
            after_used = used[index + 1] if index + 1 < QUEUE_DEPTH else C(0)
            with m.If(~used[index] | (leaves & ~after_used)):
                m.d.sync += slot.eq(self.i.payload)
            with m.Elif(leaves):
                m.d.sync += slot.eq(after)
        return m
