"""Writes what a board's tools take, and has them build the bitstream where they are open."""

import hashlib
import json
import re
from pathlib import Path

from hdp_hw.deliver.synth import DIGIT_PRODUCT, SynthesisError
from hdp_hw.deliver.synth.devices import ECP5, first_steps
from hdp_hw.deliver.synth.flow import synthesis_progress
from hdp_hw.deliver.synth.place_route import NETLIST, NotRouted, watched, write_netlist
from hdp_hw.deliver.synth.tools import ECPPACK, NEXTPNR, YOSYS, run
from hdp_hw.rtl.boards.arty_a7 import ArtyA7
from hdp_hw.rtl.boards.ulx3s import Ulx3s
from hdp_hw.spec.output_file import make_folder, naming
from hdp_hw.spec.params import ParameterError

BOARDS = {"ulx3s": Ulx3s, "arty_a7": ArtyA7}
MAP = "digit_product.map"  #: not .v: the platform would read that as a part of the design
OPTIONS = {
    "script_after_read": f"hierarchy -top top; {first_steps(products=MAP)}",
    "yosys_opts": "-v 2",
    "nextpnr_opts": "--seed 1",
    "verbose": True,  # what the tools say is their progress
}


def prepare(board, params, baud):
    """``(BoardTop, BuildPlan)`` of a board. Raises ParameterError; SynthesisError without amaranth-boards."""
    if board not in BOARDS:
        raise ParameterError("board", board, ", ".join(BOARDS))
    top = BOARDS[board](params, baud)
    try:
        platform = top.platform()
    except ModuleNotFoundError:
        raise SynthesisError("amaranth-boards is not installed: pip install 'hdp-hw[synth]'") from None
    if not top.open_tools:
        return top, platform.prepare(top, "top")
    platform.add_file(MAP, DIGIT_PRODUCT.read_text(encoding="utf-8"))
    return top, platform.prepare(top, "top", **OPTIONS)


def build(board, params, baud, bitstream, folder=Path("build", "board"), say=print):
    """Write the files of a board to ``<folder>/<board>``, and with ``bitstream`` build ``top.bit`` from them.

    Raises ParameterError, and SynthesisError if a tool is missing or fails, or there are none.
    """
    top, plan = prepare(board, params, baud)
    folder = folder / board
    make_folder(folder)
    with naming(folder):
        plan.extract(folder)
    files = sorted(map(str, plan.files))
    say(f"{folder}: {', '.join(files)}")
    if not bitstream:
        return
    if not top.open_tools:
        raise SynthesisError(f"there are no open tools for {board}: run Vivado on top.tcl in {folder}")
    commands = (arguments for _, *arguments in json.loads(plan.files["build_top.json"])["commands"])
    say("synthesis")
    run(folder, "yosys.log", YOSYS, next(commands), files, ["top.json"], synthesis_progress, say)
    write_netlist(folder, "top.json")
    finish(folder, [NETLIST if name == "top.json" else name for name in next(commands)], next(commands), say)


def finish(folder, place, pack, say):
    """``top.bit`` in ``folder`` of NETLIST and ``top.lpf``, and what is said of it.

    place, pack : arguments of nextpnr, which write ``top.config`` and its log to ``top.tim``, and of ecppack. Raises
    SynthesisError.
    """
    place_and_route(folder, place, say)
    say("bitstream")
    run(folder, "ecppack.log", ECPPACK, pack, ["top.config"], ["top.bit", "top.svf"], str, say)
    say(summary((folder / "top.tim").read_text(encoding="utf-8")))
    content = (folder / "top.bit").read_bytes()
    say(f"{folder / 'top.bit'}: {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


def place_and_route(folder, arguments, say):
    """Run nextpnr with the first of the ECP5's choices that it routes the board with. Raises SynthesisError."""
    left = list(ECP5.choices.items())
    while left:
        choice, options = left.pop(0)
        say(f"place and route: {choice}")
        files = [NETLIST, "top.lpf"], ["top.config", "top.tim"]
        try:
            return run(folder, "nextpnr.log", NEXTPNR, [*arguments, *options], *files, watched, say)
        except (SynthesisError, NotRouted) as error:
            if not left:
                raise SynthesisError(str(error)) from None
            say(str(error))


def summary(log):
    """Use of the device and clock frequency, of nextpnr's log."""
    kinds = ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D")
    lines = [re.search(rf"{kind}: +(\d+)/ *(\d+)", log) for kind in kinds]
    used = ", ".join(f"{int(line[1]):,} of {int(line[2]):,} {kind}" for kind, line in zip(kinds, lines) if line)
    clocks = re.findall(r"Max frequency for clock *'([^']+)': ([\d.]+) MHz \((\w+) at ([\d.]+) MHz\)", log)
    last = {name: f"{name}: {mhz} MHz ({verdict} at {target} MHz)" for name, mhz, verdict, target in clocks}
    return "\n".join([used, *last.values()])
