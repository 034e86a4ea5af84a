"""Requests of a host, carried out word by word on a bus."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.boards.frame_transmitter import frame_layout
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.spec.link_protocol import ANSWER_BYTES, CRC_BYTES, MAX_WORDS, REQUEST_BYTES, WORD_BYTES, Command, Status

MAX_BYTES = REQUEST_BYTES + WORD_BYTES * MAX_WORDS + CRC_BYTES  #: of a frame


def access_layout():
    """An access to a word; ``address`` is in bytes, a multiple of four."""
    return data.StructLayout({"write": unsigned(1), "address": unsigned(32), "data": unsigned(32)})


def result_layout():
    """What became of an access; taken whenever it is ``valid``, for one clock cycle."""
    return data.StructLayout({"valid": unsigned(1), "data": unsigned(32), "error": unsigned(1)})


def access_port():
    """Signature of who accesses words, one after another: each is answered before the next is offered."""
    return wiring.Signature({"access": Out(stream.Signature(access_layout())), "result": In(result_layout())})


class HostLink(wiring.Component):
    """Takes the frames of ``hdp_hw.spec.link_protocol``, one at a time, carries them out, and answers each.

    A request is carried out once its frame has come and is good. A write whose sequence is that of the request before,
    a write too, is that one again, because its answer was lost: the answer is repeated, and nothing is written. What
    comes while a request is carried out is lost; should it be part of a frame, then that is damaged.

    Ports
    -----
    i : In(data.StructLayout({"valid": unsigned(1), "data": unsigned(8)}))
        Bytes of a frame.
    i_end : In(data.StructLayout({"valid": unsigned(1), "good": unsigned(1)}))
        End of a frame.
    o : Out(stream.Signature(frame_layout()))
        Answers.
    bus : Out(access_port())
        To what the words belong to: the accesses of a request, one after another.
    o_failed : Out(unsigned(1))
        The status of the latest answer is not OK.

    Timing
    ------
    A byte a clock cycle in and, but for two clock cycles a word, out. A word takes three clock cycles and what the bus
    needs.
    """

    def __init__(self):
        super().__init__(
            {
                "i": In(data.StructLayout({"valid": unsigned(1), "data": unsigned(8)})),
                "i_end": In(data.StructLayout({"valid": unsigned(1), "good": unsigned(1)})),
                "o": Out(stream.Signature(frame_layout())),
                "bus": Out(access_port()),
                "o_failed": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        access, result = self.bus.access, self.bus.result
        m.submodules.words = words = separate_memory(unsigned(32), MAX_WORDS)  # of the request, then of the answer
        write_port, read_port = words.write_port(), words.read_port()
        header, n_bytes, word = Signal(8 * REQUEST_BYTES), Signal(range(MAX_BYTES + 2)), Signal(32)
        sequence, command, count, address = (header[a:b] for a, b in ((0, 8), (8, 16), (16, 32), (32, 64)))
        is_write, index = command == Command.WRITE, Signal(range(MAX_WORDS))
        last, more = Signal(), Signal()
        receiving, lost = Signal(), Signal()  # lost: bytes of the frame that is coming
        status, done_sequence, done_write, done_status = Signal(Status), Signal(8), Signal(), Signal(Status)
        legal = (count > 0) & (count <= MAX_WORDS) & ~address[:2].any() & (command <= Command.WRITE)
        expected = REQUEST_BYTES + CRC_BYTES + Mux(is_write, count << 2, 0)
        m.d.comb += [
            last.eq(index == count - 1),
            access.p.write.eq(is_write),
            access.p.data.eq(read_port.data),
            read_port.addr.eq(index),
            more.eq(~is_write & (status == Status.OK)),
            self.o_failed.eq(status != Status.OK),
        ]
        with m.If(self.i_end.valid):
            m.d.sync += lost.eq(0)
        with m.Elif(self.i.valid & ~receiving):
            m.d.sync += lost.eq(1)

        with m.FSM():
            with m.State("RECEIVE"):
                place = n_bytes - REQUEST_BYTES
                m.d.comb += [
                    receiving.eq(1),
                    write_port.addr.eq(place >> 2),
                    write_port.data.eq(Cat(word[8:], self.i.data)),
                    write_port.en.eq(
                        self.i.valid & (n_bytes >= REQUEST_BYTES) & (place[:2] == 3) & (place < 4 * MAX_WORDS)
                    ),
                ]
                with m.If(self.i.valid):
                    m.d.sync += [n_bytes.eq(Mux(n_bytes > MAX_BYTES, n_bytes, n_bytes + 1)), word.eq(write_port.data)]
                    with m.If(n_bytes < REQUEST_BYTES):
                        m.d.sync += header.eq(Cat(header[8:], self.i.data))
                with m.If(self.i_end.valid):
                    m.d.sync += [n_bytes.eq(0), index.eq(0)]
                    m.next = "HEAD"
                    with m.If(~self.i_end.good | lost | (n_bytes < REQUEST_BYTES + CRC_BYTES)):
                        m.d.sync += [status.eq(Status.BAD_FRAME), sequence.eq(0), command.eq(Command.WRITE)]
                    with m.Elif(~legal | (n_bytes != expected)):
                        m.d.sync += status.eq(Status.BAD_REQUEST)
                    with m.Elif(is_write & done_write & (sequence == done_sequence)):
                        m.d.sync += status.eq(done_status)
                    with m.Else():
                        m.d.sync += [status.eq(Status.OK), done_status.eq(Status.OK)]
                        m.d.sync += [done_sequence.eq(sequence), done_write.eq(is_write)]
                        m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += access.p.address.eq(address + (index << 2))
                m.next = "ACCESS"
            with m.State("ACCESS"):
                m.d.comb += access.valid.eq(1)
                with m.If(access.ready):
                    m.next = "RESULT"
            with m.State("RESULT"):
                m.d.comb += [write_port.addr.eq(index), write_port.data.eq(result.data)]
                with m.If(result.valid):
                    m.d.comb += write_port.en.eq(~is_write)
                    m.d.sync += index.eq(Mux(last, 0, index + 1))
                    with m.If(result.error):
                        m.d.sync += [status.eq(Status.BUS_ERROR), done_status.eq(Status.BUS_ERROR)]
                    m.next = "FETCH"
                    with m.If(last):
                        m.next = "HEAD"
            # An answer: its head, then the words.
            with m.State("HEAD"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(Cat(sequence, status, Const(0, 22)).word_select(n_bytes[:2], 8)),
                    self.o.p.last.eq((n_bytes == ANSWER_BYTES - 1) & ~more),
                ]
                with m.If(self.o.ready):
                    m.d.sync += n_bytes.eq(n_bytes + 1)
                    with m.If(n_bytes == ANSWER_BYTES - 1):
                        m.d.sync += n_bytes.eq(0)
                        m.next = "WORD"
                        with m.If(~more):
                            m.next = "RECEIVE"
            with m.State("WORD"):
                m.next = "BYTES"
            with m.State("BYTES"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(read_port.data.word_select(n_bytes[:2], 8)),
                    self.o.p.last.eq(last & (n_bytes == WORD_BYTES - 1)),
                ]
                with m.If(self.o.ready):
                    m.d.sync += n_bytes.eq(n_bytes + 1)
                    with m.If(n_bytes == WORD_BYTES - 1):
                        m.d.sync += [n_bytes.eq(0), index.eq(index + 1)]
                        m.next = "WORD"
                        with m.If(last):
                            m.next = "RECEIVE"
        return m
