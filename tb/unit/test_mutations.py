"""Every bench fails when a fault is planted in its block (and passes without, see the bench itself)."""

from pathlib import Path

import pytest

from tb.lib.mutation import FAULTS, ROOT, bench_notices, mutate


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: Path(fault["file"]).stem)
def test_bench_notices(fault, request):
    noticed, output = bench_notices(**fault, name=request.node.callspec.id)
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
    missing = {path.relative_to(ROOT).as_posix() for path in files} - {fault["file"] for fault in FAULTS}
    assert not missing


def test_every_fault_can_be_planted():
    for fault in FAULTS:
        mutate(fault["file"], fault["old"], fault["new"])


def test_mutation_needs_one_place():
    with pytest.raises(ValueError, match=r"pipeline\.py has 0 occurrences of 'no such text'"):
        bench_notices("hdp_hw/rtl/common/pipeline.py", "no such text", "", "tb.unit.common.test_pipeline", "none")
