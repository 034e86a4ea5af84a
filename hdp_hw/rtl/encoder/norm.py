"""Residual sum and normalisation of rows of words."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay, register, unary_counter
from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.encoder.inverse_root import FACTOR_WIDTH, InverseRoot
from hdp_hw.rtl.encoder.rounding import operand, saturate, shifted
from hdp_hw.rtl.encoder.row_moments import N_WIDTH, SQUARES_WIDTH, TOTAL_WIDTH, RowMoments
from hdp_hw.spec.encoder import (
    EPSILON_WIDTH,
    GAMMA_SHIFT_MAX,
    GAMMA_SHIFT_MIN,
    GAMMA_WIDTH,
    NORMAL_FRACTION,
    NORMAL_WIDTH,
    OPERAND_FRACTION,
    ROOT_UNIT,
    STREAM_FRACTION,
    WORD_WIDTH,
)
from hdp_hw.spec.params import bits_for

HIGHEST_SHIFT = ROOT_UNIT + 1 - NORMAL_FRACTION  #: of the product with the root, for n = 1 and e = 0
SUM_LATENCY = 3  #: clock cycles from a beat to its residual word
SQUARES_LATENCY = SUM_LATENCY + 3  #: to the sums that have it
SCALE_LATENCY = 12  #: clock cycles from reading a word to its outputs
PLACES = SCALE_LATENCY + 3  #: for results, those on their way included
NORMAL_LATENCY = 6  #: to the normalised element


class _State(enum.Enum, shape=2):
    """What a row is at."""

    LOAD = 0
    ROOT = 1
    READ = 2
    SCALE = 3


def result_layout():
    """Residual word and operand of a feature; last : of a row."""
    return data.StructLayout({"word": signed(WORD_WIDTH), "operand": signed(8), "last": unsigned(1)})


class Norm(wiring.Component):
    """``r = x * a + y * b``, then LayerNorm or RMSNorm of r, a row at a time.

    A row is read once: its residual words go to a buffer, and their sums are taken. Then come its mean and reciprocal
    deviation, then its outputs: the word that goes on as residual (``r``, or the normalised one) and the operand of the
    next linear layer, which has a gamma and a beta of its own. Three hardware multipliers serve all of these in turn.

    Parameters
    ----------
    max_features : int
        Elements of the longest row, ``MAX_FEATURES`` at most.

    Ports
    -----
    i_settings : In(self.settings_layout)
        Of the job: ``n`` elements a row, factors ``a`` and ``b``, ``epsilon``, ``rms``, ``pre_norm`` (r goes on),
        the shifts behind gamma of the word and of the operand. Holds still from a row's first beat to its last result.
    i_write : In(unsigned(1))
        A feature's scales are written; no row may be inside.
    i_feature : In(unsigned(self.index_width))
        With ``i_write``: the feature.
    i_scales : In(self.scales_layout)
        With ``i_write``: its gamma and beta for the word, and for the operand.
    i : In(stream.Signature(self.beat_layout))
        Words x and y of a row, feature after feature; one row is taken, then none before its outputs are begun.
    o : Out(stream.Signature(self.result_layout))
        Residual word and operand of each feature; ``last`` of a row.

    Timing
    ------
    Without stalls a row of n elements takes ``2n + 67 + e`` clock cycles, e being InverseRoot's, from its first beat to
    that of the next row; its first result can be taken ``n + 73 + e`` clock cycles after its first beat.

    Numerics
    --------
    Golden twin ``golden.bits.encoder.norm``; its schedule: ``golden.cycles.encoder.norm``.
    """

    def __init__(self, max_features):
        self.max_features, self.index_width = max_features, bits_for(max_features - 1)
        shift = unsigned(bits_for(GAMMA_SHIFT_MAX - GAMMA_SHIFT_MIN))  # by which it is more than the least
        self.settings_layout = data.StructLayout(
            {
                "n": unsigned(N_WIDTH),
                "a": unsigned(16),
                "b": unsigned(16),
                "epsilon": unsigned(EPSILON_WIDTH),
                "rms": unsigned(1),
                "pre_norm": unsigned(1),
                "shift": shift,
                "operand_shift": shift,
            }
        )
        names = ("gamma", "beta", "operand_gamma", "operand_beta")
        self.scales_layout = data.StructLayout(dict.fromkeys(names, signed(GAMMA_WIDTH)))
        self.beat_layout = data.StructLayout({"x": signed(WORD_WIDTH), "y": signed(WORD_WIDTH)})
        self.result_layout = result_layout()
        super().__init__(
            {
                "i_settings": In(self.settings_layout),
                "i_write": In(unsigned(1)),
                "i_feature": In(unsigned(self.index_width)),
                "i_scales": In(self.scales_layout),
                "i": In(stream.Signature(self.beat_layout)),
                "o": Out(stream.Signature(self.result_layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        settings = self.i_settings
        m.submodules.moments, m.submodules.root = moments, root = RowMoments(), InverseRoot()
        m.submodules.words = words = separate_memory(signed(WORD_WIDTH + 1), 1 << self.index_width)
        index, last, taken, read = Signal(self.index_width), Signal(), Signal(), Signal()
        following, last_index = Signal(self.index_width), Signal(self.index_width)
        state = Signal(_State)
        m.d.comb += [
            self.i.ready.eq(state == _State.LOAD),
            taken.eq(self.i.valid & self.i.ready),
            last.eq(index == last_index),
            following.eq(Mux(taken | read, Mux(last, 0, index + 1), index)),
        ]
        m.d.sync += [index.eq(following), last_index.eq(settings.n - 1)]
        scaled = delay(m, read & last, NORMAL_LATENCY, "scaled")
        with m.Switch(state):
            with m.Case(_State.LOAD), m.If(taken & last):
                m.d.sync += state.eq(_State.ROOT)
            with m.Case(_State.ROOT), m.If(root.o_done):
                m.d.sync += state.eq(_State.READ)
            with m.Case(_State.READ), m.If(read & last):
                m.d.sync += state.eq(_State.SCALE)
            with m.Case(_State.SCALE), m.If(scaled):  # what was read no longer needs the multipliers
                m.d.sync += state.eq(_State.LOAD)

        # Each multiplier's factors: of a row that is loaded, of one that is scaled, and the root's between the two.
        centred, normal = (Signal(signed(FACTOR_WIDTH), name=name) for name in ("centred", "normal"))
        u = Signal(signed(WORD_WIDTH + 1))  # r + 2^15 of a residual word r, as the moments take it; for RMSNorm r
        gammas = [Signal(signed(GAMMA_WIDTH), name=name) for name in ("gamma", "operand_gamma")]
        factors = [
            ((self.i.payload.x, settings.a), (root.o_left, root.o_right), (centred, root.o_q)),
            ((self.i.payload.y, settings.b), (0, 0), (normal, gammas[0])),
            ((u, u), (u, u), (normal, gammas[1])),
        ]
        products = [self._multiply(m, state, number, of) for number, of in enumerate(factors)]
        stream_width = WORD_WIDTH + len(settings.a)  # bits of a word's product with its factor
        both = products[0][:stream_width].as_signed() + products[1][:stream_width].as_signed()
        half = 1 << (STREAM_FRACTION - 1)  # a third term, not a second addition behind the first
        residual = saturate(m, (both + half) >> STREAM_FRACTION, WORD_WIDTH, "residual")
        m.d.comb += u.eq(self._offset(register(m, residual, "residual_word")))
        m.d.comb += root.i_product.eq(products[0])
        self._load(m, words.write_port(), moments, root, index, taken, last, u, products[2])

        # A row that is scaled: one word after the other is read, if the queue will have room for its results.
        m.submodules.queue = queue = Queue(self.result_layout, PLACES + 1)
        leaves = delay(m, self.o.valid & self.o.ready, 1, "leaves")
        places = unary_counter(m, PLACES, read, leaves, name="places")
        stored, scales = words.read_port(), self._scales(m, index)
        word = delay(m, stored.data, 1, "word", reset_less=True)  # of index, one clock cycle later
        m.d.comb += [
            read.eq((state == _State.READ) & ~places[-1]),
            stored.addr.eq(following),
            stored.en.eq(1),
            centred.eq(((word << 2) - moments.o_mean) >> 1),
            normal.eq(shifted(m, products[0], self._normal_shift(m, root.o_e), NORMAL_WIDTH, "normal")),
        ]
        results = []
        for product, gamma, beta, shift, of in (
            (products[1], scales.gamma, scales.beta, settings.shift, "word"),
            (products[2], scales.operand_gamma, scales.operand_beta, settings.operand_shift, "operand"),
        ):
            m.d.comb += gammas[len(results)].eq(delay(m, gamma, NORMAL_LATENCY - 1, f"{of}_gamma", reset_less=True))
            beta = delay(m, beta, SCALE_LATENCY - 3, f"{of}_beta", reset_less=True)
            product = product[: NORMAL_WIDTH + GAMMA_WIDTH].as_signed()
            results.append(shifted(m, product, shift, WORD_WIDTH, of, beta, GAMMA_SHIFT_MIN))
        before = delay(m, self._offset(word)[:WORD_WIDTH], SCALE_LATENCY - 2, "before", reset_less=True)
        operand_result = register(m, operand(m, results[1], OPERAND_FRACTION, "clipped"), "operand_result")
        m.d.comb += [
            queue.i.payload.operand.eq(operand_result),
            queue.i.payload.word.eq(register(m, Mux(settings.pre_norm, before, results[0]), "word_result")),
            queue.i.payload.last.eq(delay(m, last, SCALE_LATENCY, "last")),
            queue.i.valid.eq(delay(m, read, SCALE_LATENCY, "results")),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return m

    def _offset(self, r):
        """``r + 2^15`` of a word r, or r itself for RMSNorm; in the lowest 16 bits it is its own inverse."""
        low, high, rms = r[: WORD_WIDTH - 1], r[WORD_WIDTH - 1], self.i_settings.rms
        return Cat(low, high ^ ~rms, high & rms).as_signed()

    def _load(self, m, write, moments, root, index, taken, last, u, square):
        """A row that is loaded: its residual words go to the buffer, and from their sums come moments and root."""
        settings = self.i_settings
        total, squares = Signal(TOTAL_WIDTH), Signal(SQUARES_WIDTH)
        m.d.comb += [
            write.en.eq(delay(m, taken, SUM_LATENCY, "write")),
            write.addr.eq(delay(m, index, SUM_LATENCY, "write_index")),
            write.data.eq(u),
            moments.i_start.eq(delay(m, taken & last, SQUARES_LATENCY, "complete")),
            moments.i_n.eq(settings.n),
            moments.i_total.eq(total),
            moments.i_squares.eq(squares),
            moments.i_epsilon.eq(settings.epsilon),
            root.i_start.eq(moments.o_done),
            root.i_v.eq(moments.o_variance),
        ]
        with m.If(write.en & ~settings.rms):
            m.d.sync += total.eq(total + u)
        with m.If(delay(m, taken, SQUARES_LATENCY - 1, "squared")):
            m.d.sync += squares.eq(squares + square[: 2 * WORD_WIDTH])
        with m.If(moments.o_done):
            m.d.sync += [total.eq(0), squares.eq(0)]

    def _normal_shift(self, m, e):
        """Places from the product with the root to the normalised element; holds while a row is scaled."""
        log2_n, shift, n = Signal(range(N_WIDTH)), Signal(range(HIGHEST_SHIFT + 1)), self.i_settings.n
        high, middle = n[8:].any(), n[4:8].any()
        part = Mux(high, n[8:], Mux(middle, n[4:8], n[:4]))  # of n, the four bits with the highest that is 1
        m.d.comb += log2_n.eq(Cat(part[3] | (part[1] & ~part[2]), part[2] | part[3], middle & ~high, high))
        m.d.sync += shift.eq(HIGHEST_SHIFT - log2_n - e)  # below 0 only for a row of zeros, whose epsilon alone counts
        return shift

    def _multiply(self, m, state, number, of_states):
        """A multiplier's product, two clock cycles after its factors: those of LOAD, ROOT, and what follows."""
        chosen = []
        for side, load, root, scale in zip(("left", "right"), *of_states):
            factor = Signal(signed(FACTOR_WIDTH), name=f"{side}_{number}")
            with m.Switch(state):
                for case, value in ((_State.LOAD, load), (_State.ROOT, root)):
                    with m.Case(case):
                        m.d.comb += factor.eq(value)
                with m.Default():
                    m.d.comb += factor.eq(scale)
            chosen.append(register(m, factor, f"{side}_{number}_factor"))
        return register(m, chosen[0] * chosen[1], f"product_{number}")

    def _scales(self, m, index):
        """Gamma and beta of the feature that is read, one clock cycle later."""
        m.submodules.scales = scales = separate_memory(self.scales_layout, 1 << self.index_width)
        write, read = scales.write_port(), scales.read_port()
        m.d.comb += [
            write.en.eq(self.i_write),
            write.addr.eq(self.i_feature),
            write.data.eq(self.i_scales),
            read.addr.eq(index),
            read.en.eq(1),
        ]
        return read.data
