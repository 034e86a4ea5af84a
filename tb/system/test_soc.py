"""Firmware on the simulated SoC of LiteX: from reset to what it says on its serial line."""

import shutil
from dataclasses import replace

import pytest

from hdp_hw.commands.arguments import progress
from hdp_hw.driver.errors import Mismatch, SimulationError
from hdp_hw.soc.firmware import COMPILER
from hdp_hw.soc.model_case import NO_MODEL, ModelCase
from hdp_hw.soc.vectors import attention_cases, captured_cases
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.study.accuracy.calibrate import open_workplace
from tb.lib.simulation import MODELS

TINY, N = CONFIGS["tiny"], 32
pytestmark = pytest.mark.slow


def board_of(params, folder):
    """A SimulatedBoard, or a skipped test."""
    for package in ("litex", "pythondata_cpu_vexriscv", "safetensors"):
        pytest.importorskip(package, reason=f"{package} is not installed: python3 tools/setup.py packaging models")
    if not shutil.which(COMPILER):
        pytest.skip("there is no compiler for RISC-V: python3 tools/setup.py --firmware")
    from hdp_hw.soc.simulation import SimulatedBoard

    return SimulatedBoard(params, folder, MODELS)


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A SoC with a tiny co-processor."""
    return board_of(TINY, tmp_path_factory.mktemp("with"))


@pytest.fixture(scope="module")
def plain_board(tmp_path_factory):
    """A SoC without."""
    return board_of(None, tmp_path_factory.mktemp("without"))


@pytest.fixture(scope="module")
def case():
    """A digit for vit-digits."""
    place = open_workplace("vit-digits", None, "tiny", [], None, 300, 1, progress, 0, None, None)
    return ModelCase.of(place)


def run(board, cases, model=NO_MODEL, limit=100_000_000):
    """Lines that firmware says, and the error that comes of it or None."""
    lines = []
    try:
        board.run({"cases.c": attention_cases(cases), "golden.c": model}, limit, lines.append)
    except Mismatch as error:
        return lines, error
    return lines, None


def test_attention_jobs(board):
    lines, error = run(board, captured_cases(TINY, N))
    titles = ["co-processor of 2 x 2 tiles and 16 lanes", "dense head, dense, 256 of 256 blocks", "dense head"]
    assert [line.partition(":")[0] for line in lines[:3]] == titles
    assert lines[3].startswith("pruned head, sparse, ") and not lines[3].startswith("pruned head, sparse, 256 ")
    assert all(line.endswith(": PASS") for line in lines[1:4])
    assert lines[4:] == ["PASS"] and not error


def test_firmware_notices_a_wrong_bit(board):
    """One of the dense head's output, and the number of blocks of the pruned one."""
    cases = captured_cases(TINY, N)
    cases["dense"][1].output[0, 5, 7] ^= 1
    job, pruned = cases["pruned"]
    (head,) = pruned.heads
    cases["pruned"] = job, replace(pruned, heads=(head._replace(n_kept=head.n_kept + 1),))
    lines, error = run(board, cases)
    verdicts = ["FAIL, 1 elements wrong, record right", "FAIL", "FAIL, 0 elements wrong, record wrong"]
    assert [line.rpartition(": ")[2] for line in lines[1:]] == [*verdicts, "FAIL"]
    assert str(error) == "the firmware did not find what the golden model has"


def test_model_on_the_processor_alone(plain_board, case):
    (line, verdict), error = run(plain_board, {}, case.source())
    assert line.startswith(f"vit-digits, 65 positions: {case.encoder.labels[case.answer]}, ")
    assert line.endswith(" cycles of the processor alone: PASS")
    assert verdict == "PASS" and not error


def test_firmware_notices_a_wrong_word(plain_board, case):
    hidden = case.hidden.copy()
    hidden[0, 3] ^= 1
    (line, verdict), error = run(plain_board, {}, replace(case, hidden=hidden).source())
    assert line.endswith(": FAIL, 1 words wrong, answer right")
    assert verdict == "FAIL" and error


def test_no_co_processor(plain_board):
    lines, error = run(plain_board, captured_cases(TINY, N))
    assert lines == ["register ID is not that of a co-processor. Cure: check address, clock and reset.", "FAIL"]
    assert error


def test_limit(plain_board):
    with pytest.raises(SimulationError, match="the firmware had not ended after 1,000 clock cycles"):
        run(plain_board, {}, limit=1000)
