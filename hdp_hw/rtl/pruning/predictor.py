"""Prediction of a head: which of its blocks are kept, and whether it is worth computing at all."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import row_layout, settings_layout, tile_layout
from hdp_hw.rtl.common.pipeline import adder_tree, delay
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.pruning.arithmetic import log2
from hdp_hw.rtl.pruning.block_distance import BlockDistance
from hdp_hw.rtl.pruning.block_rules import BlockRules
from hdp_hw.rtl.pruning.coarse_log import z_width
from hdp_hw.rtl.pruning.head_verdict import HeadVerdict
from hdp_hw.rtl.pruning.mask_packer import MaskPacker
from hdp_hw.rtl.pruning.predictor_rows import (
    READ_LATENCY,
    block_position,
    findings_layout,
    memory_depth,
    read_memory,
    row_address,
    score_sums_layout,
    scores_layout,
    statistics_layout,
)
from hdp_hw.rtl.pruning.row_pacer import RowPacer, row_description_layout
from hdp_hw.rtl.pruning.row_statistics import RowStatistics, statistics_latency
from hdp_hw.rtl.pruning.row_threshold import RowThreshold
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.timing import (
    PREDICTOR_LATENCY_A,
    PREDICTOR_LATENCY_B,
    PREDICTOR_LATENCY_C,
    PREDICTOR_ROWS,
    ROW_CYCLES_MIN,
    tree_latency,
)


class Predictor(wiring.Component):
    """Mask, verdict and sums of the pruned scores of one head after another, from its integer scores.

    Three stages work on a block row each, one tile a clock cycle at most:

    - A, as tiles arrive: importance of each tile and the statistics of the row; the scores are stored.
    - B, when the row is complete: distance of each score from the largest of its query row, coarse exponentials and
      their sums Z, the nearest score of each query row of a tile, the row_threshold comparison; results are stored.
    - C, when Z is known: the decision on each tile, the mask, the sums of the pruned scores.

    Rules other than dense only.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_settings : In(settings_layout(params))
        Stable from a head's first tile until its ``o_done``.
    i_valid : In(unsigned(1))
        A tile; block rows from 0, in each the blocks from 0, at least one. Rows of a head do not get shorter. The next
        head's first tile comes after ``o_done``.
    i_a : In(tile_layout(signed(params.a_width), params))
        Integer scores.
    i_valid_elements : In(tile_layout(unsigned(1), params))
        With ``i_valid``: the tile's valid elements, from the result router.
    i_first : In(unsigned(1))
        First tile of its block row.
    i_last : In(unsigned(1))
        Last tile of its block row.
    i_last_row : In(unsigned(1))
        The tile belongs to the last block row of the head.
    i_column : In(unsigned(params.block_width))
        With ``i_valid``: the tile's block column.
    i_row : In(unsigned(params.block_width))
        With ``i_valid``: the tile's block row.
    o_row_done : Out(unsigned(1))
        Credit: stage B has read a row. At most ``PREDICTOR_ROWS`` rows may be between their first tile and their
        ``o_row_done``.
    o_mask_valid : Out(unsigned(1))
        A word of the mask.
    o_mask_row : Out(unsigned(params.block_width))
        With ``o_mask_valid``: the word's block row.
    o_mask_index : Out(unsigned(bits_for(params.mask_words - 1)))
        Index of the word in its row.
    o_mask : Out(unsigned(params.mask_word))
        Bit k is block column ``index * mask_word + k``; 0 beyond the row's last block.
    o_mask_last : Out(unsigned(1))
        Last word of the row.
    o_row_valid : Out(unsigned(1))
        A block row is decided. The next four are valid in that clock cycle.
    o_row : Out(unsigned(params.block_width))
        With ``o_row_valid``: the block row.
    o_pruned_sum : Out(row_layout(signed(params.row_sum_width), params))
        Sum of A over each query row's valid elements in pruned tiles.
    o_n_kept_tiles : Out(unsigned(params.n_blocks_width))
        Kept tiles of the row.
    o_last_kept : Out(unsigned(1))
        The row's last tile was kept.
    o_done : Out(unsigned(1))
        The head is decided. The next four are valid in that clock cycle.
    o_verdict : Out(unsigned(3))
        With ``o_done``: a Verdict.
    o_n_kept : Out(unsigned(params.count_width))
        With ``o_done``: blocks of the head that are kept.
    o_n_visited : Out(unsigned(params.count_width))
        With ``o_done``: blocks of the head that were visited.
    o_theta_head : Out(unsigned(params.theta_head_width))
        With ``o_done``: the head's importance.

    Timing
    ------
    With ``turn(b) = max(tiles of row b, ROW_CYCLES_MIN)``, stage B reads row b from clock cycle
    ``B(b) = max(last tile of row b + PREDICTOR_LATENCY_A, B(b-1) + turn(b-1))`` on; ``o_row_done`` comes at
    ``B(b) + tiles(b)``, stage C starts at ``C(b) = B(b) + turn(b) + PREDICTOR_LATENCY_B``, and ``o_done`` comes at
    ``C(b) + tiles(b) + PREDICTOR_LATENCY_C``, b the last row. One tile a clock cycle, no back-pressure but the credits.

    Numerics
    --------
    Exact. Golden twins ``golden.bits.pruning.block_rules``, ``golden.bits.pruning.head_verdict``,
    ``golden.cycles.pruning.predictor``.
    """

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_settings": In(settings_layout(params)),
                "i_valid": In(unsigned(1)),
                "i_a": In(tile_layout(signed(params.a_width), params)),
                "i_valid_elements": In(tile_layout(unsigned(1), params)),
                "i_first": In(unsigned(1)),
                "i_last": In(unsigned(1)),
                "i_last_row": In(unsigned(1)),
                "i_column": In(unsigned(params.block_width)),
                "i_row": In(unsigned(params.block_width)),
                "o_row_done": Out(unsigned(1)),
                "o_mask_valid": Out(unsigned(1)),
                "o_mask_row": Out(unsigned(params.block_width)),
                "o_mask_index": Out(unsigned(bits_for(params.mask_words - 1))),
                "o_mask": Out(unsigned(params.mask_word)),
                "o_mask_last": Out(unsigned(1)),
                "o_row_valid": Out(unsigned(1)),
                "o_row": Out(unsigned(params.block_width)),
                "o_pruned_sum": Out(row_layout(signed(params.row_sum_width), params)),
                "o_n_kept_tiles": Out(unsigned(params.n_blocks_width)),
                "o_last_kept": Out(unsigned(1)),
                "o_done": Out(unsigned(1)),
                "o_verdict": Out(unsigned(3)),
                "o_n_kept": Out(unsigned(params.count_width)),
                "o_n_visited": Out(unsigned(params.count_width)),
                "o_theta_head": Out(unsigned(params.theta_head_width)),
            }
        )

    @property
    def latency_a(self):
        """Clock cycles from a row's last tile to the first read of an idle stage B, without padding."""
        return statistics_latency(self.params) + RowPacer.latency

    @property
    def latency_b(self):
        """Clock cycles from the end of a row's turn in stage B to the first read of stage C.

        Z of a row without idle clock cycles in its turn is complete ``READ_LATENCY + BlockDistance.latency + 1`` clock
        cycles after its last read. The limits take effect when stage C has read the row's first tile: no later, and
        no earlier, since the previous row may just have left.
        """
        return READ_LATENCY + BlockDistance.latency + BlockRules.row_latency - READ_LATENCY

    @property
    def latency_c(self):
        """Clock cycles from the cycle after the last read of stage C to ``o_done``."""
        return READ_LATENCY + BlockRules.latency + HeadVerdict.latency

    def elaborate(self, platform):
        m = Module()
        assert self.latency_a <= PREDICTOR_LATENCY_A
        assert self.latency_b == PREDICTOR_LATENCY_B
        assert self.latency_c == PREDICTOR_LATENCY_C
        m.submodules.pacer_b = pacer_b = RowPacer(self.params)
        m.submodules.pacer_c = pacer_c = RowPacer(self.params)
        m.submodules.head_verdict = head_verdict = HeadVerdict(self.params)
        m.d.comb += head_verdict.i_settings.eq(self.i_settings)

        scores, thetas, statistics = self._stage_a(m, pacer_b, head_verdict)
        block_rules, findings, score_sums = self._stage_b(m, pacer_b, pacer_c, scores, thetas, statistics)
        self._stage_c(m, pacer_c, block_rules, findings, score_sums, head_verdict)
        return m

    def _stage_a(self, m, pacer_b, head_verdict):
        """Stores the arriving scores, gathers the row's statistics and the head's totals; returns the memories."""
        params = self.params
        m.submodules.row_statistics = row_statistics = RowStatistics(params)
        depth = memory_depth(params, PREDICTOR_ROWS)
        m.submodules.scores = scores = separate_memory(scores_layout(params), depth)
        m.submodules.thetas = thetas = separate_memory(params.theta_width, depth)
        m.submodules.statistics = statistics = separate_memory(statistics_layout(params), PREDICTOR_ROWS)

        # What is written is written when it is known: the scores at once, importances and statistics later. The last
        # tile describes its row.
        tile = Signal(row_description_layout(params))
        write = scores.write_port()
        m.d.comb += [
            tile.row.eq(self.i_row),
            tile.last_column.eq(self.i_column),
            tile.last_row.eq(self.i_last_row),
            write.en.eq(self.i_valid),
            write.addr.eq(row_address(tile.row, tile.last_column, PREDICTOR_ROWS)),
            write.data.a.eq(self.i_a),
            write.data.elements.eq(self.i_valid_elements),
            row_statistics.i_valid.eq(self.i_valid),
            row_statistics.i_first.eq(self.i_first),
            row_statistics.i_last.eq(self.i_last),
            row_statistics.i_a.eq(self.i_a),
            row_statistics.i_elements.eq(self.i_valid_elements),
        ]
        tile = delay(m, tile, row_statistics.tile_latency, "tile")
        write = thetas.write_port()
        m.d.comb += [
            write.en.eq(row_statistics.o_tile_valid),
            write.addr.eq(row_address(tile.row, tile.last_column, PREDICTOR_ROWS)),
            write.data.eq(row_statistics.o_theta),
        ]
        row = delay(m, tile, row_statistics.latency - row_statistics.tile_latency, "row")
        write = statistics.write_port()
        m.d.comb += [
            write.en.eq(row_statistics.o_valid),
            write.addr.eq(row.row[: log2(PREDICTOR_ROWS)]),
            write.data.row_max.eq(row_statistics.o_row_max),
            write.data.theta_max.eq(row_statistics.o_theta_max),
            write.data.theta_min.eq(row_statistics.o_theta_min),
            write.data.theta_sum.eq(row_statistics.o_theta_sum),
            write.data.n_b.eq(row_statistics.o_n_b),
        ]

        # Totals of the head, which its first row starts anew.
        n_valid = Signal(bits_for(params.max_seq_len**2))
        with m.If(row_statistics.o_valid):
            for total, addend in (
                (self.o_theta_head, row_statistics.o_theta_sum),
                (n_valid, row_statistics.o_n_valid),
                (self.o_n_visited, row.last_column + 1),
            ):
                m.d.sync += total.eq(Mux(row.row == 0, 0, total) + addend)
        m.d.comb += [
            head_verdict.i_totals_valid.eq(delay(m, row_statistics.o_valid & row.last_row, 1, "totals_valid")),
            head_verdict.i_theta_head.eq(self.o_theta_head),
            head_verdict.i_n_valid.eq(n_valid),
            head_verdict.i_n_visited.eq(self.o_n_visited),
        ]

        padding = PREDICTOR_LATENCY_A - self.latency_a
        m.d.comb += [
            pacer_b.i_valid.eq(delay(m, row_statistics.o_valid, padding, "row_valid")),
            pacer_b.i.eq(delay(m, row, padding, "row_padded")),
        ]
        return scores, thetas, statistics

    def _stage_b(self, m, pacer_b, pacer_c, scores, thetas, statistics):
        """Finds distances, Z and threshold comparisons of a complete row; returns the rules and the memories."""
        params = self.params
        m.submodules.block_distance = block_distance = BlockDistance(params)
        m.submodules.row_threshold = row_threshold = RowThreshold(params)
        m.submodules.block_rules = block_rules = BlockRules(params)
        # Two rows suffice. Counted from the earliest start of row b + 1 in B, C reads the first column of row b
        # PREDICTOR_LATENCY_B later; row b + 2 overwrites it a turn and READ_LATENCY later, or more.
        assert ROW_CYCLES_MIN + READ_LATENCY > PREDICTOR_LATENCY_B
        depth = memory_depth(params, 2)
        m.submodules.findings = findings = separate_memory(findings_layout(params), depth)
        m.submodules.score_sums = score_sums = separate_memory(score_sums_layout(params), depth)

        # Read the tile and its row's statistics.
        tile = block_position(m, pacer_b, READ_LATENCY, "b")
        address = row_address(pacer_b.o.row, pacer_b.o_column, PREDICTOR_ROWS)
        score_tile = read_memory(m, scores, address, "score_tile")
        theta = read_memory(m, thetas, address, "theta")
        row = read_memory(m, statistics, pacer_b.o.row[: log2(PREDICTOR_ROWS)], "row_statistics")
        m.d.sync += self.o_row_done.eq(pacer_b.o_last)

        # Sums of each query row's valid scores, ready first, are stored first.
        sum_tile = delay(m, tile, tree_latency(params.tile), "sum_tile")
        write = score_sums.write_port()
        m.d.comb += [
            write.en.eq(sum_tile.valid),
            write.addr.eq(row_address(sum_tile.row, sum_tile.column, 2)),
        ]
        for r in range(params.tile):
            terms = [Mux(score_tile.elements[r][c], score_tile.a[r][c], 0) for c in range(params.tile)]
            m.d.comb += write.data[r].eq(adder_tree(m, terms, name=f"score_sum_{r}"))

        m.d.comb += [
            block_distance.i_settings.eq(self.i_settings),
            block_distance.i_valid.eq(tile.valid),
            block_distance.i_a.eq(score_tile.a),
            block_distance.i_elements.eq(score_tile.elements),
            block_distance.i_row_max.eq(row.row_max),
            row_threshold.i_settings.eq(self.i_settings),
            row_threshold.i_valid.eq(tile.valid),
            row_threshold.i_row.eq(tile.row),
            row_threshold.i_column.eq(tile.column),
            row_threshold.i_exists.eq(score_tile.elements.as_value().any()),
            row_threshold.i_theta.eq(theta),
            row_threshold.i_theta_max.eq(row.theta_max),
            row_threshold.i_theta_min.eq(row.theta_min),
            row_threshold.i_theta_sum.eq(row.theta_sum),
            row_threshold.i_n_b.eq(row.n_b),
        ]
        tile = delay(m, tile, block_distance.latency, "distance_tile")
        above = delay(m, row_threshold.o_keep, block_distance.latency - row_threshold.latency, "above")
        write = findings.write_port()
        m.d.comb += [
            write.en.eq(tile.valid),
            write.addr.eq(row_address(tile.row, tile.column, 2)),
            write.data.distance.eq(block_distance.o_distance),
            write.data.above.eq(above),
        ]
        z = Signal(row_layout(unsigned(z_width(params)), params))
        with m.If(tile.valid):
            for r in range(params.tile):
                m.d.sync += z[r].eq(Mux(tile.first, 0, z[r]) + block_distance.o_exp_sum[r])
        m.d.comb += [
            block_rules.i_settings.eq(self.i_settings),
            block_rules.i_row_valid.eq(delay(m, tile.last, 1, "z_valid")),
            block_rules.i_z.eq(z),
        ]

        # The row's turn in stage C begins a fixed time after this one has ended; its description waits until then.
        with m.If(pacer_b.o_end):
            m.d.sync += pacer_c.i.eq(pacer_b.o)
        assert ROW_CYCLES_MIN > PREDICTOR_LATENCY_B
        until_c = PREDICTOR_LATENCY_B + 1 - pacer_c.latency
        m.d.comb += pacer_c.i_valid.eq(delay(m, pacer_b.o_end, until_c, "turn_ended"))
        return block_rules, findings, score_sums

    def _stage_c(self, m, pacer_c, block_rules, findings, score_sums, head_verdict):
        """Decides on the tiles of a row; mask, counts, sums of pruned scores, and after the last row the verdict."""
        params = self.params
        m.submodules.mask_packer = mask_packer = MaskPacker(params)
        address = row_address(pacer_c.o.row, pacer_c.o_column, 2)
        finding = read_memory(m, findings, address, "finding")
        score_sum = read_memory(m, score_sums, address, "tile_sum")
        tile = block_position(m, pacer_c, READ_LATENCY, "c")
        m.d.comb += [
            block_rules.i_valid.eq(tile.valid),
            block_rules.i_distance.eq(finding.distance),
            block_rules.i_above.eq(finding.above),
        ]

        tile = delay(m, tile, block_rules.latency, "decided_tile")
        score_sum = delay(m, score_sum, block_rules.latency, "decided_sum")
        keep = block_rules.o_keep
        with m.If(tile.valid):
            for r in range(params.tile):
                pruned = Mux(keep, 0, score_sum[r])
                m.d.sync += self.o_pruned_sum[r].eq(Mux(tile.first, 0, self.o_pruned_sum[r]) + pruned)
            m.d.sync += [
                self.o_row.eq(tile.row),
                self.o_n_kept_tiles.eq(Mux(tile.first, 0, self.o_n_kept_tiles) + keep),
                self.o_last_kept.eq(keep),
                self.o_n_kept.eq(Mux(tile.first & (tile.row == 0), 0, self.o_n_kept) + keep),
            ]
        m.d.sync += self.o_row_valid.eq(tile.last)

        m.d.comb += [
            mask_packer.i_valid.eq(tile.valid),
            mask_packer.i_row.eq(tile.row),
            mask_packer.i_column.eq(tile.column),
            mask_packer.i_keep.eq(keep),
            mask_packer.i_last.eq(tile.last),
            self.o_mask_valid.eq(mask_packer.o_valid),
            self.o_mask_row.eq(mask_packer.o_row),
            self.o_mask_index.eq(mask_packer.o_index),
            self.o_mask.eq(mask_packer.o_mask),
            self.o_mask_last.eq(mask_packer.o_last),
        ]

        # The totals were complete before the last row's turns in stages B and C.
        assert ROW_CYCLES_MIN + PREDICTOR_LATENCY_B >= head_verdict.totals_latency
        m.d.comb += [
            head_verdict.i_valid.eq(delay(m, tile.last & tile.last_row, 1, "head_valid")),
            head_verdict.i_n_kept.eq(self.o_n_kept),
            self.o_done.eq(head_verdict.o_valid),
            self.o_verdict.eq(head_verdict.o_verdict),
        ]
