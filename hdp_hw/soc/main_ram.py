"""Memory with a port for each of its masters: the processor's bus, and the co-processor's bursts."""

from litex.gen import LiteXModule
from litex.soc.interconnect import axi, stream, wishbone
from migen import Array, If, Memory, Replicate, Signal, log2_int


class MainRam(LiteXModule):
    """A word for each side in a clock cycle, as a memory of a simulation can; that of a board is LiteDRAM's.

    Parameters
    ----------
    size : int
        Bytes.
    memory : AXIInterface
        The co-processor's master. Bursts are INCR, of whole words. Its width is the memory's.

    Attributes
    ----------
    bus : wishbone.Interface
        Slave of 32 bits. An access takes two clock cycles.
    """

    def __init__(self, size, memory):
        width = memory.data_width if memory else 64
        self.autocsr_exclude = {"mem"}  # else LiteX maps it once more, among its registers
        self.bus = wishbone.Interface(data_width=32, address_width=32, addressing="word")
        self.mem = Memory(width, size // (width // 8), init=[0], name="main_ram")  # its file is read at the start
        self.specials += self.mem
        self._serve_bus(width // 32)
        if memory:
            self._serve_reads(memory, log2_int(width // 8))
            self._serve_writes(memory, log2_int(width // 8))

    def _serve_bus(self, n_lanes):
        port, bus = self.mem.get_port(write_capable=True, we_granularity=8), self.bus
        self.specials += port
        words = Array(port.dat_r[32 * i : 32 * i + 32] for i in range(n_lanes))
        lane = Signal(max=max(n_lanes, 2))
        self.comb += [
            lane.eq(bus.adr & (n_lanes - 1)),
            port.adr.eq(bus.adr >> log2_int(n_lanes)),
            port.dat_w.eq(Replicate(bus.dat_w, n_lanes)),
            If(bus.cyc & bus.stb & bus.we & ~bus.ack, port.we.eq(bus.sel << (4 * lane))),
            bus.dat_r.eq(words[lane]),
        ]
        self.sync += bus.ack.eq(bus.cyc & bus.stb & ~bus.ack)

    def _serve_reads(self, memory, offset):
        port = self.mem.get_port(has_re=True)
        self.specials += port
        beat = self._beats(memory.ar)
        free = Signal()
        self.comb += [
            free.eq(~memory.r.valid | memory.r.ready),
            beat.ready.eq(free),
            port.re.eq(free),
            port.adr.eq(beat.addr[offset:]),
            memory.r.data.eq(port.dat_r),
        ]
        self.sync += If(free, memory.r.valid.eq(beat.valid), memory.r.last.eq(beat.last), memory.r.id.eq(beat.id))

    def _serve_writes(self, memory, offset):
        port = self.mem.get_port(write_capable=True, we_granularity=8)
        self.specials += port
        beat = self._beats(memory.aw)
        writes, free = Signal(), Signal()
        self.comb += [
            free.eq(~memory.b.valid | memory.b.ready),
            writes.eq(beat.valid & memory.w.valid & free),
            beat.ready.eq(writes),
            memory.w.ready.eq(writes),
            port.adr.eq(beat.addr[offset:]),
            port.dat_w.eq(memory.w.data),
            If(writes, port.we.eq(memory.w.strb)),
        ]
        self.sync += If(free, memory.b.valid.eq(writes & beat.last), memory.b.id.eq(beat.id))

    def _beats(self, bursts):
        """Endpoint with a beat for each word of the bursts of a channel; a burst is accepted before its first beat."""
        buffer, beat = stream.Buffer(bursts.description), stream.Endpoint(bursts.description)
        self.comb += bursts.connect(buffer.sink)
        self.submodules += buffer, axi.AXIBurst2Beat(buffer.source, beat, {axi.BURST_FIXED, axi.BURST_INCR})
        return beat
