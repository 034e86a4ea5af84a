"""From parameters to a record of resources and clock frequency.

The core has more ports than a package has pins, so it stands in a harness that shifts its inputs in and a signature
of its outputs out; between the two and the core are registers, so that only paths inside the core are measured. Clock
and large resets have global nets.
"""

import hashlib
import json
import subprocess
import time
from importlib import import_module
from pathlib import Path

from hdp_hw.deliver.synth.devices import DEVICES, DIGIT_PRODUCT, ECP5, KINDS, SMALL, SPEEDS, first_steps, small_products
from hdp_hw.deliver.synth.netlist import area_by_block, count_cells
from hdp_hw.deliver.synth.place_route import (
    NETLIST,
    TARGET_MHZ,
    critical_path,
    fmax,
    place_and_route,
    slowest,
    write_netlist,
)
from hdp_hw.deliver.synth.tools import YOSYS, run, version_of
from hdp_hw.rtl.verilog import ports_of, to_verilog
from hdp_hw.spec.configs import vars_of
from hdp_hw.spec.output_file import write
from hdp_hw.spec.params import ParameterError

BUILD = Path("build", "synth")
SOURCE = "core.v"  #: the Verilog of a design
LIMIT_SECONDS = 3600  #: of processor time, of place and route with each seed
#: What can be synthesised alone: module and component.
PARTS = {
    "core": ("core.attention_core", "AttentionCore"),
    "top": ("shell.hdp_top", "HdpTop"),
    "norm": ("shell.norm_lane", "NormLane"),
}


def synthesise(
    label,
    params,
    device,
    speed,
    seeds,
    build=BUILD,
    say=print,
    limit=LIMIT_SECONDS,
    search=False,
    part="core",
    mhz=TARGET_MHZ,
):
    """Synthesise a part of PARTS, place and route it with each of ``seeds``; returns and writes the record.

    limit, search, mhz : of each seed, see :func:`place_and_route`. The best of what it tries counts.

    The record: config, part, device, speed, parameters; luts, lutrams, ffs, dsps, brams (as :class:`Family` has them),
    area_by_block; target_mhz (what place and route worked for), fmax_mhz (a seed each, null where it was not routed),
    tried (of each seed, MHz or why there is none, by choice of placer and router), not_routed (why, by seed, or for the
    device); of the best seed, critical_path (blocks and nanoseconds) and slowest (nanoseconds to the latest register of
    each block), null without one; seconds, versions, commit, and the Verilog's sha256. Written to
    ``<build>/<label>-<device>.json``, and with the commit in its name to the folder where the tools worked. What is
    there of the same inputs is not done again.
    Raises ParameterError, SynthesisError.
    """
    if device not in DEVICES:
        raise ParameterError("device", device, ", ".join(DEVICES))
    if speed not in SPEEDS:
        raise ParameterError("speed", speed, ", ".join(map(str, SPEEDS)))
    target, folder, begin = DEVICES[device], build / f"{label}-{device}", time.time()
    record = {"config": label, "part": part, "device": device, "speed": speed if target.family is ECP5 else None}
    record |= {"parameters": vars_of(params), "sha256": write_design(params, folder, part)}
    say(f"{label}: synthesis")
    synthesise_netlist(folder, target.family, say, multipliers=target.multipliers, small=small_products(params))
    cells = json.loads((folder / NETLIST).read_text(encoding="utf-8"))["modules"]["harness"]["cells"]
    record |= count_cells(cells, target.family) | {"area_by_block": area_by_block(cells, target.family)}
    reports, tried, not_routed = {}, {}, {}
    if not target.options:
        not_routed["device"] = "synthesis alone: no place and route for it here"
        seeds = []
    for seed in seeds:
        say(f"{label}: place and route, seed {seed}")
        routed, why = place_and_route(folder, target, speed, seed, limit, search, say, mhz)
        tried[str(seed)] = {choice: round(fmax(report), 1) for choice, report in routed.items()} | why
        if routed:
            reports[seed] = max(routed.values(), key=fmax)
        else:
            not_routed[str(seed)] = "; ".join(f"{choice}: {reason}" for choice, reason in why.items())
    record["target_mhz"] = mhz
    record["fmax_mhz"] = {str(seed): round(fmax(reports[seed]), 1) if seed in reports else None for seed in seeds}
    record |= {"tried": tried, "not_routed": not_routed}
    best = reports[max(reports, key=lambda seed: fmax(reports[seed]))] if reports else None
    record["critical_path"] = best and critical_path(best)
    record["slowest"] = best and slowest(best)
    record["seconds"] = round(time.time() - begin)
    record["versions"] = versions(target.family)
    record["commit"] = commit = commit_of_source()
    text = json.dumps(record, indent=2) + "\n"
    write(folder / f"record-{commit}.json", text)
    path = build / f"{label}-{device}.json"
    write(path, text)
    say(summary(record) + f"\n{path}")
    return record


def write_design(params, folder, part="core"):
    """Write what yosys reads of a part of PARTS to ``folder``; returns the sha256 of the Verilog.

    Raises ParameterError.
    """
    if part == "norm" and not params.encoder:
        raise ParameterError("encoder", params.encoder, "1 for --part norm")
    module, component = PARTS[part]
    verilog = harnessed(getattr(import_module(f"hdp_hw.rtl.{module}"), component)(params))
    write_sources(verilog, folder)
    return digest(verilog)


def digest(verilog):
    """The sha256 of Verilog."""
    return hashlib.sha256(verilog.encode()).hexdigest()


def write_sources(verilog, folder):
    """Write what :func:`synthesise_netlist` reads, of the Verilog of a design."""
    write(folder / SOURCE, verilog)
    write(folder / DIGIT_PRODUCT.name, DIGIT_PRODUCT.read_text(encoding="utf-8"))


def synthesise_netlist(folder, family, say, top="harness", multipliers=(), small=SMALL, contents=()):
    """NETLIST of the design in ``folder``, whose module ``top`` holds it all.

    multipliers : as for write_netlist; small : as for first_steps; contents : files of what memories begin with.
    """
    result = "synthesised.json"
    script = f"read_verilog {SOURCE}; hierarchy -top {top}; {first_steps(small)}; {family.script}; write_json {result}"
    sources = [SOURCE, DIGIT_PRODUCT.name, *contents]
    run(folder, "yosys.log", YOSYS, ["-v", "2", "-p", script], sources, [result], synthesis_progress, say)
    write_netlist(folder, result, family, multipliers)


def synthesis_progress(log):
    """The latest step of yosys, of its log."""
    return log.rstrip().rpartition("\n")[2][:100]


def versions(family=ECP5):
    """``{tool: version}`` of what the record depends on, next to the Verilog."""
    return {tool: version_of(tool) for tool in (YOSYS, family.tool) if tool}


def commit_of_source():
    """The commit of the generator, with a + if its files were changed since; "unknown" outside of a repository."""

    def git(*arguments):
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "--", "..") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def harnessed(component):
    """Verilog of ``hdp_core``, a component, and of the ``harness`` around it."""
    return to_verilog(component, "hdp_core") + harness(ports_of(component))


def harness(ports):
    """Verilog of the module around ``hdp_core`` with ``ports`` as of :func:`hdp_hw.rtl.verilog.ports_of`."""
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
  reg reset;  // active high, so that a register drives the global net
  always @(posedge clk) begin
    reset <= reset_pin;
    sent <= {{sent, si}};
    captured <= answer;
    signature <= {{signature, 1'b0}} ^ captured;
  end
  assign so = signature[{widths["output"] - 1}];
  hdp_core core(.aclk(clk), .aresetn(~reset), {", ".join(connections)});
endmodule
"""


def part_of(record):
    """Device and speed grade of a record."""
    return record["device"] + (f"-{record['speed']}" if record["speed"] else "")


def summary(record):
    """The record in a few lines."""
    counts = ", ".join(f"{record[kind]:,} {kind}" for kind in KINDS)
    lines = [f"{record['config']} on {part_of(record)}: {counts}"]
    if speeds := [f"{mhz} MHz (seed {seed})" for seed, mhz in record["fmax_mhz"].items() if mhz]:
        lines.append(f"clock: {', '.join(speeds)}")
    for seed, tried in record["tried"].items():
        if record["fmax_mhz"][seed] and len(tried) > 1:
            results = (f"{choice}: {why if isinstance(why, str) else f'{why} MHz'}" for choice, why in tried.items())
            lines.append(f"seed {seed}: {'; '.join(results)}")
    lines += [f"{'' if seed == 'device' else 'seed '}{seed}: {why}" for seed, why in record["not_routed"].items()]
    if path := record["critical_path"]:
        lines.append(f"critical path: {' -> '.join(path['blocks'])}, from {path['from']} to {path['to']}")
    largest = sorted(record["area_by_block"].items(), key=lambda item: -item[1]["luts"])[:8]
    for block, area in largest:
        line = f"  {block:12} {area['luts']:7,} LUTs {area['ffs']:7,} FFs"
        lines.append(line + (f" {record['slowest'].get(block, 0):6.2f} ns" if record["slowest"] else ""))
    return "\n".join(lines)
