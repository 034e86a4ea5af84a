"""Place and route by nextpnr, and what its report says."""

import json
import re
import resource
from collections import Counter

from hdp_hw.deliver.synth.block_ram_registers import take_output_registers
from hdp_hw.deliver.synth.carry_gates import take_gates
from hdp_hw.deliver.synth.devices import ECP5, NEXUS, PINS
from hdp_hw.deliver.synth.multiplier_places import place_multipliers
from hdp_hw.deliver.synth.multiplier_registers import take_registers
from hdp_hw.deliver.synth.netlist import block_of, buffer_resets, open_carry_inputs
from hdp_hw.deliver.synth.tools import SynthesisError, TimeLimit, run
from hdp_hw.spec.output_file import write

TARGET_MHZ = 100.0  #: what place and route works for unless it is told otherwise; it says what it reached
#: What the netlist tells nextpnr for an ECP5. The weight of a wire that nets share begins at 3 and grows by 0.5 in
#: every iteration, not at 0.5 and by 2: once it is some tens, nets go any way round to avoid such a wire, and a few
#: dozen wires stay shared for ever. Nets may leave their bounding box by 5 tiles, not 3.
SETTINGS = {"router2/initCurrCongWeight": "3.0", "router2/currCongWeightMult": "0.5"}
SETTINGS |= {"router2/bbMargin/x": "5", "router2/bbMargin/y": "5"}
PATIENCE = 100  #: iterations of router2 that it is given to find a way with fewer shared wires
NETLIST = "netlist.json"  #: what nextpnr reads


class NotRouted(Exception):
    """There is no routed design; the message says why."""


def write_netlist(folder, synthesised, family=ECP5, multipliers=()):
    """NETLIST in ``folder`` of what yosys wrote.

    For an ECP5: gates in carry cells, registers in multipliers and block RAMs, places, global resets, SETTINGS.
    multipliers : of the Device, for the places of the array's.
    """
    design = json.loads((folder / synthesised).read_text(encoding="utf-8"))
    (top,) = (module for module in design["modules"].values() if "top" in module["attributes"])
    if family is ECP5:
        take_in(top)
        place_multipliers(top, multipliers)
        buffer_resets(top["cells"])
        top["settings"] = SETTINGS
    if family is NEXUS:
        open_carry_inputs(top["cells"])
    write(folder / NETLIST, json.dumps(design))


def take_in(module):
    """Gates and registers of a flat netlist's module into its carry cells, multipliers and block RAMs, of an ECP5."""
    take_gates(module)
    take_registers(module)
    take_output_registers(module)


def place_and_route(folder, device, speed, seed, limit, search=False, say=print, mhz=TARGET_MHZ):
    """``({choice: nextpnr's report}, {choice: why there is none})`` of NETLIST in ``folder``.

    The family's choices in turn until one is routed, with ``search`` all of them. A choice has half of what is left of
    ``limit``, seconds of processor time, and the last has the rest. mhz : what it works for.
    """
    reports, not_routed, left = {}, {}, [*device.family.choices]
    while left and (search or not reports):
        choice, begin = left.pop(0), _seconds_of_tools()
        say(f"  {choice}")
        try:
            reports[choice] = _try(folder, device, speed, seed, choice, limit / 2 if left else limit, say, mhz)
        except NotRouted as reason:
            not_routed[choice] = str(reason)
        limit -= _seconds_of_tools() - begin
    return reports, not_routed


def _seconds_of_tools():
    """Processor time of all tools so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _try(folder, device, speed, seed, choice, limit, say, mhz):
    """nextpnr's report of NETLIST in ``folder``; ``limit`` is as in :func:`run`. Raises NotRouted."""
    report, log, sources = f"report-{seed}-{choice}.json", f"nextpnr-{seed}-{choice}.log", [NETLIST]
    arguments = [*device.options, *device.family.choices[choice], "--json", NETLIST, "--freq", f"{mhz:g}"]
    arguments += ["--timing-allow-fail", "--seed", str(seed), "--report", report, "--detailed-timing-report"]
    if device.family is ECP5:
        # It takes wires that are too late out again, up to 1,500 times.
        arguments += ["--speed", str(speed), "--tmg-ripup"]
    if device.pins:
        write(folder / PINS, device.pins)
        sources.append(PINS)
    try:
        run(folder, log, device.family.tool, arguments, sources, [report], watched, say, limit)
    except TimeLimit:
        reached = progress((folder / log).read_text(encoding="utf-8"))
        raise NotRouted(f"not routed in {limit:.0f} s of processor time: {reached}") from None
    except SynthesisError:
        errors = re.findall(r"^ERROR: (.*)", (folder / log).read_text(encoding="utf-8"), re.M)
        if not errors:
            raise
        raise NotRouted(errors[-1]) from None
    return json.loads((folder / report).read_text(encoding="utf-8"))


def watched(log):
    """How far nextpnr is, of its log. Raises NotRouted where wires stay shared whatever it tries."""
    shared = [int(number) for number in re.findall(r"iter=\d+ wires=\d+ overused=(\d+)", log)]
    if shared[PATIENCE:] and 0 < min(shared[:-PATIENCE]) <= min(shared[-PATIENCE:]):
        raise NotRouted(f"no fewer wires are shared after {PATIENCE} more iterations: {progress(log)}")
    return progress(log)


def progress(log):
    """How far nextpnr is, of its log."""
    if routing := re.findall(r"iter=(\d+) wires=\d+ overused=(\d+)(?:.* tmgfail=(\d+))?", log):
        iteration, overused, late = routing[-1]
        return f"routing, iteration {iteration}, {overused} wires used twice" + (f", {late} too late" if late else "")
    if routing := re.findall(r"^Info: +\d+ \|.*\| +(\d+)\|", log, re.M):
        return f"routing, {routing[-1]} connections left"
    if refining := re.findall(r"at iteration #(\d+): temp = .* wirelen = (\d+)", log):
        return "refining the placement, iteration {}, wire length {}".format(*refining[-1])
    if placing := re.findall(r"hpwl: (\d+).*\n.*overlap: COMB=([\d.]+%)", log):
        return "placing, wire length {}, {} of the logic on top of other logic".format(*placing[-1])
    if placing := re.findall(r"at iteration #(\d+), type ALL: .* legal = (\d+)", log):
        return "placing, iteration {}, wire length {}".format(*placing[-1])
    return "packing and first placement"


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
