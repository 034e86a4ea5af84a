"""Every bench fails when a fault is planted in its block (and passes without, see the bench itself)."""

import pytest

from tb.lib.mutation import ROOT, bench_notices

#: (file, text that occurs once in it, text in its place, the bench that must notice)
MUTATIONS = [
    ("hdp_hw/rtl/common/pipeline.py", "Cat(bits, stages)", "Cat(~bits, stages)", "tb.unit.common.test_pipeline"),
    (
        "hdp_hw/rtl/common/pipeline.py",
        "range(0, len(terms), 2)",
        "range(0, len(terms) - 1, 2)",
        "tb.unit.common.test_pipeline",
    ),
    ("hdp_hw/rtl/common/pipeline.py", "if largest else", "if not largest else", "tb.unit.pruning.test_row_statistics"),
    ("hdp_hw/rtl/common/multiply.py", "(a_low + b_low)", "a_low", "tb.unit.approximation.test_compensator"),
    (
        "hdp_hw/rtl/common/queue.py",
        "self.i.ready.eq(held.w_rdy)",
        "self.i.ready.eq(held.w_rdy | held.r_en)",
        "tb.unit.common.test_queue",
    ),
    (
        "hdp_hw/rtl/approximation/compensator.py",
        "[constant - 3 :]",
        "[constant - 2 :]",
        "tb.unit.approximation.test_compensator",
    ),
    ("hdp_hw/rtl/approximation/exp2.py", "coarse[len(fine) :].any() | ", "", "tb.unit.approximation.test_exp2"),
    (
        "hdp_hw/rtl/approximation/normaliser.py",
        "return self._at_requantizers - self._product_latencies[1] - 1",
        "return self._at_requantizers - self._product_latencies[1]",
        "tb.unit.approximation.test_normaliser",
    ),
    (
        "hdp_hw/rtl/approximation/reciprocal.py",
        "Mux(exists, s, self.width)",
        "s",
        "tb.unit.approximation.test_reciprocal",
    ),
    (
        "hdp_hw/rtl/approximation/requantizer.py",
        "self._cut - 7",
        "self._cut - 6",
        "tb.unit.approximation.test_requantizer",
    ),
    (
        "hdp_hw/rtl/approximation/score_composer.py",
        "Mux(first, 0, self.o_s)",
        "self.o_s",
        "tb.unit.approximation.test_score_composer",
    ),
    (
        "hdp_hw/rtl/encoder/epilogue.py",
        "delay(m, self.i_factor, 8,",
        "delay(m, self.i_factor, 7,",
        "tb.unit.encoder.test_epilogue",
    ),
    (
        "hdp_hw/rtl/encoder/inverse_root.py",
        "self.o_e == ROOT_WINDOW // 2)",
        "self.o_e == ROOT_WINDOW // 2 - 1)",
        "tb.unit.encoder.test_inverse_root",
    ),
    (
        "hdp_hw/rtl/encoder/norm.py",
        "HIGHEST_SHIFT - log2_n - e",
        "HIGHEST_SHIFT - e",
        "tb.unit.encoder.test_norm",
    ),
    (
        "hdp_hw/rtl/encoder/row_moments.py",
        "Mux(self.i_rms, 0, self.i_total)",
        "self.i_total",
        "tb.unit.encoder.test_row_moments",
    ),
    (
        "hdp_hw/rtl/encoder/rounding.py",
        "-OPERAND_MAX, OPERAND_MAX, name",
        "-OPERAND_MAX - 1, OPERAND_MAX, name",
        "tb.unit.encoder.test_epilogue",
    ),
    ("hdp_hw/rtl/pruning/arithmetic.py", "Mux(rest[0], held, 0)", "held", "tb.unit.pruning.test_row_threshold"),
    (
        "hdp_hw/rtl/pruning/block_distance.py",
        "Mux(is_margin, 1, self.i_settings.kappa)",
        "self.i_settings.kappa",
        "tb.unit.pruning.test_block_distance",
    ),
    (
        "hdp_hw/rtl/pruning/block_importance.py",
        "Mux(valid, abs(a), 0)",
        "abs(a)",
        "tb.unit.pruning.test_block_importance",
    ),
    (
        "hdp_hw/rtl/pruning/block_rules.py",
        "differences[r] >= COARSE_MAX",
        "differences[r] > COARSE_MAX",
        "tb.unit.pruning.test_block_rules",
    ),
    (
        "hdp_hw/rtl/pruning/coarse_exp.py",
        "logit > COARSE_MAX",
        "logit > COARSE_MAX + 1",
        "tb.unit.pruning.test_coarse_exp",
    ),
    ("hdp_hw/rtl/pruning/coarse_log.py", "== 1, place, 0", ">= 1, place, 0", "tb.unit.pruning.test_coarse_log"),
    (
        "hdp_hw/rtl/pruning/coarse_logit.py",
        "low[0] & ~low[1:].all()",
        "low[0]",
        "tb.unit.pruning.test_coarse_logit",
    ),
    ("hdp_hw/rtl/pruning/head_verdict.py", "< least_theta", "<= least_theta", "tb.unit.pruning.test_head_verdict"),
    (
        "hdp_hw/rtl/pruning/mask_packer.py",
        "Mux(place == 0, 0, self.o_mask)",
        "self.o_mask",
        "tb.unit.pruning.test_mask_packer",
    ),
    ("hdp_hw/rtl/pruning/predictor.py", "Mux(keep, 0, score_sum[r])", "score_sum[r]", "tb.unit.pruning.test_predictor"),
    (
        "hdp_hw/rtl/pruning/row_pacer.py",
        "Mux(description.last_row, 0, next_row + 1)",
        "next_row + 1",
        "tb.unit.pruning.test_row_pacer",
    ),
    (
        "hdp_hw/rtl/pruning/row_statistics.py",
        "Mux(self.i_elements[r][c], self.i_a[r][c], lowest)",
        "self.i_a[r][c]",
        "tb.unit.pruning.test_row_statistics",
    ),
    (
        "hdp_hw/rtl/pruning/row_threshold.py",
        "self.i_theta_sum | (self.i_n_b == 0)",
        "self.i_theta_sum",
        "tb.unit.pruning.test_row_threshold",
    ),
    (
        "hdp_hw/rtl/array/digit_multiplier.py",
        "range(self.params.lanes)",
        "range(self.params.lanes - 1)",
        "tb.unit.array.test_digit_multiplier",
    ),
    (
        "hdp_hw/rtl/array/digit_splitter.py",
        "| ((above == (1 << w) + 1) & ~operand[: w - 1].any())",
        "",
        "tb.unit.array.test_digit_splitter",
    ),
    (
        "hdp_hw/rtl/array/dot_unit.py",
        "Mux(fused_again, inner << w, inner)",
        "Mux(fused, inner << w, inner)",
        "tb.unit.array.test_dot_unit",
    ),
    (
        "hdp_hw/rtl/array/operand_buffer.py",
        "en.eq(self.i_write[bank])",
        "en.eq(self.i_write[0])",
        "tb.unit.array.test_operand_buffer",
    ),
    ("hdp_hw/rtl/array/operand_select.py", '("FFII", "IFIF")', '("FFII", "IIFF")', "tb.unit.array.test_operand_select"),
    ("hdp_hw/rtl/array/operand_packer.py", "less(second, first[-1])", "second", "tb.unit.array.test_operand_packer"),
    (
        "hdp_hw/rtl/core/plane_store.py",
        "digit[0] | (digit == 1 << (w - 1))",
        "digit[0]",
        "tb.unit.core.test_plane_store",
    ),
    ("hdp_hw/rtl/array/sub_tile.py", "carry & ~self.i_full", "carry", "tb.unit.array.test_sub_tile"),
    ("hdp_hw/rtl/array/row_accumulator.py", "Mux(first, 0, sums)", "sums", "tb.unit.array.test_row_accumulator"),
    (
        "hdp_hw/rtl/array/tile_array.py",
        "Mux(columns[c], x, 0)",
        "x",
        "tb.unit.array.test_tile_array",
    ),
    (
        "hdp_hw/rtl/core/activity_counters.py",
        "(self.i_valid & (self.i_mode == mode))",
        "(self.i_mode == mode)",
        "tb.unit.core.test_activity_counters",
    ),
    (
        "hdp_hw/rtl/core/attention_core.py",
        '("head", "blocks", "tiles")',
        '("head", "blocks")',
        "tb.system.test_attention_core",
    ),
    (
        "hdp_hw/rtl/core/execute_control.py",
        "settings.compensate & ~full",
        "settings.compensate",
        "tb.unit.core.test_execute_control",
    ),
    (
        "hdp_hw/rtl/core/head_cursor.py",
        "self.i_ready & ~self.o_left",
        "self.i_ready",
        "tb.unit.core.test_head_cursor",
    ),
    ("hdp_hw/rtl/core/operand_fetch.py", "op.cycle >> 2", "op.cycle >> 1", "tb.unit.core.test_operand_fetch"),
    (
        "hdp_hw/rtl/core/plane_store.py",
        "room = (rooms & cursor.o_place).any()",
        "room = 1",
        "tb.unit.core.test_plane_store",
    ),
    ("hdp_hw/rtl/core/predict_control.py", "~in_flight[-1]", "~in_flight[-2]", "tb.unit.core.test_predict_control"),
    (
        "hdp_hw/rtl/core/result_router.py",
        "self.i_scores_valid & ~tile.predict",
        "self.i_scores_valid",
        "tb.unit.core.test_result_router",
    ),
    (
        "hdp_hw/rtl/core/row_pipeline.py",
        "m, finished[0], context.o",
        "m, 1, context.o",
        "tb.unit.core.test_row_pipeline",
    ),
    (
        "hdp_hw/rtl/core/drain.py",
        "Mux(without_tiles, 0, part_of_kept[lane])",
        "part_of_kept[lane]",
        "tb.unit.core.test_drain",
    ),
    ("hdp_hw/rtl/core/drain.py", "active & ~places[-1]", "active", "tb.unit.core.test_drain"),
    (
        "hdp_hw/rtl/core/head_table.py",
        "Mux(self.i_row_blocks == 0, 1, self.i_row_blocks)",
        "self.i_row_blocks",
        "tb.unit.core.test_head_table",
    ),
    (
        "hdp_hw/rtl/core/head_table.py",
        "~reused)) | ~self.o_used.any()",
        "~reused)) | ~self.o_used[0]",
        "tb.unit.core.test_head_table",
    ),
    ("hdp_hw/rtl/core/linear_drain.py", "~job.error, job.n_tiles", "~job.error, 0", "tb.unit.core.test_linear_drain"),
    (
        "hdp_hw/rtl/core/plane_loader.py",
        "Mux(failed | (error != HeadError.NONE), 0, bank)",
        "Mux(failed, 0, bank)",
        "tb.unit.core.test_plane_loader",
    ),
    (
        "hdp_hw/rtl/core/pruned_means.py",
        "self.i_last_kept & self.i_n_k",
        "self.i_n_k",
        "tb.unit.core.test_pruned_means",
    ),
    ("hdp_hw/rtl/core/row_queue.py", "leaves | ~used[0]", "leaves", "tb.unit.core.test_row_queue"),
    ("hdp_hw/rtl/core/sequencer.py", "~yields | ~(wanted", "~(wanted", "tb.unit.core.test_sequencer"),
    ("hdp_hw/rtl/core/sequencer.py", "short & (begun.wait == 0)", "short", "tb.unit.core.test_sequencer"),
    (
        "hdp_hw/rtl/core/settings_check.py",
        "(settings.compensate | settings.mean_output)",
        "settings.compensate",
        "tb.unit.core.test_settings_check",
    ),
    (
        "hdp_hw/rtl/core/settings_check.py",
        "(n > 1 << (params.bank_bits - bits - 1))",
        "(n >= 1 << (params.bank_bits - bits - 1))",
        "tb.unit.core.test_settings_check",
    ),
    ("hdp_hw/rtl/array/operand_buffer.py", "(row | word)", "(row ^ block)", "tb.unit.array.test_operand_buffer"),
    (
        "hdp_hw/rtl/core/softmax_unit.py",
        "& (difference < 0)",
        "& 0",
        "tb.unit.core.test_softmax_unit",
    ),
    ("hdp_hw/rtl/core/value_totals.py", "valid & (address == place)", "0", "tb.unit.core.test_value_totals"),
    ("hdp_hw/rtl/pruning/block_rows.py", "Mux(blocks < 0, 0, blocks)", "blocks", "tb.unit.pruning.test_block_rows"),
    ("hdp_hw/rtl/pruning/geometry.py", "diagonal >= c - r", "diagonal > c - r", "tb.unit.pruning.test_geometry"),
    (
        "hdp_hw/rtl/pruning/survivor_list.py",
        "row.n_blocks <= free",
        "row.n_blocks < free",
        "tb.unit.pruning.test_survivor_list",
    ),
    (
        "hdp_hw/rtl/shell/burst_reader.py",
        "(free >= 2 * MAX_BURST_BEATS)",
        "(free >= 1)",
        "tb.unit.shell.test_burst_reader",
    ),
    (
        "hdp_hw/rtl/shell/core_lane.py",
        "beats_to.valid.eq(core.o.valid & ~core.o_status.valid)",
        "beats_to.valid.eq(core.o.valid)",
        "tb.unit.shell.test_core_lane",
    ),
    ("hdp_hw/rtl/shell/counters.py", "counter.eq(total)", "counter.eq(total[:32])", "tb.unit.shell.test_counters"),
    (
        "hdp_hw/rtl/shell/head_loader.py",
        "Mux(verdict == Verdict.PRUNED, settings.mean_output, settings.compensate | full)",
        "settings.compensate | full",
        "tb.unit.shell.test_head_loader",
    ),
    (
        "hdp_hw/rtl/shell/hdp_top.py",
        '"bytes_read": read,',
        '"bytes_read": engine.o_bytes_read,',
        "tb.system.test_hdp_top",
    ),
    (
        "hdp_hw/rtl/shell/job_engine.py",
        "kv_phase.eq(kv_phase - job.n_heads)",
        "kv_phase.eq(0)",
        "tb.unit.shell.test_job_engine",
    ),
    (
        "hdp_hw/rtl/shell/plane_splitter.py",
        "Mux(odd, low, plane), Mux(odd, plane, 0)",
        "Mux(odd, low, plane), plane",
        "tb.unit.shell.test_plane_splitter",
    ),
    (
        "hdp_hw/rtl/shell/norm_lane.py",
        "taken & (last | place.all())",
        "taken & place.all()",
        "tb.unit.shell.test_norm_lane",
    ),
    (
        "hdp_hw/rtl/shell/norm_packer.py",
        "(words_ended | (word_ends & last)) & ~ends",
        "0",
        "tb.unit.shell.test_norm_packer",
    ),
    ("hdp_hw/rtl/shell/mask_union.py", "transparent_for=(write,)", "", "tb.unit.shell.test_mask_union"),
    ("hdp_hw/rtl/shell/plane_reader.py", "Mux(take, 0, part + 1)", "part + 1", "tb.unit.shell.test_plane_reader"),
    (
        "hdp_hw/rtl/shell/read_arbiter.py",
        "r.valid & (identity.epoch == self.i_epoch)",
        "r.valid",
        "tb.unit.shell.test_read_arbiter",
    ),
    (
        "hdp_hw/rtl/shell/row_writer.py",
        "strobes.eq((1 << min(held, params.bus_bytes)) - 1)",
        "strobes.eq((1 << params.bus_bytes) - 1)",
        "tb.unit.shell.test_row_writer",
    ),
    (
        "hdp_hw/rtl/shell/segment_generator.py",
        "Mux(rows_left < params.tile, rows_left, params.tile)",
        "params.tile",
        "tb.unit.shell.test_segment_generator",
    ),
    ("hdp_hw/rtl/shell/write_arbiter.py", "word.strb.eq(0)", "word.strb.eq(-1)", "tb.unit.shell.test_write_arbiter"),
    (
        "hdp_hw/rtl/shell/axi_lite.py",
        "held[0] & held[-1] & ~answers",
        "held[0] & ~answers",
        "tb.unit.shell.test_axi_lite",
    ),
    (
        "hdp_hw/rtl/shell/register_bank.py",
        "pending.as_value() & ~cleared.as_value() | self.i_events.as_value()",
        "(pending.as_value() | self.i_events.as_value()) & ~cleared.as_value()",
        "tb.unit.shell.test_register_bank",
    ),
    (
        "hdp_hw/rtl/boards/uart_receiver.py",
        "self.divisor // 2 - 1",
        "self.divisor - 1",
        "tb.unit.boards.test_uart_receiver",
    ),
    (
        "hdp_hw/rtl/boards/uart_transmitter.py",
        "left.eq(FRAME_BITS)",
        "left.eq(FRAME_BITS - 1)",
        "tb.unit.boards.test_uart_transmitter",
    ),
    (
        "hdp_hw/rtl/boards/frame_receiver.py",
        "match_detected & ~escaped",
        "match_detected",
        "tb.unit.boards.test_frame_receiver",
    ),
    (
        "hdp_hw/rtl/boards/frame_transmitter.py",
        "special & ~escaping",
        "special",
        "tb.unit.boards.test_frame_transmitter",
    ),
    (
        "hdp_hw/rtl/boards/host_link.py",
        "status.eq(done_status)",
        "status.eq(Status.OK)",
        "tb.unit.boards.test_host_link",
    ),
    (
        "hdp_hw/rtl/boards/axi_lite_manager.py",
        "port.wvalid.eq(access.p.write & ~outside)",
        "port.wvalid.eq(access.p.write)",
        "tb.unit.boards.test_axi_lite_manager",
    ),
    (
        "hdp_hw/rtl/boards/board_memory.py",
        "reading & advance & ~host_reads",
        "reading & advance",
        "tb.unit.boards.test_board_memory",
    ),
    (
        "hdp_hw/rtl/boards/board_demo.py",
        "result.error.eq(nowhere)",
        "result.error.eq(0)",
        "tb.unit.boards.test_board_demo",
    ),
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
        "hdp_hw/rtl/common/pipeline.py",
        old,
        new,
        "tb.unit.common.test_pipeline",
        request.node.callspec.id.replace(" ", "_"),
    )
    print(output)
    assert not noticed


def test_every_component_has_a_planted_fault():
    files = {path for path in (ROOT / "hdp_hw" / "rtl").glob("*/*.py") if "(wiring.Component):" in path.read_text()}
    missing = {path.relative_to(ROOT).as_posix() for path in files} - {file for file, *_ in MUTATIONS}
    assert not missing


def test_mutation_needs_one_place():
    with pytest.raises(ValueError, match=r"pipeline\.py has 0 occurrences of 'no such text'"):
        bench_notices("hdp_hw/rtl/common/pipeline.py", "no such text", "", "tb.unit.common.test_pipeline", "none")
