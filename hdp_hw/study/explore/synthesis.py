"""What yosys makes of a co-processor's parts for an ECP5.

A co-processor is *top*, and in it *lanes*, in each of which is a *core*. The core is synthesised by itself; lanes and
top together, with black boxes in place of the cores. So the records of few of them serve many co-processors.
``python -m hdp_hw.study.explore.synthesis`` makes the records that come with the package.
"""

import hashlib
import json
import sys
from pathlib import Path

from hdp_hw.deliver.synth import block_of, count_cells, harnessed
from hdp_hw.deliver.synth.devices import DEVICES, DIGIT_PRODUCT, ECP5, KINDS, first_steps, small_products
from hdp_hw.deliver.synth.flow import BUILD, digest, synthesis_progress
from hdp_hw.deliver.synth.place_route import take_in
from hdp_hw.deliver.synth.published import of_cores, read
from hdp_hw.deliver.synth.tools import YOSYS, run, version_of
from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.spec.configs import vars_of
from hdp_hw.spec.output_file import write
from hdp_hw.spec.params import HdpParams

DESIGNS = {"core": AttentionCore, "shell": HdpTop}  #: what is synthesised: a core, or lanes and top
RECORDS = Path(__file__).with_name("records.json")
SMALL = {"lanes": 4, "max_seq_len": 64}  #: of the cores in a shell, which are black boxes
SHELLS = {"bus_width": 32}, {"n_cores": 2}, {"bus_width": 128}, {"n_cores": 4}
WIDE_DIGITS = (2, 4), (2, 8), (2, 16), (4, 4), (4, 8)  #: tile and lanes of cores with digits of 8 bits
#: Tile, lanes and multiplier of others.
ARRAYS = (2, 4, 18), (2, 8, 18), (2, 32, 18), (2, 64, 18), (4, 4, 18), (4, 8, 18), (4, 16, 18), (8, 4, 18)
ARRAYS += (2, 8, 0), (2, 64, 0), (4, 4, 0), (4, 8, 0), (8, 4, 0)
#: Designs and parameters of RECORDS, besides the cores that are published and of today's Verilog.
SAMPLE = [("shell", SMALL | changes) for changes in SHELLS]
SAMPLE += [("core", {"digit_width": 8, "tile": tile, "lanes": lanes}) for tile, lanes in WIDE_DIGITS]
SAMPLE += [("core", {"tile": tile, "lanes": lanes, "multiplier": multiplier}) for tile, lanes, multiplier in ARRAYS]


def measure(design, params, build=BUILD, say=print):
    """Record of a design: ``{"parameters", "resources": {part: {kind: number}}, "sha256", "yosys"}``.

    Parts are ``core``, or ``lane``, of each of the lanes, and ``top``. There is no place and route.

    Kept in ``build`` under a digest of Verilog and version of yosys, and not made again. Raises SynthesisError.
    """
    folder, made_from = prepare(design, params, build)
    if (folder / "record.json").exists():
        return json.loads((folder / "record.json").read_text(encoding="utf-8"))
    say(f"synthesis of {design}: {', '.join(f'{name} {value}' for name, value in vars_of(params).items())}")
    script = (
        "read_verilog part.v; blackbox *.lane_?.core; hierarchy -top harness; "
        f"{first_steps(small_products(params))}; {ECP5.script} -json netlist.json"
    )
    sources = ["part.v", DIGIT_PRODUCT.name]
    run(folder, "yosys.log", YOSYS, ["-v", "2", "-p", script], sources, ["netlist.json"], synthesis_progress, say)
    netlist = json.loads((folder / "netlist.json").read_text(encoding="utf-8"))["modules"]["harness"]
    take_in(netlist)
    resources = resources_of(design, netlist["cells"])
    record = {"parameters": vars_of(params), "resources": resources, **made_from}
    write(folder / "record.json", json.dumps(record) + "\n")
    (folder / "netlist.json").unlink()  # tens of megabytes
    return record


def prepare(design, params, build):
    """Write what yosys reads; returns its folder, and ``{name: version or digest}`` of what the record depends on."""
    text = harnessed(DESIGNS[design](params))
    made_from = {"sha256": digest(text), "yosys": version_of(YOSYS)}
    folder = build / f"{design}-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "part.v", text)
    write(folder / DIGIT_PRODUCT.name, DIGIT_PRODUCT.read_text(encoding="utf-8"))
    return folder, made_from


def core_records(records):
    """Such records of those of :func:`hdp_hw.deliver.synth.synthesise` that are for an ECP5, with the best seed's MHz.

    Of a core on several devices the last counts.
    """

    devices = [name for name, device in DEVICES.items() if device.family is ECP5]

    def total(kind, blocks):
        return sum(area[kind] for block, area in blocks.items() if block != "harness")

    found = {
        HdpParams(**record["parameters"]): {
            "parameters": record["parameters"],
            "resources": {"core": {kind: total(kind, record["area_by_block"]) for kind in KINDS}},
            "sha256": record["sha256"],
            "yosys": record["versions"][YOSYS],
            "fmax_mhz": max((mhz for mhz in record["fmax_mhz"].values() if mhz), default=None),
        }
        for record in of_cores(records)
        if record["device"] in devices
    }
    return list(found.values())


def resources_of(design, cells):
    """``{part: {kind: number}}`` of the cells of a flat netlist."""
    if design == "core":
        return {"core": count_cells({name: cell for name, cell in cells.items() if block_of(name) != "harness"})}
    parts = {"lane": {}, "top": {}}
    for name, cell in cells.items():
        block = block_of(name)
        if block == "lane_0":
            parts["lane"][name] = cell
        elif block != "harness" and not block.startswith("lane_"):
            parts["top"][name] = cell
    return {part: count_cells(own) for part, own in parts.items()}


def main():
    records = [
        record
        for record in core_records(read())
        if record["sha256"] == digest(harnessed(AttentionCore(HdpParams(**record["parameters"]))))
    ]
    for design, changes in SAMPLE:
        records.append(measure(design, HdpParams(**changes)))
        write(RECORDS, "[\n " + ",\n ".join(map(json.dumps, records)) + "\n]\n")
        print(records[-1]["resources"], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
