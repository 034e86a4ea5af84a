"""Every bench fails when a fault is planted in its block (and passes without, see the bench itself)."""

import pytest

from tb.lib.mutation import bench_notices

#: (file, text that occurs once in it, text in its place, the bench that must notice)
MUTATIONS = [
    ("hdp_hw/common/pipeline.py", "Cat(bits, stages)", "Cat(~bits, stages)", "tb.unit.test_pipeline"),
    ("hdp_hw/common/pipeline.py", "range(0, len(terms), 2)", "range(0, len(terms) - 1, 2)", "tb.unit.test_pipeline"),
    (
        "hdp_hw/approximation/compensator.py",
        "[constant - 3 :]",
        "[constant - 2 :]",
        "tb.unit.test_compensator",
    ),
    ("hdp_hw/approximation/exp2.py", "coarse[len(fine) :].any() | ", "", "tb.unit.test_exp2"),
    ("hdp_hw/approximation/multiply.py", "(a_low + b_low)", "a_low", "tb.unit.test_compensator"),
    (
        "hdp_hw/approximation/normaliser.py",
        "1 + self._product_latency, ",
        "self._product_latency, ",
        "tb.unit.test_normaliser",
    ),
    ("hdp_hw/approximation/reciprocal.py", "Mux(exists, s, self.width)", "s", "tb.unit.test_reciprocal"),
    ("hdp_hw/approximation/requantizer.py", "self._cut - 7", "self._cut - 6", "tb.unit.test_requantizer"),
    ("hdp_hw/approximation/score_composer.py", "Mux(first, 0, self.o_s)", "self.o_s", "tb.unit.test_score_composer"),
    ("hdp_hw/pruning/arithmetic.py", '{low}") << low', '{low}")', "tb.unit.test_coarse_logit"),
    (
        "hdp_hw/pruning/block_distance.py",
        "Mux(exp_elements[r][c], coarse_exp.o_exp[r][c], 0)",
        "coarse_exp.o_exp[r][c]",
        "tb.unit.test_block_distance",
    ),
    ("hdp_hw/pruning/block_importance.py", "Mux(valid, abs(a), 0)", "abs(a)", "tb.unit.test_block_importance"),
    (
        "hdp_hw/pruning/block_rules.py",
        "difference >= COARSE_MAX",
        "difference > COARSE_MAX",
        "tb.unit.test_block_rules",
    ),
    ("hdp_hw/pruning/coarse_exp.py", "logit > COARSE_MAX", "logit > COARSE_MAX + 1", "tb.unit.test_coarse_exp"),
    ("hdp_hw/pruning/coarse_log.py", "== 1, place, 0", ">= 1, place, 0", "tb.unit.test_coarse_log"),
    (
        "hdp_hw/pruning/coarse_logit.py",
        "low[0] & ~low[1:].all()",
        "low[0]",
        "tb.unit.test_coarse_logit",
    ),
    ("hdp_hw/pruning/head_verdict.py", "< least_theta", "<= least_theta", "tb.unit.test_head_verdict"),
    ("hdp_hw/pruning/mask_packer.py", "Mux(place == 0, 0, self.o_mask)", "self.o_mask", "tb.unit.test_mask_packer"),
    ("hdp_hw/pruning/predictor.py", "Mux(keep, 0, score_sum[r])", "score_sum[r]", "tb.unit.test_predictor"),
    (
        "hdp_hw/pruning/row_pacer.py",
        "Mux(description.last_row, 0, next_row + 1)",
        "next_row + 1",
        "tb.unit.test_row_pacer",
    ),
    (
        "hdp_hw/pruning/row_statistics.py",
        "Mux(self.i_elements[r][c], self.i_a[r][c], lowest)",
        "self.i_a[r][c]",
        "tb.unit.test_row_statistics",
    ),
    ("hdp_hw/pruning/row_threshold.py", ">= limit", "> limit", "tb.unit.test_row_threshold"),
    (
        "hdp_hw/array/digit_multiplier.py",
        "range(self.params.logic_lanes)",
        "range(self.params.logic_lanes - 1)",
        "tb.unit.test_digit_multiplier",
    ),
    (
        "hdp_hw/array/digit_splitter.py",
        "Mux(self.i_x[i] > self.params.digit_max, self.params.digit_max, self.i_x[i])",
        "self.i_x[i]",
        "tb.unit.test_digit_splitter",
    ),
    (
        "hdp_hw/array/dot_unit.py",
        "Mux(fused_again, inner << w, inner)",
        "Mux(fused, inner << w, inner)",
        "tb.unit.test_dot_unit",
    ),
    (
        "hdp_hw/array/operand_buffer.py",
        "en.eq(self.i_write[bank])",
        "en.eq(self.i_write[0])",
        "tb.unit.test_operand_buffer",
    ),
    ("hdp_hw/array/operand_select.py", '("FFII", "IFIF")', '("FFII", "IIFF")', "tb.unit.test_operand_select"),
    ("hdp_hw/array/packed_multiplier.py", " + y[2 * w - 1]", "", "tb.unit.test_packed_multiplier"),
    ("hdp_hw/array/row_accumulator.py", "Mux(first, 0, sums)", "sums", "tb.unit.test_row_accumulator"),
    (
        "hdp_hw/array/tile_array.py",
        "Mux(columns[c], (integer << params.digit_width) + fraction, 0)",
        "(integer << params.digit_width) + fraction",
        "tb.unit.test_tile_array",
    ),
    ("hdp_hw/core/drain.py", "total - Mux(without_tiles, 0, kept)", "total - kept", "tb.unit.test_drain"),
    (
        "hdp_hw/core/head_table.py",
        "Mux(self.i_row_blocks == 0, 1, self.i_row_blocks)",
        "self.i_row_blocks",
        "tb.unit.test_head_table",
    ),
    (
        "hdp_hw/core/plane_loader.py",
        "Mux(failed | (error != HeadError.NONE), 0, bank)",
        "Mux(failed, 0, bank)",
        "tb.unit.test_plane_loader",
    ),
    ("hdp_hw/core/pruned_means.py", "self.i_last_kept & self.i_n_k", "self.i_n_k", "tb.unit.test_pruned_means"),
    ("hdp_hw/core/row_queue.py", "leaves & ~after_used", "leaves & after_used", "tb.unit.test_row_queue"),
    ("hdp_hw/core/sequencer.py", "free.eq(~active | ends)", "free.eq(~active)", "tb.unit.test_sequencer"),
    (
        "hdp_hw/core/settings_check.py",
        "(settings.compensate | settings.mean_output)",
        "settings.compensate",
        "tb.unit.test_settings_check",
    ),
    (
        "hdp_hw/core/softmax_unit.py",
        "(difference < 0), 0, difference",
        "(difference < 0), difference, difference",
        "tb.unit.test_softmax_unit",
    ),
    ("hdp_hw/core/value_totals.py", "transparent_for=(write,)", "", "tb.unit.test_value_totals"),
    ("hdp_hw/pruning/block_rows.py", "Mux(blocks < 0, 0, blocks)", "blocks", "tb.unit.test_block_rows"),
    ("hdp_hw/pruning/geometry.py", "diagonal >= c - r", "diagonal > c - r", "tb.unit.test_geometry"),
    (
        "hdp_hw/pruning/survivor_list.py",
        "row.n_blocks <= free",
        "row.n_blocks < free",
        "tb.unit.test_survivor_list",
    ),
    ("hdp_hw/shell/burst_reader.py", "(free >= 2 * MAX_BURST_BEATS)", "(free >= 1)", "tb.unit.test_burst_reader"),
    (
        "hdp_hw/shell/core_lane.py",
        "writer.i_data.valid.eq(core.o.valid & ~core.o_status.valid)",
        "writer.i_data.valid.eq(core.o.valid)",
        "tb.unit.test_core_lane",
    ),
    ("hdp_hw/shell/counters.py", "counter.eq(total)", "counter.eq(total[:32])", "tb.unit.test_counters"),
    (
        "hdp_hw/shell/head_loader.py",
        "Mux(verdict == Verdict.PRUNED, settings.mean_output, settings.compensate | full)",
        "settings.compensate | full",
        "tb.unit.test_head_loader",
    ),
    (
        "hdp_hw/shell/job_engine.py",
        "kv_phase.eq(kv_phase - job.n_heads)",
        "kv_phase.eq(0)",
        "tb.unit.test_job_engine",
    ),
    ("hdp_hw/shell/mask_union.py", "transparent_for=(write,)", "", "tb.unit.test_mask_union"),
    ("hdp_hw/shell/plane_reader.py", "Mux(take, 0, part + 1)", "part + 1", "tb.unit.test_plane_reader"),
    (
        "hdp_hw/shell/read_arbiter.py",
        "r.valid & (identity.epoch == self.i_epoch)",
        "r.valid",
        "tb.unit.test_read_arbiter",
    ),
    (
        "hdp_hw/shell/row_writer.py",
        "strobes.eq((1 << min(held, params.bus_bytes)) - 1)",
        "strobes.eq((1 << params.bus_bytes) - 1)",
        "tb.unit.test_row_writer",
    ),
    (
        "hdp_hw/shell/segment_generator.py",
        "Mux(rows_left < params.tile, rows_left, params.tile)",
        "params.tile",
        "tb.unit.test_segment_generator",
    ),
    ("hdp_hw/shell/write_arbiter.py", "word.strb.eq(0)", "word.strb.eq(-1)", "tb.unit.test_write_arbiter"),
    (
        "hdp_hw/shell/axi_lite.py",
        "held[0] & held[-1] & ~answers",
        "held[0] & ~answers",
        "tb.unit.test_axi_lite",
    ),
    (
        "hdp_hw/shell/register_bank.py",
        "pending.as_value() & ~cleared.as_value() | self.i_events.as_value()",
        "(pending.as_value() | self.i_events.as_value()) & ~cleared.as_value()",
        "tb.unit.test_register_bank",
    ),
    ("hdp_hw/boards/uart_receiver.py", "self.divisor // 2 - 1", "self.divisor - 1", "tb.unit.test_uart_receiver"),
    (
        "hdp_hw/boards/uart_transmitter.py",
        "left.eq(FRAME_BITS)",
        "left.eq(FRAME_BITS - 1)",
        "tb.unit.test_uart_transmitter",
    ),
    ("hdp_hw/boards/frame_receiver.py", "match_detected & ~escaped", "match_detected", "tb.unit.test_frame_receiver"),
    ("hdp_hw/boards/frame_transmitter.py", "special & ~escaping", "special", "tb.unit.test_frame_transmitter"),
    ("hdp_hw/boards/host_link.py", "status.eq(done_status)", "status.eq(Status.OK)", "tb.unit.test_host_link"),
    (
        "hdp_hw/boards/axi_lite_manager.py",
        "port.wvalid.eq(access.p.write & ~outside)",
        "port.wvalid.eq(access.p.write)",
        "tb.unit.test_axi_lite_manager",
    ),
    (
        "hdp_hw/boards/board_memory.py",
        "reading & advance & ~host_reads",
        "reading & advance",
        "tb.unit.test_board_memory",
    ),
    ("hdp_hw/boards/board_demo.py", "result.error.eq(nowhere)", "result.error.eq(0)", "tb.unit.test_board_demo"),
]


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation[0].rpartition("/")[2].removesuffix(".py"))
def test_bench_notices(mutation, request):
    noticed, output = bench_notices(*mutation, request.node.callspec.id)
    print(output)
    assert noticed, "the bench passes, or fails for another reason than the planted fault"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('name="delayed"', 'name="late"', id="harmless"),
        pytest.param("return value", "return nothing", id="not to be built"),
    ],
)
def test_only_faults_are_noticed(old, new, request):
    noticed, output = bench_notices(
        "hdp_hw/common/pipeline.py", old, new, "tb.unit.test_pipeline", request.node.callspec.id.replace(" ", "_")
    )
    print(output)
    assert not noticed


def test_mutation_needs_one_place():
    with pytest.raises(ValueError, match=r"pipeline\.py has 0 occurrences of 'no such text'"):
        bench_notices("hdp_hw/common/pipeline.py", "no such text", "", "tb.unit.test_pipeline", "none")
