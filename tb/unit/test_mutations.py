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
    ("hdp_hw/pruning/arithmetic.py", "partial << low", "partial", "tb.unit.test_coarse_logit"),
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
        "Mux(logit > DISTANCE_MAX, DISTANCE_MAX, logit)",
        "logit",
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
]


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
