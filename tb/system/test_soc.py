"""Firmware on the simulated SoC of LiteX: from reset to what it says on its serial line."""

import re
import shutil
from dataclasses import replace

import pytest

from hdp_hw.commands.arguments import progress
from hdp_hw.driver.errors import BuildError, Mismatch, SimulationError
from hdp_hw.soc.bitstream import ROM_CONTENT
from hdp_hw.soc.firmware import COMPILER
from hdp_hw.soc.model_case import NAME, NO_MODEL, ModelCase
from hdp_hw.soc.run import cycles_of, run_soc
from hdp_hw.soc.simulation import SimulatedBoard, write_coprocessor
from hdp_hw.soc.vectors import attention_cases, captured_cases
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.study.accuracy.calibrate import open_workplace
from tb.lib.simulation import MODELS

TINY, N = replace(CONFIGS["tiny"], encoder=1), 32
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def needed():
    """Skips a test where something is not installed."""
    for package in ("litex", "pythondata_cpu_vexriscv", "safetensors"):
        pytest.importorskip(package, reason=f"{package} is not installed: python3 tools/setup.py packaging models")
    if not shutil.which(COMPILER):
        pytest.skip("there is no compiler for RISC-V: python3 tools/setup.py --firmware")


@pytest.fixture(scope="module")
def board(needed, tmp_path_factory):
    """A SoC with a tiny co-processor."""
    return SimulatedBoard(TINY, tmp_path_factory.mktemp("with"), MODELS)


@pytest.fixture(scope="module")
def plain_board(needed, tmp_path_factory):
    """A SoC without."""
    return SimulatedBoard(None, tmp_path_factory.mktemp("without"), MODELS)


@pytest.fixture(scope="module")
def case(needed):
    """A digit for vit-digits."""
    place = open_workplace("vit-digits", None, "tiny", [("encoder", "1")], None, 300, 1, progress)
    return ModelCase.of(place)


def run(board, cases, model=NO_MODEL, limit=100_000_000):
    """Lines that firmware says, and the error that comes of it or None."""
    lines = []
    try:
        board.run({"cases.c": attention_cases(cases), **model}, limit, lines.append)
    except Mismatch as error:
        return lines, error
    return lines, None


def test_with_and_without(needed, case, tmp_path):
    """What the command says: heads, the model by one start, the model alone, and both side by side."""
    lines, answer = [], case.labels[case.answer]
    run_soc(case, tmp_path, 100_000_000, say=lines.append, cache=MODELS)
    titles = [
        *("With the co-processor", "co-processor of 2 x 2 tiles and 16 lanes"),
        *("dense head, dense, 1024 of 1024 blocks", "dense head", "pruned head, sparse, 162 of 1024 blocks"),
        *("image of 87296 bytes", "vit-digits, 65 positions, by one start", "PASS"),
        *("Without", "vit-digits, 65 positions, the processor alone", "PASS", "vit-digits"),
    ]
    assert [line.partition(":")[0] for line in lines] == titles
    for line in (lines[i] for i in (2, 3, 4, 6, 9)):
        assert line.endswith(": PASS")
    ours, alone = (cycles_of("vit-digits", [lines[i]]) for i in (6, 9))
    assert all(f": {answer}, {cycles} cycles" in lines[i] for i, cycles in ((6, ours), (9, alone)))
    jobs = int(re.fullmatch(r"image of \d+ bytes: loaded in \d+ cycles, its jobs take (\d+)", lines[5])[1])
    assert 200_000 < jobs < ours < 500_000 and 10_000_000 < alone
    said = f"{ours:,} clock cycles with the co-processor, {alone:,} without, {alone / ours:.0f} times as many"
    assert lines[-1] == f"vit-digits: {said}"


def test_embeddings(plain_board):
    """A model without classes answers with the nearest of other inputs; the assembler reads its weights from files."""
    place = open_workplace("minilm", None, "edge", [("encoder", "1")], 4, 300, 1, progress)
    case = ModelCase.of(place)
    model = replace(case.model, layers=case.model.layers[:1])
    hidden = model(case.embeddings[None], place.params)[0]
    (others, zeros), mean = case.layers["classifier"], hidden.mean(0)
    case = replace(case, model=model, hidden=hidden, answer=int((others @ mean).argmax()))
    assert case.mean and not zeros.any() and len(case.sources()["layer_0_inner_weight.bin"]) == 384 * 1536
    lines, error = run(plain_board, {}, case.sources())
    assert re.fullmatch(
        rf"minilm, 4 positions, the processor alone: {case.labels[case.answer]}, \d+ cycles: PASS", lines[0]
    )
    assert not error
    lines, error = run(plain_board, {}, replace(case, answer=(case.answer + 1) % len(others)).sources())
    assert lines[0].endswith(": FAIL, 0 words wrong, answer wrong") and error


def test_sdram(needed, tmp_path):
    """A loader in ROM starts LiteDRAM's SDRAM and copies the firmware to it; both sides then share its controller."""
    board = SimulatedBoard(TINY, tmp_path, MODELS, sdram=True)
    lines, error = run(board, captured_cases(TINY, 16))
    assert not error
    assert [line.rpartition(": ")[2] for line in lines[1:]] == ["PASS"] * 4


def test_rom_too_small(needed, tmp_path):
    board = SimulatedBoard(None, tmp_path, MODELS, sdram=True)
    board.rom_bytes = 4096
    with pytest.raises(
        BuildError, match=r"loader and firmware have [\d,]+ bytes, and the ROM 4,096: take a smaller model"
    ):
        run(board, {})


def test_main_memory_too_small(plain_board):
    with pytest.raises(BuildError, match=r"main memory is [\d,]+ bytes too small: take a smaller model"):
        run(plain_board, {}, {NAME: NO_MODEL[NAME].replace("0;", "(const model_case *)(char[1 << 25]){0};")})


def test_board(needed, tmp_path):
    """Every port of the top has its pin, and what LiteX writes reads the ROM's content."""
    pytest.importorskip("amaranth_boards", reason="amaranth-boards is not installed: python3 tools/setup.py synth")
    from hdp_hw.soc.ulx3s import Ulx3sSoC

    write_coprocessor(TINY, tmp_path)
    soc = Ulx3sSoC(tmp_path)
    soc.platform.build(soc, build_dir=str(tmp_path), build_name="top", run=False)
    verilog = (tmp_path / "top.v").read_text()
    header = re.search(r"module top \((.*?)\);", verilog, re.S)[1]
    ports = re.findall(r"(?:input|output|inout)\s+(?:wire|reg)\s+(?:\[(\d+):0\])?\s*(\w+)", header)
    wires = {name if not high else f"{name}[{i}]" for high, name in ports for i in range(int(high or 0) + 1)}
    assert wires == set(re.findall(r'LOCATE COMP "([^"]+)"', (tmp_path / "top.lpf").read_text()))
    assert f'$readmemh("{ROM_CONTENT}", rom);' in verilog and "FREQUENCY PORT" in (tmp_path / "top.lpf").read_text()


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


def test_a_wrong_weight_shows(board, case):
    """In an image that is sound otherwise: what the firmware compares comes out of the image."""
    layer, *others = case.model.layers
    weight = layer.value.weight.copy()
    weight[0] = -weight[0]
    wrong = replace(layer, value=replace(layer.value, weight=weight))
    image = replace(case, model=replace(case.model, layers=[wrong, *others])).image()
    lines, error = run(board, {}, case.sources(image))
    assert re.search(r"cycles: FAIL, [1-9]\d* words wrong, answer (right|wrong)$", lines[2])
    assert lines[3] == "FAIL" and error


def test_firmware_notices_a_wrong_word(plain_board, case):
    hidden = case.hidden.copy()
    hidden[0, 3] ^= 1
    (line, verdict), error = run(plain_board, {}, replace(case, hidden=hidden).sources())
    assert line.endswith(": FAIL, 1 words wrong, answer right")
    assert verdict == "FAIL" and error


def test_no_co_processor(plain_board):
    lines, error = run(plain_board, captured_cases(TINY, N))
    assert lines == ["register ID is not that of a co-processor. Cure: check address, clock and reset.", "FAIL"]
    assert error


def test_limit(plain_board):
    with pytest.raises(SimulationError, match="the firmware had not ended after 1,000 clock cycles"):
        run(plain_board, {}, limit=1000)
