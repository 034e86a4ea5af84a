"""Brings a head's operands from memory to the core: I planes at once, F planes and V as far as they are needed."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.shell.axi import read_signature
from hdp_hw.rtl.shell.commands import head_command_layout, plane_layout
from hdp_hw.rtl.shell.mask_union import MaskUnion
from hdp_hw.rtl.shell.plane_reader import PlaneReader
from hdp_hw.rtl.shell.segment_generator import Fetch, SegmentGenerator
from hdp_hw.spec.depths import HEADS_AHEAD
from hdp_hw.spec.formats import STREAMS
from hdp_hw.spec.settings import Rule, Verdict


class HeadLoader(wiring.Component):
    """Fetch upon mask: the rest of a head follows its verdict.

    A head's settings and I planes go to the core as soon as it takes them. F planes and V of a dense head follow at
    once, those of another when the core has decided: nothing of a pruned head (but V for a mean output), everything of
    one that fell back, and otherwise all of Q's and of K and V the key blocks that some row kept (all of V when
    compensating). What is not read is zero to the core.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i : In(stream.Signature(head_command_layout(params)))
        From JobEngine, through CoreLane: a head with its settings and addresses. It is taken when the head before has
        its I planes requested and ``HEADS_AHEAD`` have room.
    o_settings : Out(stream.Signature(settings_layout(params)))
        To the core: the settings of each head, in order, before any of its planes is requested.
    o_integer : Out(stream.Signature(self.word_layout))
        To the core: words of the I planes, Q's rows and then K's. ``key`` marks those of K, ``last`` the end of the
        head's.
    o_fraction : Out(stream.Signature(self.word_layout))
        To the core: words of the F planes, likewise. Words that were not read are zero.
    o_value : Out(stream.Signature(self.word_layout))
        To the core: words of V; ``key`` means nothing here. Words that were not read are zero.
    i_mask_valid : In(unsigned(1))
        From the core's trace: a word of a mask is decided in this clock cycle. There is no back-pressure.
    i_mask_index : In(unsigned(self.unions.index_width))
        The word's place in its block row.
    i_mask_word : In(unsigned(params.mask_word))
        The word: a bit for each block of the row that is kept.
    i_verdict_valid : In(unsigned(1))
        From the core's trace: a head is decided, behind the last word of its mask. Heads are decided in their order.
    i_verdict : In(unsigned(3))
        The head's Verdict: DENSE if its rule is, and only then.
    memory : Out(read_signature(params)).array(len(STREAMS))
        To ReadArbiter: three readers, of the I planes, of the F planes, and of V.
    o_bytes_read : Out(data.ArrayLayout(unsigned(5), len(STREAMS)))
        Bytes that each of the three readers received in the clock cycle before.
    o_bytes_skipped : Out(unsigned(32))
        Bytes that need not be read for what is delivered as zeros, two clock cycles after its segment was made.
    o_error : Out(unsigned(1))
        A bus word came with a response other than OKAY. The word is delivered nevertheless; JobEngine stops the job.
    o_busy : Out(unsigned(1))
        A head waits for its verdict, or the core for words of a plane.

    Timing
    ------
    A head every few clock cycles; the streams carry a word a clock cycle where the bus is as wide as a word.

    Numerics
    --------
    Golden twin ``golden.bits.shell.fetch``; clock cycles: ``golden.cycles.shell.head_loader``.
    """

    def __init__(self, params):
        self.params = params
        self.readers = {name: PlaneReader(params) for name in STREAMS}
        self.unions = MaskUnion(params)
        self.word_layout = data.StructLayout({"data": unsigned(params.word_width), "key": unsigned(1), "last": 1})
        super().__init__(
            {
                "i": In(stream.Signature(head_command_layout(params))),
                "o_settings": Out(stream.Signature(settings_layout(params))),
                **{f"o_{name}": Out(stream.Signature(self.word_layout)) for name in STREAMS},
                "i_mask_valid": In(unsigned(1)),
                "i_mask_index": In(unsigned(self.unions.index_width)),
                "i_mask_word": In(unsigned(params.mask_word)),
                "i_verdict_valid": In(unsigned(1)),
                "i_verdict": In(unsigned(3)),
                "memory": Out(read_signature(params)).array(len(STREAMS)),
                "o_bytes_read": Out(data.ArrayLayout(unsigned(5), len(STREAMS))),
                "o_bytes_skipped": Out(unsigned(32)),
                "o_error": Out(unsigned(1)),
                "o_busy": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for index, (name, reader) in enumerate(self.readers.items()):
            m.submodules[f"read_{name}"] = reader
            wiring.connect(m, reader.memory, wiring.flipped(self.memory[index]))
            wiring.connect(m, reader.o, wiring.flipped(getattr(self, f"o_{name}")))
            m.d.comb += self.o_bytes_read[index].eq(reader.o_bytes_read)
        readers, followers = self.readers.values(), self._integer_planes(m)
        m.d.comb += [
            self.o_error.eq(Cat(reader.o_error for reader in readers).any()),
            self.o_busy.eq(followers.o.valid | Cat(reader.o_missing for reader in readers).any()),
        ]
        self._other_planes(m, followers)
        return m

    def _integer_planes(self, m):
        """Settings and I planes of each head; the heads go on to the queue that is returned."""
        params = self.params
        layout = head_command_layout(params)
        m.submodules.followers = followers = Queue(layout, HEADS_AHEAD)
        head = Signal(layout)
        segments = self.readers["integer"].i
        words = integer_words(head.settings.head_dim, params)
        m.d.comb += [
            self.o_settings.payload.eq(head.settings),
            followers.i.payload.eq(self.i.payload),
        ]
        with m.FSM(name="integer_planes") as loading:
            with m.State("HEAD"):
                m.d.comb += [self.i.ready.eq(followers.i.ready), followers.i.valid.eq(self.i.valid)]
                m.d.sync += head.eq(self.i.payload)
                with m.If(self.i.valid & self.i.ready):
                    m.next = "SETTINGS"
            with m.State("SETTINGS"):
                m.d.comb += self.o_settings.valid.eq(1)
                with m.If(self.o_settings.ready):
                    m.next = "QUERIES"
                    if params.encoder:
                        with m.If(head.settings.reuse):
                            m.next = "KEYS"
            for state, following in (("QUERIES", "KEYS"), ("KEYS", "HEAD")):
                with m.State(state):
                    m.d.comb += segments.valid.eq(1)
                    with m.If(segments.ready):
                        m.next = following
        # One assignment, in the layout's order: Verilog's `always @*` does not run for a field that is constant.
        keys = loading.ongoing("KEYS")
        plane, n_rows = Signal(plane_layout(params)), Mux(keys, head.settings.n_k, head.settings.n_q)
        m.d.comb += plane.eq(Mux(keys, head.k_integer.as_value(), head.q_integer.as_value()))
        n_rows, n_words = n_rows[: params.seq_width], words[: params.slice_index_width]
        n_words = Cat(n_words, C(0, params.slice_index_width - len(n_words)))
        m.d.comb += segments.payload.eq(Cat(plane.address, plane.row_stride, n_rows, n_words, C(0, 1), keys, keys))
        return followers

    def _other_planes(self, m, followers):
        """F planes and V of the heads whose verdict is known; that of a dense head is beforehand."""
        params = self.params
        m.submodules.verdicts = verdicts = Queue(unsigned(3), HEADS_AHEAD)
        m.submodules.unions = unions = self.unions
        m.d.comb += [
            verdicts.i.payload.eq(self.i_verdict),
            verdicts.i.valid.eq(self.i_verdict_valid & (self.i_verdict != Verdict.DENSE)),
            unions.i_valid.eq(self.i_mask_valid),
            unions.i_index.eq(self.i_mask_index),
            unions.i_word.eq(self.i_mask_word),
            unions.i_head_ends.eq(self.i_verdict_valid),
        ]
        generators = {}
        for index, name in enumerate(("fraction", "value")):
            m.submodules[f"segments_{name}"] = generators[name] = generator = SegmentGenerator(params)
            m.d.comb += [
                unions.i_read[index].head.eq(generator.o_head),
                unions.i_read[index].index.eq(generator.o_index),
                generator.i_word.eq(unions.o_word[index]),
            ]
            wiring.connect(m, generator.o, self.readers[name].i)

        head, verdict, number = Signal(head_command_layout(params)), Signal(Verdict), Signal(2)
        settings = head.settings
        full = (verdict == Verdict.DENSE) | (verdict == Verdict.FALLBACK)
        fetch = Mux(verdict == Verdict.PRUNED, Fetch.NOTHING, Mux(full, Fetch.ALL, Fetch.MASKED))
        needs_all = Mux(verdict == Verdict.PRUNED, settings.mean_output, settings.compensate | full)
        of_value = Mux(needs_all, Fetch.ALL, fetch)
        of_queries = Mux(verdict == Verdict.PRUNED, Fetch.NOTHING, Fetch.ALL)
        words, v_words = integer_words(settings.head_dim, params), value_words(settings.head_dim, params)
        if params.encoder:
            v_words = Mux(settings.linear, 1, v_words)
        with m.FSM(name="other_planes"):
            dense = followers.o.payload.settings.rule == Rule.DENSE
            with m.State("HEAD"), m.If(followers.o.valid & (dense | verdicts.o.valid)):
                m.d.comb += [followers.o.ready.eq(1), verdicts.o.ready.eq(~dense)]
                m.d.sync += [head.eq(followers.o.payload), verdict.eq(Mux(dense, Verdict.DENSE, verdicts.o.payload))]
                m.next = "QUERIES"
                if params.encoder:
                    with m.If(followers.o.payload.settings.reuse):
                        m.next = "VALUES"
            # V comes second, so that it does not wait for the runs of K.
            for state, name, plane, n_rows, n_words, key, last, how, following in (
                ("QUERIES", "fraction", head.q_fraction, settings.n_q, words, 0, 0, of_queries, "VALUES"),
                ("VALUES", "value", head.value, settings.n_k, v_words, 0, 1, of_value, "KEYS"),
                ("KEYS", "fraction", head.k_fraction, settings.n_k, words, 1, 1, fetch, "HEAD"),
            ):  # fmt: skip
                request = generators[name].i
                with m.State(state):
                    m.d.comb += [
                        request.valid.eq(1),
                        request.payload.plane.eq(plane),
                        request.payload.n_rows.eq(n_rows),
                        request.payload.words.eq(n_words),
                        request.payload.key.eq(key),
                        request.payload.last.eq(last),
                        request.payload.fetch.eq(how),
                        request.payload.head.eq(number),
                    ]
                    with m.If(request.ready):
                        if following == "HEAD":
                            m.d.sync += number.eq(number + 1)
                        m.next = following

        skipped = self.readers["fraction"].o_skipped + self.readers["value"].o_skipped
        m.d.comb += self.o_bytes_skipped.eq(skipped * params.bus_bytes)


def integer_words(head_dim, params):
    """Words of a row of digits, for a head dimension that is a Value."""
    return ((head_dim >> (params.slice_width - 1).bit_length()) + 3) >> 2


def value_words(head_dim, params):
    """Words of a row of V."""
    return ((head_dim >> (params.slice_width - 1).bit_length()) + 1) >> 1
