"""The operands of the heads inside the core."""

from functools import reduce
from operator import and_

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.array.digit_splitter import DigitSplitter
from hdp_hw.rtl.array.operand_buffer import OperandBuffer
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.core.head_cursor import HeadCursor
from hdp_hw.rtl.core.jobs import head_entry_layout, operand_read_layout, operand_words_layout, scales_layout
from hdp_hw.rtl.core.plane_loader import PlaneLoader
from hdp_hw.rtl.core.value_totals import ValueTotals
from hdp_hw.spec.formats import HEADS_INSIDE, STREAMS
from hdp_hw.spec.params import bits_for

N_HALVES = 2  #: heads in the F and V buffers


class PlaneStore(wiring.Component):
    """Takes the planes I, F and V of one head after another and keeps them until the head ends.

    The I planes have a place for each entry of the head table, for prediction needs them early. The F and V planes
    have two halves, which heads take in turn. V is split into digits on its way, and totals of V are added up.

    An ``exact`` array takes no I digit of -2^(w-1), which no saturated operand has: it is kept as -2^(w-1) + 1.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_integer : In(stream.Signature(self.loaders["integer"].beat_layout))
        The I planes of the heads, in the order of their settings; taken while there is a place.
    i_fraction : In(stream.Signature(self.loaders["fraction"].beat_layout))
        The F planes of the heads, likewise.
    i_value : In(stream.Signature(self.loaders["value"].beat_layout))
        The V planes of the heads, likewise.
    i_entries : In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE))
        The head table's entries.
    i_used : In(unsigned(HEADS_INSIDE))
        The head table's bits of the entries in use.
    i_vacated : In(unsigned(HEADS_INSIDE))
        The head table gives back the entry whose bit is set, at most one.
    i_retired : In(unsigned(HEADS_INSIDE))
        ``i_vacated`` of the clock cycle before.
    i_read : In(operand_read_layout(params))
        The operand fetch chooses planes and words; the planes must be those of heads that ``o_loaded`` names.
    i_total_half : In(unsigned(1))
        The half of the head whose totals the drain reads.
    i_total_word : In(unsigned(bits_for(params.max_value_words - 1)))
        The word of the totals that the drain reads.
    o_ended : Out(data.ArrayLayout(unsigned(HEADS_INSIDE), len(STREAMS)))
        Of each plane I, F, V: the bit of the entry whose plane has ended in this clock cycle; else 0.
    o_errors : Out(data.ArrayLayout(unsigned(3), len(STREAMS)))
        Of each plane, with ``o_ended``: a HeadError.
    o_loaded : Out(data.ArrayLayout(unsigned(HEADS_INSIDE), len(STREAMS)))
        Of each plane: bits of the entries whose plane has ended and that are still in use.
    o_complete : Out(unsigned(HEADS_INSIDE))
        Bits of the entries that all three of ``o_loaded`` name in the next clock cycle.
    o_words : Out(operand_words_layout(params))
        The words of ``i_read``; those of planes that were not read may hold anything.
    o_total : Out(data.ArrayLayout(signed(params.value_sum_width), params.lanes // 2))
        Sums of V over all keys.
    o_scales : Out(self.scales_layout)
        With ``encoder``: a row of a V plane as it comes, which of a linear layer is a channel's scales.

    Timing
    ------
    A plane's beats are taken from the second clock cycle on after its place is free and the plane before it has ended.
    ``o_ended`` follows the last beat by one clock cycle, and a plane can be read in the clock cycle in which
    ``o_loaded`` names it. ``o_words`` follows ``i_read`` by ``latency`` = 2 clock cycles, ``o_total`` ``i_total_*``
    by one.

    Numerics
    --------
    Golden twin ``golden.bits.core.plane_loader``, ``golden.bits.array.tile_array.value_total``.
    """

    latency = OperandBuffer.latency

    def __init__(self, params):
        self.params = params
        word = params.lanes * params.digit_width
        self.loaders = {
            "integer": PlaneLoader(params, params.max_row_words, word, keyed=True),
            "fraction": PlaneLoader(params, params.max_row_words, word, keyed=True),
            "value": PlaneLoader(params, params.max_value_words, word, keyed=False),
        }
        self.cursors = {plane: HeadCursor(params) for plane in self.loaders}
        self.scales_layout = scales_layout(params)
        of_planes = data.ArrayLayout(unsigned(HEADS_INSIDE), len(STREAMS))
        super().__init__(
            {
                **{f"i_{plane}": In(stream.Signature(x.beat_layout)) for plane, x in self.loaders.items()},
                "i_entries": In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE)),
                "i_used": In(unsigned(HEADS_INSIDE)),
                "i_vacated": In(unsigned(HEADS_INSIDE)),
                "i_retired": In(unsigned(HEADS_INSIDE)),
                "i_read": In(operand_read_layout(params)),
                "i_total_half": In(unsigned(1)),
                "i_total_word": In(unsigned(bits_for(params.max_value_words - 1))),
                "o_ended": Out(of_planes),
                "o_errors": Out(data.ArrayLayout(unsigned(3), len(STREAMS))),
                "o_loaded": Out(of_planes),
                "o_complete": Out(unsigned(HEADS_INSIDE)),
                "o_words": Out(operand_words_layout(params)),
                "o_total": Out(data.ArrayLayout(signed(params.value_sum_width), params.lanes // 2)),
                **({"o_scales": Out(self.scales_layout)} if params.encoder else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        params, word = self.params, self.params.lanes * self.params.digit_width
        for index, plane in enumerate(self.loaders):
            self._load(m, index, plane)
        for plane, n_heads in (("integer", HEADS_INSIDE), ("fraction", N_HALVES)):
            loader, cursor = self.loaders[plane], self.cursors[plane]
            place = cursor.o_head if plane == "integer" else cursor.o_entry.half
            for key, operand in enumerate("qk"):
                buffer = OperandBuffer(params, n_heads, params.max_words, word, long_rows=bool(params.encoder))
                m.submodules[f"{operand}_{plane}"] = buffer
                m.d.comb += [
                    buffer.i_write.eq(Mux(loader.o_key == key, loader.o_write, 0)),
                    buffer.i_write_head.eq(place),
                    buffer.i_write_block.eq(loader.o_block),
                    buffer.i_write_word.eq(loader.o_word),
                    buffer.i_write_data.eq(self._kept(loader.o_data) if plane == "integer" else loader.o_data),
                ]
                if params.encoder:
                    m.d.comb += loader.i_keys_alone.eq(cursor.o_entry.settings.reuse)
                self._read(m, buffer, plane, f"{operand}_{plane}")
        self._values(m)
        ended = [loaded | ends for loaded, ends in zip(self.o_loaded, self.o_ended)]
        m.d.comb += self.o_complete.eq(reduce(and_, ended) & ~self.i_retired)
        return m

    def _load(self, m, index, plane):
        """The loader of a plane, head after head."""
        loader, cursor = self.loaders[plane], self.cursors[plane]
        m.submodules[f"load_{plane}"], m.submodules[f"{plane}_cursor"] = loader, cursor
        wiring.connect(m, wiring.flipped(getattr(self, f"i_{plane}")), loader.i)
        entry, room = cursor.o_entry, 1
        if plane != "integer":
            halves = Signal(N_HALVES, name=f"{plane}_halves")  # that heads have
            freed = Cat(
                Cat(self.i_vacated[k] & (self.i_entries[k].half == half) for k in range(HEADS_INSIDE)).any()
                for half in range(N_HALVES)
            )
            m.d.sync += halves.eq(halves & ~freed | Mux(loader.i_start, 1 << entry.half, 0))
            rooms = Cat(~halves.bit_select(self.i_entries[k].half, 1) for k in range(HEADS_INSIDE))
            room = (rooms & cursor.o_place).any()
        m.d.comb += [
            cursor.i_entries.eq(self.i_entries),
            cursor.i_ready.eq(self.i_used),
            cursor.i_leaves.eq(loader.o_done),
            cursor.i_retired.eq(self.i_retired),
            loader.i_start.eq(cursor.o_waiting & room & ~loader.o_busy & ~loader.o_done),
            loader.i_discard.eq(entry.settings_error),
            loader.i_n_q.eq(entry.settings.n_q),
            loader.i_n_k.eq(entry.settings.n_k),
            loader.i_words.eq(entry.value_words if plane == "value" else entry.words),
            self.o_ended[index].eq(cursor.o_leaves),
            self.o_errors[index].eq(loader.o_error),
            self.o_loaded[index].eq(cursor.o_left),
        ]

    def _kept(self, word):
        """A word of the I plane as it is kept."""
        if not self.params.exact:
            return word
        w = self.params.digit_width
        digits = [word[low : low + w] for low in range(0, len(word), w)]
        return Cat(Cat(digit[0] | (digit == 1 << (w - 1)), digit[1:]) for digit in digits)

    def _read(self, m, buffer, plane, name):
        """Words of a buffer for the array."""
        read, of_q = self.i_read, "q_" if self.params.encoder and name.startswith("q") else ""
        m.d.comb += [
            buffer.i_read.eq(read[plane]),
            buffer.i_head.eq(read[of_q + ("head" if plane == "integer" else "half")]),
            buffer.i_block.eq(read.row if name.startswith("q") else read.column),
            buffer.i_word.eq(read.value_word if plane == "value" else read.word),
            self.o_words[name].eq(buffer.o_words),
        ]

    def _values(self, m):
        """V: its digits to their buffer, and their sums."""
        params, loader, half = self.params, self.loaders["value"], self.cursors["value"].o_entry.half
        buffer = OperandBuffer(params, N_HALVES, params.max_value_words, params.lanes * params.digit_width)
        m.submodules.value = buffer
        m.submodules.split = split = DigitSplitter(params)
        m.submodules.totals = totals = ValueTotals(params)
        first_row = (loader.o_block == 0) & loader.o_write[0]
        m.d.comb += [
            split.i_valid.eq(loader.o_write.any()),
            split.i_x.eq(loader.o_data),
            buffer.i_write.eq(delay(m, loader.o_write, split.latency, "write")),
            buffer.i_write_head.eq(delay(m, half, split.latency, "write_half")),
            buffer.i_write_block.eq(delay(m, loader.o_block, split.latency, "write_block")),
            buffer.i_write_word.eq(delay(m, loader.o_word, split.latency, "write_word")),
            buffer.i_write_data.eq(split.o_digits),
            totals.i_valid.eq(split.o_valid),
            totals.i_first.eq(delay(m, first_row, split.latency, "first_row")),
            totals.i_half.eq(buffer.i_write_head),
            totals.i_word.eq(buffer.i_write_word),
            totals.i_digits.eq(split.o_digits),
            totals.i_read_half.eq(self.i_total_half),
            totals.i_read_word.eq(self.i_total_word),
            self.o_total.eq(totals.o_total),
        ]
        self._read(m, buffer, "value", "value")
        if params.encoder:
            bank = Signal(range(params.tile))
            for index in range(params.tile):
                with m.If(loader.o_write[index]):
                    m.d.comb += bank.eq(index)
            m.d.comb += [
                self.o_scales.valid.eq(loader.o_write.any()),
                self.o_scales.half.eq(half),
                self.o_scales.channel.eq(Cat(bank, loader.o_block)),
                self.o_scales.scales.eq(loader.o_data[: len(self.o_scales.scales.as_value())]),
            ]
