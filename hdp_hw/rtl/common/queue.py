"""First in, first out, between two streams."""

from amaranth.hdl import Module, Mux, Shape, Signal, unsigned
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.spec.params import bits_for


class Queue(wiring.Component):
    """Holds up to ``depth`` payloads and gives them back in the order in which they came.

    Parameters
    ----------
    shape : ShapeLike
        Of a payload.
    depth : int
        Payloads that it holds, 2 at least if it is buffered.
    buffered : bool
        The payloads are in a block RAM, the oldest in the register behind it. Else they are in a memory that is read
        without a clock cycle: LUTs of an FPGA.
    separate : bool
        The block RAM of a buffered queue is a :func:`separate_memory`, without logic around it.
    registered : bool
        The oldest payload of a queue that is not buffered, of 2 at least, is in a register too.

    Ports
    -----
    i : In(stream.Signature(self.shape))
        The source's payloads; a full queue takes none, even in a clock cycle in which one leaves.
    o : Out(stream.Signature(self.shape))
        The oldest payload, which stays until the sink takes it.
    o_level : Out(unsigned(bits_for(self.depth)))
        Payloads inside, those included that can't be taken yet.

    Timing
    ------
    A payload can be taken ``latency`` clock cycles after it came: 1, or 2 if buffered. One payload per clock cycle. A
    buffered queue takes ``depth`` - 1 payloads and one more once the oldest is in its register.

    Numerics
    --------
    Golden twin ``golden.cycles.clock`` (Queue, BufferedQueue).
    """

    def __init__(self, shape, depth, buffered=False, separate=False, registered=False):
        self.shape, self.depth, self.buffered = shape, depth, buffered
        self.separate, self.registered = separate, registered
        payloads = stream.Signature(shape)
        super().__init__({"i": In(payloads), "o": Out(payloads), "o_level": Out(unsigned(bits_for(depth)))})

    @property
    def latency(self):
        """Clock cycles from a payload's coming until it can be taken."""
        return 2 if self.buffered else 1

    def elaborate(self, platform):
        m = Module()
        if self.separate:
            self._around_block_ram(m)
            return m
        if self.registered:
            self._before_register(m)
            return m
        kind = fifo.SyncFIFOBuffered if self.buffered else fifo.SyncFIFO
        m.submodules.fifo = held = kind(width=Shape.cast(self.shape).width, depth=self.depth)
        m.d.comb += [
            held.w_data.eq(self.i.payload),
            held.w_en.eq(self.i.valid),
            self.i.ready.eq(held.w_rdy),
            self.o.payload.eq(held.r_data),
            self.o.valid.eq(held.r_rdy),
            held.r_en.eq(self.o.ready),
            self.o_level.eq(held.level),
        ]
        return m

    def _around_block_ram(self, m):
        """Payloads go to the block RAM, and from the clock cycle after on, the oldest to the register behind it."""
        places = self.depth - 1
        m.submodules.held = held = separate_memory(Shape.cast(self.shape), places, block=True)
        write, read = held.write_port(), held.read_port()
        level, moves, comes = Signal(range(places + 1)), Signal(), Signal()  # of the block RAM; to the register
        m.d.comb += [
            self.i.ready.eq(level != places),
            comes.eq(self.i.valid & self.i.ready),
            moves.eq((level != 0) & (~self.o.valid | self.o.ready)),
            write.en.eq(comes),
            write.data.eq(self.i.payload),
            read.en.eq(moves),
            self.o.payload.eq(read.data),
            self.o_level.eq(level + self.o.valid),
        ]
        for port, goes_on in ((write, comes), (read, moves)):
            place = Signal(range(places))
            m.d.comb += port.addr.eq(place)
            with m.If(goes_on):
                m.d.sync += place.eq(Mux(place == places - 1, 0, place + 1))
        m.d.sync += [level.eq(level + comes - moves), self.o.valid.eq(moves | (self.o.valid & ~self.o.ready))]

    def _before_register(self, m):
        """Payloads go to the register at once if they are the oldest, else behind it."""
        m.submodules.behind = behind = fifo.SyncFIFO(width=Shape.cast(self.shape).width, depth=self.depth - 1)
        free = ~self.o.valid | self.o.ready
        m.d.comb += [
            behind.w_data.eq(self.i.payload),
            behind.w_en.eq(self.i.valid & (behind.r_rdy | ~free)),
            behind.r_en.eq(free),
            self.i.ready.eq(behind.w_rdy),
            self.o_level.eq(behind.level + self.o.valid),
        ]
        with m.If(free):
            m.d.sync += self.o.valid.eq(behind.r_rdy | self.i.valid)
            m.d.sync += self.o.payload.eq(Mux(behind.r_rdy, behind.r_data, self.i.payload))
