"""Rows that wait between two stages of execution."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import unary_counter
from hdp_hw.rtl.common.storage import separate_memory
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
        layout = row_job_layout(self.params)
        oldest, comes, leaves = Signal(layout), Signal(), Signal()
        used = unary_counter(m, QUEUE_DEPTH, comes, leaves, name="used")
        m.d.comb += [
            self.i.ready.eq(~used[-1]),
            self.o.valid.eq(used[0]),
            self.o.payload.eq(oldest),
            comes.eq(self.i.valid & self.i.ready),
            leaves.eq(self.o.valid & self.o.ready),
        ]
        # All jobs lie in a ring of as many places, the oldest in its register too. What comes is written whether or not
        # it is a job, so that nothing need be known of it: the place is free, or that of the oldest.
        m.submodules.ring = ring = separate_memory(layout, QUEUE_DEPTH)
        write, read = ring.write_port(), ring.read_port(domain="comb")
        come, next_oldest = Signal(range(QUEUE_DEPTH)), Signal(range(QUEUE_DEPTH), init=1)
        m.d.sync += [come.eq(come + comes), next_oldest.eq(next_oldest + leaves)]
        m.d.comb += [
            write.addr.eq(come),
            write.data.eq(self.i.payload),
            write.en.eq(1),
            read.addr.eq(next_oldest),
        ]
        with m.If(leaves | ~used[0]):
            m.d.sync += oldest.eq(Mux(used[1], read.data, self.i.payload))
        return m
