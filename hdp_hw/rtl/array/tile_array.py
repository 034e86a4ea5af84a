"""The T x T x lanes tile array: scores of a tile, or one slice of its context, from operand words."""

from itertools import product

from amaranth.hdl import Cat, Module, Mux, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.approximation.score_composer import ScoreComposer
from hdp_hw.rtl.array.dot_unit import DotUnit
from hdp_hw.rtl.array.operand_packer import OperandPacker
from hdp_hw.rtl.array.operand_select import OperandSelect
from hdp_hw.rtl.array.row_accumulator import RowAccumulator
from hdp_hw.rtl.array.sub_tile import SubTile
from hdp_hw.rtl.common.digits import less
from hdp_hw.rtl.common.layouts import row_layout, tile_layout
from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.spec.params import ArrayMode

VALUE_LATENCY = 1  #: clock cycles from the words to the operands of V: OperandSelect's, and the packer's to o_operands


class TileArray(wiring.Component):
    """T x T scores with their operand selection and accumulators; one micro-operation a cycle.

    ``multiplier`` = 0: a DotUnit of digit multipliers each score. INTEGER and CROSS cycles of a tile accumulate to
    S = (A << 2w) + ((IQ.FK^T + FQ.IK^T) << w), INTEGER alone to A << 2w.
    ``multiplier`` = 18: a SubTile of hardware multipliers each 2 x 2 scores. INTEGER cycles accumulate to A; no CROSS.
    FULL cycles accumulate to the exact Q.K^T; CONTEXT cycles accumulate one slice of P.V over the tiles of a row, and
    the sum of the V rows that took part.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        The operand fetch gives a micro-operation with all its operands.
    i_mode : In(unsigned(2))
        ArrayMode of the micro-operation of the next clock cycle: registers take it to every digit.
    i_phase : In(unsigned(2))
        Cycle of the tile, or slice of V, modulo 4, of the micro-operation of the next clock cycle.
    i_first : In(unsigned(1))
        With ``i_valid``: the first micro-operation of an accumulation.
    i_last : In(unsigned(1))
        With ``i_valid``: the last micro-operation of an accumulation.
    i_columns : In(unsigned(params.tile))
        CONTEXT: the keys of the tile that exist.
    i_q_integer : In(row_layout(data.ArrayLayout(signed(params.digit_width), params.lanes), params))
        With ``i_valid``: a word of the I plane of each query row; not used in CONTEXT.
    i_q_fraction : In(row_layout(data.ArrayLayout(signed(params.digit_width), params.lanes), params))
        With ``i_valid``: a word of the F plane of each query row; not used in INTEGER and CONTEXT.
    i_k_integer : In(row_layout(data.ArrayLayout(signed(params.digit_width), params.lanes), params))
        With ``i_valid``: a word of the I plane of each key; not used in CONTEXT.
    i_k_fraction : In(row_layout(data.ArrayLayout(signed(params.digit_width), params.lanes), params))
        With ``i_valid``: a word of the F plane of each key; not used in INTEGER and CONTEXT.
    i_value : In(row_layout(self.value_word, params))
        {0: F, 1: I} of each element of V.
    i_weight : In(tile_layout(data.ArrayLayout(signed(params.digit_width), 2), params))
        {0: F, 1: I} of each weight P, 0 for a key that does not exist.
    o_scores_valid : Out(unsigned(1))
        A tile's scores are complete, ``score_latency`` after its last micro-operation.
    o_scores : Out(tile_layout(signed(params.sum_width), params))
        With ``o_scores_valid``: the scores; of a tile of INTEGER alone, A << ``params.integer_shift``.
    o_context_valid : Out(unsigned(1))
        A slice of context is complete, ``context_latency`` after its last micro-operation.
    o_context : Out(row_layout(self.context_slice, params))
        A slice of P.V.
    o_value_sum : Out(data.ArrayLayout(signed(params.value_sum_width), params.slice_width))
        With ``o_context``: the sum of the V rows that took part.

    Timing
    ------
    One micro-operation per clock cycle, no back-pressure. Scores come ``score_latency`` clock cycles after the
    micro-operation with ``i_last``, context sums ``context_latency`` after it. A score and a context may be
    accumulated by turns.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.array.tile_array`` (integer_scores, scores, context, value_sums).
    """

    def __init__(self, params):
        self.params = params
        w, lanes = params.digit_width, params.lanes
        word = row_layout(data.ArrayLayout(signed(w), lanes), params)
        self.value_word = data.ArrayLayout(data.ArrayLayout(signed(w), 2), lanes // 2)
        self.context_slice = data.ArrayLayout(signed(params.context_width), params.slice_width)
        unit, n = (SubTile, params.tile // 2) if params.exact else (DotUnit, params.tile)
        self.units = [[unit(params) for _ in range(n)] for _ in range(n)]
        self.accumulators = [RowAccumulator(params, 4 * w, params.context_width) for _ in range(params.tile)]
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_mode": In(unsigned(2)),
                "i_phase": In(unsigned(2)),
                "i_first": In(unsigned(1)),
                "i_last": In(unsigned(1)),
                "i_columns": In(unsigned(params.tile)),
                "i_q_integer": In(word),
                "i_q_fraction": In(word),
                "i_k_integer": In(word),
                "i_k_fraction": In(word),
                "i_value": In(row_layout(self.value_word, params)),
                "i_weight": In(tile_layout(data.ArrayLayout(signed(w), 2), params)),
                "o_scores_valid": Out(unsigned(1)),
                "o_scores": Out(tile_layout(signed(params.sum_width), params)),
                "o_context_valid": Out(unsigned(1)),
                "o_context": Out(row_layout(self.context_slice, params)),
                "o_value_sum": Out(data.ArrayLayout(signed(params.value_sum_width), params.slice_width)),
            }
        )

    @property
    def score_latency(self):
        """Clock cycles from the last micro-operation of a tile to its scores."""
        if self.params.exact:
            return OperandPacker.latency + self.units[0][0].sum_latency + 1
        return OperandSelect.latency + self.units[0][0].latency + ScoreComposer.latency

    @property
    def elements_latency(self):
        """Clock cycles from a micro-operation of CONTEXT to its products."""
        return (OperandPacker if self.params.exact else OperandSelect).latency + self.units[0][0].elements_latency

    @property
    def context_latency(self):
        """Clock cycles from the last micro-operation of a slice to its context sums."""
        return self.elements_latency + self.accumulators[0].latency

    def elaborate(self, platform):
        m = Module()
        params, tile = self.params, self.params.tile
        mode = register(m, self.i_mode, "mode")
        context = self.i_valid & (mode == ArrayMode.CONTEXT)
        scores = self.i_valid & ~context
        elements, values = (self._sub_tiles if params.exact else self._dot_units)(m, mode, context, scores)
        m.d.comb += self.o_scores_valid.eq(delay(m, scores & self.i_last, self.score_latency, "scores_valid"))

        # Sums over the columns; those of the V rows themselves, for compensation, are ready earlier.
        bounds = Cat(context, self.i_first, self.i_last)
        bounds_at_values = delay(m, bounds, VALUE_LATENCY, "bounds_at_values")
        bounds_at_elements = delay(m, bounds_at_values, self.elements_latency - VALUE_LATENCY, "bounds")
        for r, accumulator in enumerate(self.accumulators):
            m.submodules[f"accumulator_{r}"] = accumulator
            m.d.comb += [accumulator.i_terms[c].eq(elements[r][c]) for c in range(tile)]
            m.d.comb += Cat(accumulator.i_valid, accumulator.i_first, accumulator.i_last).eq(bounds_at_elements)
            m.d.comb += self.o_context[r].eq(accumulator.o_sums)
        m.d.comb += self.o_context_valid.eq(accumulator.o_valid)

        m.submodules.values = total = RowAccumulator(params, params.operand_width, params.value_sum_width)
        columns = delay(m, self.i_columns, VALUE_LATENCY, "columns")
        for c in range(tile):
            m.d.comb += [total.i_terms[c][i].eq(Mux(columns[c], x, 0)) for i, x in enumerate(values[c])]
        late = delay(m, total.o_sums, self.elements_latency - VALUE_LATENCY, "value_sum", reset_less=True)
        m.d.comb += [
            Cat(total.i_valid, total.i_first, total.i_last).eq(bounds_at_values),
            self.o_value_sum.eq(late),
        ]
        return m

    def _dot_units(self, m, mode, context, scores):
        """``multiplier`` = 0: a dot unit and a score composer a score.

        Returns its products, [r][c][element], and the operands of V, [c][element], VALUE_LATENCY after their words.
        """
        w, tile = self.params.digit_width, self.params.tile
        left, right = self._operands(m, "left", "q"), self._operands(m, "right", "k")
        # Control, delayed to where it is used: at the digits, at the sums.
        at_digits = OperandSelect.latency
        fused = delay(m, (mode == ArrayMode.FULL) | context, at_digits, "fused")
        weight = delay(m, self.i_weight, at_digits, "weight", reset_less=True)
        control = Cat(scores, mode, self.i_first)
        before_sum = delay(m, control, at_digits + self.units[0][0].latency - 1, "control")

        elements = [[None] * tile for _ in range(tile)]
        for r in range(tile):
            for c in range(tile):
                m.submodules[f"unit_{r}_{c}"] = unit = self.units[r][c]
                m.submodules[f"composer_{r}_{c}"] = composer = ScoreComposer(self.params)
                context_here = delay(m, context, at_digits, f"context_{r}_{c}", local=True)
                control_here = delay(m, before_sum, 1, f"control_{r}_{c}", local=True)
                m.d.comb += [
                    unit.i_fused.eq(fused),
                    unit.i_context.eq(context_here),
                    unit.i_left.eq(left[r]),
                    unit.i_weight.eq(weight[r][c]),
                    unit.i_right.eq(right[c]),
                    Cat(composer.i_valid, composer.i_mode, composer.i_first).eq(control_here),
                    composer.i_sum.eq(unit.o_sum),
                    self.o_scores[r][c].eq(composer.o_s),
                ]
                elements[r][c] = unit.o_elements
        n = self.params.slice_width  # I and F of V stand in the first two quarters
        return elements, [[(right[c][i] << w) + right[c][n + i] for i in range(n)] for c in range(tile)]

    def _sub_tiles(self, m, mode, context, scores):
        """``multiplier`` = 18: a sub-tile each 2 x 2 scores; returns what :meth:`_dot_units` returns."""
        tile = self.params.tile
        left, right = ([self._packer(m, side, first) for first in range(0, tile, 2)] for side in ("left", "right"))
        before_sum = OperandPacker.latency + self.units[0][0].sum_latency - 2
        full = delay(m, mode == ArrayMode.FULL, before_sum, "full")
        control = delay(m, Cat(scores, self.i_first), before_sum + 1, "control")
        elements = [[None] * tile for _ in range(tile)]
        for (r, rows), (c, columns) in product(enumerate(left), enumerate(right)):
            m.submodules[f"sub_tile_{r}_{c}"] = unit = self.units[r][c]
            m.d.comb += [
                unit.i_left.eq(rows.o_packed),
                unit.i_right.eq(columns.o_packed),
                unit.i_full.eq(delay(m, full, 1, f"full_{r}_{c}", local=True)),
                Cat(unit.i_valid, unit.i_first).eq(delay(m, control, 1, f"control_{r}_{c}", local=True)),
            ]
            for i, j in product(range(2), repeat=2):
                fraction, integer = self.i_weight[2 * r + i][2 * c + j]
                weight = Mux(context, Cat(fraction, less(integer, fraction[-1]))[:-1], 0)  # it is not negative
                weight = delay(m, weight, OperandPacker.latency, f"weight_{2 * r + i}_{2 * c + j}", reset_less=True)
                m.d.comb += [
                    unit.i_weight[i][j].eq(weight),
                    self.o_scores[2 * r + i][2 * c + j].eq(unit.o_scores[i][j]),
                ]
                elements[2 * r + i][2 * c + j] = unit.o_elements[i][j]
        return elements, [columns.o_operands[j] for columns in right for j in range(2)]

    def _packer(self, m, side, first):
        """The packer of the rows (left) or columns (right) ``first`` and the next."""
        m.submodules[f"{side}_{first // 2}"] = packer = OperandPacker(self.params, side)
        operand = {"left": "q", "right": "k"}[side]
        m.d.comb += [packer.i_mode.eq(self.i_mode), packer.i_phase.eq(self.i_phase)]
        for index in range(2):
            m.d.comb += [
                packer.i_integer[index].eq(getattr(self, f"i_{operand}_integer")[first + index]),
                packer.i_fraction[index].eq(getattr(self, f"i_{operand}_fraction")[first + index]),
            ]
            if side == "right":
                m.d.comb += packer.i_value[index].eq(self.i_value[first + index])
        return packer

    def _operands(self, m, side, operand):
        """Digits of the T rows (left) or the T columns (right), one cycle after their words."""
        digits = []
        for index in range(self.params.tile):
            m.submodules[f"{side}_{index}"] = select = OperandSelect(self.params, side)
            steering = register(m, Cat(self.i_mode, self.i_phase), f"steering_{side}_{index}", local=True)
            m.d.comb += [
                Cat(select.i_mode, select.i_phase).eq(steering),
                select.i_integer.eq(getattr(self, f"i_{operand}_integer")[index]),
                select.i_fraction.eq(getattr(self, f"i_{operand}_fraction")[index]),
            ]
            if side == "right":
                m.d.comb += select.i_value.eq(self.i_value[index])
            digits.append(select.o_digits)
        return digits
