"""Reads one plane of a head from its stream into the operand buffers and notices when it is malformed."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.spec.params import bits_for
from hdp_hw.spec.settings import HeadError


class PlaneLoader(wiring.Component):
    """Counts the beats of Q's rows, then K's (or of V's alone) and addresses the banks they belong to.

    A plane ends with ``last``. Whatever is wrong with it, it is read up to there, and nothing is written from the
    offending beat on: SHORT (``last`` too early), LONG (no ``last`` where the plane ends), ORDER (a beat of K
    where Q belongs, or the reverse).

    Parameters
    ----------
    params : HdpParams
    n_words : int
        Words of a row of the largest head dimension.
    word_width : int
        Bits of a word.
    keyed : bool
        Beats carry ``key`` (0 = Q, 1 = K); a plane of V does not.

    Ports
    -----
    i : In(stream.Signature(self.beat_layout))
        ``data``, ``key`` if keyed, ``last``.
    i_start : In(unsigned(1))
        A plane begins; only while ``o_busy`` and ``o_done`` are low.
    i_discard : In(unsigned(1))
        With ``i_start``: the plane is only read.
    i_keys_alone : In(unsigned(1))
        With ``encoder``, of a keyed plane and with ``i_start``: it has no rows of Q.
    i_n_q : In(unsigned(params.seq_width))
        Rows of Q; holds still from ``i_start`` to ``o_done``.
    i_n_k : In(unsigned(params.seq_width))
        Rows of K or V; holds still from ``i_start`` to ``o_done``.
    i_words : In(unsigned(bits_for(self.n_words)))
        Words of a row; holds still from ``i_start`` to ``o_done``.
    o_write : Out(unsigned(params.tile))
        The bank that the word is written to, one-hot, or 0.
    o_key : Out(unsigned(1))
        With ``o_write``: the matrix of the word, 0 for Q, 1 for K; V counts as K.
    o_block : Out(unsigned(params.block_width))
        With ``o_write``: block row of the word's row in its matrix.
    o_word : Out(unsigned(bits_for(self.n_words - 1)))
        Index of the word in its row.
    o_data : Out(unsigned(self.word_width))
        With ``o_write``: the word.
    o_busy : Out(unsigned(1))
        From the clock cycle after ``i_start`` to the one in which the beat with ``last`` is taken.
    o_done : Out(unsigned(1))
        The plane has ended.
    o_error : Out(unsigned(3))
        With ``o_done``: a HeadError.

    Timing
    ------
    Ready while busy, one beat per clock cycle; ``o_write`` and ``o_done`` come ``latency`` = 1 clock cycle after their
    beat.

    Numerics
    --------
    Golden twin ``golden.bits.core.plane_loader.load``.
    """

    latency = 1

    def __init__(self, params, n_words, word_width, keyed):
        self.params, self.n_words, self.word_width, self.keyed = params, n_words, word_width, keyed
        key = {"key": unsigned(1)} if keyed else {}
        self.beat_layout = data.StructLayout({"data": unsigned(word_width), **key, "last": unsigned(1)})
        super().__init__(
            {
                "i": In(stream.Signature(self.beat_layout)),
                "i_start": In(unsigned(1)),
                "i_discard": In(unsigned(1)),
                **({"i_keys_alone": In(unsigned(1))} if params.encoder and keyed else {}),
                "i_n_q": In(unsigned(params.seq_width)),
                "i_n_k": In(unsigned(params.seq_width)),
                "i_words": In(unsigned(bits_for(n_words))),
                "o_write": Out(unsigned(params.tile)),
                "o_key": Out(unsigned(1)),
                "o_block": Out(unsigned(params.block_width)),
                "o_word": Out(unsigned(bits_for(n_words - 1))),
                "o_data": Out(unsigned(word_width)),
                "o_busy": Out(unsigned(1)),
                "o_done": Out(unsigned(1)),
                "o_error": Out(unsigned(3)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat = self.i.payload
        key = Signal()  # the matrix whose row is due
        row, n_rows = Signal(self.params.seq_width), Signal(self.params.seq_width)  # of that matrix
        word = Signal(bits_for(self.n_words))
        bank = Signal(self.params.tile, init=1)  # one-hot row % T
        failed = Signal()
        error = Signal(HeadError)

        row_ends, last_row = Signal(), Signal()  # of the beat that is due, told a cycle ahead
        matrix_ends, accepted = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(self.o_busy),
            accepted.eq(self.i.valid & self.i.ready),
            matrix_ends.eq(row_ends & last_row),
        ]
        plane_ends = matrix_ends & key
        with m.If(failed):
            m.d.comb += error.eq(self.o_error)
        if self.keyed:
            with m.Elif(beat.key != key):
                m.d.comb += error.eq(HeadError.ORDER)
        with m.Elif(beat.last & ~plane_ends):
            m.d.comb += error.eq(HeadError.SHORT)
        with m.Elif(plane_ends & ~beat.last):
            m.d.comb += error.eq(HeadError.LONG)

        m.d.sync += [  # where and what is not looked at without o_write: no enable has to reach it
            self.o_write.eq(0),
            self.o_done.eq(0),
            self.o_key.eq(key),
            self.o_block.eq(row >> (self.params.tile - 1).bit_length()),
            self.o_word.eq(word),
            self.o_data.eq(beat.data),
        ]
        with m.If(accepted):
            m.d.sync += [
                self.o_write.eq(Mux(failed | (error != HeadError.NONE), 0, bank)),
                self.o_error.eq(error),
                failed.eq(failed | (error != HeadError.NONE)),
                word.eq(word + 1),
                row_ends.eq(word + 2 == self.i_words),
            ]
            with m.If(row_ends):
                m.d.sync += [word.eq(0), row_ends.eq(self.i_words == 1)]
                m.d.sync += [row.eq(row + 1), last_row.eq(row + 2 == n_rows)]
                m.d.sync += bank.eq(bank.rotate_left(1))
            with m.If(matrix_ends):
                m.d.sync += [row.eq(0), n_rows.eq(self.i_n_k), last_row.eq(self.i_n_k == 1), bank.eq(1), key.eq(1)]
            with m.If(beat.last):
                m.d.sync += [self.o_busy.eq(0), self.o_done.eq(1)]
        keys_alone, first_rows = not self.keyed, self.i_n_q if self.keyed else self.i_n_k
        if self.keyed and self.params.encoder:
            keys_alone, first_rows = self.i_keys_alone, Mux(self.i_keys_alone, self.i_n_k, self.i_n_q)
        with m.If(self.i_start):
            m.d.sync += [
                self.o_busy.eq(1),
                self.o_error.eq(HeadError.NONE),
                failed.eq(self.i_discard),
                key.eq(keys_alone),
                row.eq(0),
                n_rows.eq(first_rows),
                last_row.eq(first_rows == 1),
                word.eq(0),
                row_ends.eq(self.i_words == 1),
                bank.eq(1),
            ]
        return m
