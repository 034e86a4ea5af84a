"""The T x T x lanes tile array: scores of a tile, or one slice of its context, from operand words."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.approximation.score_composer import ScoreComposer
from hdp_hw.rtl.array.dot_unit import DotUnit
from hdp_hw.rtl.array.operand_select import OperandSelect
from hdp_hw.rtl.array.packed_multiplier import PackedMultiplier
from hdp_hw.rtl.array.row_accumulator import RowAccumulator
from hdp_hw.rtl.common.layouts import row_layout, tile_layout
from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.spec.params import ArrayMode


class TileArray(wiring.Component):
    """T x T dot units with their operand selection and accumulators; one micro-operation a cycle.

    INTEGER and CROSS cycles of a tile accumulate to S = (A << 2w) + ((IQ.FK^T + FQ.IK^T) << w), FULL cycles to the
    exact Q.K^T; CONTEXT cycles accumulate one slice of P.V over the tiles of a row, and the sum of the V rows that
    took part.

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
    o_scores : Out(tile_layout(signed(params.s_width), params))
        With ``o_scores_valid``: the scores; of a tile of INTEGER alone, A times 2^2w.
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
        tile = range(params.tile)
        self.units = [[DotUnit(params) for _ in tile] for _ in tile]
        self.composers = [[ScoreComposer(params) for _ in tile] for _ in tile]
        self.accumulators = [RowAccumulator(params, 4 * w, params.context_width) for _ in tile]
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
                "o_scores": Out(tile_layout(signed(params.s_width), params)),
                "o_context_valid": Out(unsigned(1)),
                "o_context": Out(row_layout(self.context_slice, params)),
                "o_value_sum": Out(data.ArrayLayout(signed(params.value_sum_width), params.slice_width)),
            }
        )

    @property
    def score_latency(self):
        """Clock cycles from the last micro-operation of a tile to its scores."""
        return OperandSelect.latency + self.units[0][0].latency + ScoreComposer.latency

    @property
    def context_latency(self):
        """Clock cycles from the last micro-operation of a slice to its context sums."""
        return OperandSelect.latency + DotUnit.elements_latency + self.accumulators[0].latency

    def elaborate(self, platform):
        m = Module()
        params, tile = self.params, self.params.tile
        left, right = self._operands(m, "left", "q"), self._operands(m, "right", "k")

        # Control, delayed to where it is used: at the digits, at the elements, at the sums.
        at_digits = OperandSelect.latency
        mode = register(m, self.i_mode, "mode")
        context = self.i_valid & (mode == ArrayMode.CONTEXT)
        valid = delay(m, self.i_valid, at_digits, "valid")
        fused = delay(m, (mode == ArrayMode.FULL) | context, at_digits, "fused")
        weight = delay(m, self.i_weight, at_digits, "weight", reset_less=True)
        at_elements, at_sum = at_digits + DotUnit.elements_latency, at_digits + self.units[0][0].latency
        bounds_at_elements = delay(m, Cat(context, self.i_first, self.i_last), at_elements, "bounds")
        control = Cat(self.i_valid & ~context, mode, self.i_first, self.i_last)
        before_sum = delay(m, control, at_sum - 1, "control")

        elements = [[None] * tile for _ in range(tile)]
        for r in range(tile):
            for c in range(tile):
                m.submodules[f"unit_{r}_{c}"] = unit = self.units[r][c]
                m.submodules[f"composer_{r}_{c}"] = composer = self.composers[r][c]
                context_here = delay(m, context, at_digits, f"context_{r}_{c}", local=True)
                control_here = delay(m, before_sum, 1, f"control_{r}_{c}", local=True)
                m.d.comb += [
                    unit.i_valid.eq(valid),
                    unit.i_fused.eq(fused),
                    unit.i_context.eq(context_here),
                    unit.i_left.eq(left[r]),
                    unit.i_weight.eq(weight[r][c]),
                    unit.i_right.eq(right[c]),
                    Cat(composer.i_valid, composer.i_mode, composer.i_first, composer.i_last).eq(control_here),
                    composer.i_sum.eq(unit.o_sum),
                    self.o_scores[r][c].eq(composer.o_s),
                ]
                elements[r][c] = unit.o_elements
        m.d.comb += self.o_scores_valid.eq(composer.o_valid)

        # The last lanes, in DSPs: the units of two rows share the multiplications of a column.
        for r in range(0, tile, 2) if params.dsp_lanes else ():
            for c in range(tile):
                m.submodules[f"packed_{r}_{c}"] = packed = PackedMultiplier(params)
                m.d.comb += [packed.i_valid.eq(valid), packed.i_right.eq(right[c][params.logic_lanes :])]
                for row, left, product in zip(self.units[r : r + 2], packed.i_left, packed.o_product):
                    m.d.comb += [left.eq(row[c].o_left), row[c].i_product.eq(product)]

        for r, accumulator in enumerate(self.accumulators):
            m.submodules[f"accumulator_{r}"] = accumulator
            m.d.comb += [accumulator.i_terms[c].eq(elements[r][c]) for c in range(tile)]
            m.d.comb += Cat(accumulator.i_valid, accumulator.i_first, accumulator.i_last).eq(bounds_at_elements)
            m.d.comb += self.o_context[r].eq(accumulator.o_sums)
        m.d.comb += self.o_context_valid.eq(accumulator.o_valid)

        # The V rows of the tile themselves, for compensation: I and F stand in the first two quarters.
        m.submodules.values = values = RowAccumulator(params, params.operand_width, params.value_sum_width)
        columns = delay(m, self.i_columns, at_digits, "columns")
        for c in range(tile):
            for i in range(params.slice_width):
                integer, fraction = right[c][i], right[c][params.slice_width + i]
                value = Signal(signed(params.operand_width), name=f"value_{c}_{i}")
                m.d.comb += value.eq(Mux(columns[c], (integer << params.digit_width) + fraction, 0))
                aligned = delay(m, value, DotUnit.elements_latency, f"values_{c}_{i}", reset_less=True)
                m.d.comb += values.i_terms[c][i].eq(aligned)
        m.d.comb += [
            Cat(values.i_valid, values.i_first, values.i_last).eq(bounds_at_elements),
            self.o_value_sum.eq(values.o_sums),
        ]
        return m

    def _operands(self, m, side, operand):
        """Digits of the T rows (left) or the T columns (right), one cycle after their words."""
        digits = []
        for index in range(self.params.tile):
            m.submodules[f"{side}_{index}"] = select = OperandSelect(self.params, side)
            steering = register(m, Cat(self.i_mode, self.i_phase), f"steering_{side}_{index}", local=True)
            m.d.comb += [
                select.i_valid.eq(self.i_valid),
                Cat(select.i_mode, select.i_phase).eq(steering),
                select.i_integer.eq(getattr(self, f"i_{operand}_integer")[index]),
                select.i_fraction.eq(getattr(self, f"i_{operand}_fraction")[index]),
            ]
            if side == "right":
                m.d.comb += select.i_value.eq(self.i_value[index])
            digits.append(select.o_digits)
        return digits
