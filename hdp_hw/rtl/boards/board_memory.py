"""A memory on the chip that the co-processor and the host share."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In

from hdp_hw.rtl.boards.host_link import access_port
from hdp_hw.rtl.shell.axi import PAGE_BYTES, Response, read_signature, write_signature
from hdp_hw.spec.link_protocol import MEMORY_BASE
from hdp_hw.spec.params import ParameterError, bits_for


class BoardMemory(wiring.Component):
    """AXI4 subordinate for INCR bursts of whole bus words, with a second way in, word by word, that goes first.

    Its bytes are at ``MEMORY_BASE`` for both. A burst elsewhere gets DECERR and changes nothing; it ends in the 4 KiB
    page in which it begins. A word elsewhere is an error.

    Parameters
    ----------
    params : HdpParams
    n_bytes : int
        Bytes of the memory.

    Ports
    -----
    read : In(read_signature(params))
        From hdp_top: bursts that read. A burst is taken when the one before has ended.
    write : In(write_signature(params))
        From hdp_top: bursts that write. A burst is taken when the one before has its response.
    host : In(access_port())
        From HostLink: accesses to words. They go before bursts.

    Timing
    ------
    One burst of each kind at a time. The first beat of ``r`` comes two clock cycles after ``ar`` is taken, the others
    one a clock cycle; ``w`` takes one a clock cycle after ``aw``, and ``b`` follows the last. Each word that the host
    accesses costs those of its kind a clock cycle. Its result comes one clock cycle after it is taken; a read waits
    while a beat of ``r`` does.

    Raises
    ------
    ParameterError
        If ``n_bytes`` is not a power of two, from 4 KiB to 256 MiB.
    """

    def __init__(self, params, n_bytes):
        if n_bytes & (n_bytes - 1) or not PAGE_BYTES <= n_bytes <= MEMORY_BASE:
            raise ParameterError("n_bytes", n_bytes, f"a power of two, {PAGE_BYTES} to {MEMORY_BASE}")
        self.params, self.n_bytes = params, n_bytes
        super().__init__(
            {"read": In(read_signature(params)), "write": In(write_signature(params)), "host": In(access_port())}
        )

    def elaborate(self, platform):
        m = Module()
        width, word_bits = self.params.bus_width, bits_for(self.params.bus_bytes - 1)
        page_bits = bits_for(self.n_bytes - 1)
        m.submodules.words = words = memory.Memory(
            shape=unsigned(width), depth=self.n_bytes // self.params.bus_bytes, init=[], attrs={"no_rw_check": 1}
        )
        reader, writer = words.read_port(), words.write_port(granularity=8)

        def outside(address):
            return address >> page_bits != MEMORY_BASE >> page_bits

        def word_of(address):
            return address[word_bits:page_bits]

        # The host: which of the bus word's words it wants.
        access, result = self.host.access, self.host.result
        lane = access.p.address[2:word_bits]
        host_reads, host_writes, advance = Signal(), Signal(), Signal()
        m.d.comb += [
            access.ready.eq(access.p.write | advance),
            host_reads.eq(access.valid & ~access.p.write & advance),
            host_writes.eq(access.valid & access.p.write & ~outside(access.p.address)),
        ]
        lane_read = Signal.like(lane)
        m.d.sync += [
            lane_read.eq(lane),
            result.valid.eq(access.valid & access.ready),
            result.error.eq(outside(access.p.address)),
        ]
        m.d.comb += result.data.eq(reader.data.word_select(lane_read, 32))

        # Bursts of reads.
        ar, r = self.read.ar, self.read.r
        reading, read_word, read_left = Signal(), Signal(reader.addr.shape()), Signal(8)
        read_id, read_outside, issue = Signal.like(ar.p.id), Signal(), Signal()
        m.d.comb += [
            advance.eq(~r.valid | r.ready),
            issue.eq(reading & advance & ~host_reads),
            ar.ready.eq(~reading),
            reader.en.eq(host_reads | issue),
            reader.addr.eq(Mux(host_reads, word_of(access.p.address), read_word)),
            r.p.data.eq(reader.data),
        ]
        with m.If(ar.valid & ar.ready):
            m.d.sync += [
                reading.eq(1),
                read_word.eq(word_of(ar.p.addr)),
                read_left.eq(ar.p.len),
                read_id.eq(ar.p.id),
                read_outside.eq(outside(ar.p.addr)),
            ]
        with m.If(advance):
            m.d.sync += r.valid.eq(issue)
        with m.If(issue):
            m.d.sync += [
                r.p.id.eq(read_id),
                r.p.resp.eq(Mux(read_outside, Response.DECERR, Response.OKAY)),
                r.p.last.eq(read_left == 0),
                read_word.eq(read_word + 1),
                read_left.eq(read_left - 1),
                reading.eq(read_left != 0),
            ]

        # Bursts of writes.
        aw, w, b = self.write.aw, self.write.w, self.write.b
        writing, write_word, write_outside = Signal(), Signal(writer.addr.shape()), Signal()
        m.d.comb += [
            aw.ready.eq(~writing & ~b.valid),
            w.ready.eq(writing & ~host_writes),
            b.p.resp.eq(Mux(write_outside, Response.DECERR, Response.OKAY)),
            writer.addr.eq(Mux(host_writes, word_of(access.p.address), write_word)),
            writer.data.eq(Mux(host_writes, access.p.data.replicate(width // 32), w.p.data)),
        ]
        with m.If(host_writes):
            m.d.comb += writer.en.eq(Cat((lane == index).replicate(4) for index in range(width // 32)))
        with m.Elif(w.valid & w.ready & ~write_outside):
            m.d.comb += writer.en.eq(w.p.strb)
        with m.If(b.ready):
            m.d.sync += b.valid.eq(0)
        with m.If(aw.valid & aw.ready):
            m.d.sync += [
                writing.eq(1),
                write_word.eq(word_of(aw.p.addr)),
                b.p.id.eq(aw.p.id),
                write_outside.eq(outside(aw.p.addr)),
            ]
        with m.If(w.valid & w.ready):
            m.d.sync += [write_word.eq(write_word + 1), writing.eq(~w.p.last), b.valid.eq(w.p.last)]
        return m
