"""The records that the documentation shows, ``docs/synthesis.json``, and its tables of them."""

import json
from pathlib import Path

from hdp_hw.deliver.manifest import standard_head
from hdp_hw.deliver.synth.flow import BUILD, part_of, synthesise, versions, write_design
from hdp_hw.spec.output_file import write
from hdp_hw.spec.params import HdpParams, ParameterError

FILE = Path("docs", "synthesis.json")
#: Arrays to compare, tile and lanes, all for heads of up to 128 x 64: larger buffers would blur what an array costs.
SIZES = ((2, 8), (2, 16), (2, 32), (2, 64), (4, 4), (4, 8), (4, 16), (8, 4))
SIZE_LIMITS = {"digit_width": 4, "max_head_dim": 64, "max_seq_len": 128, "multiplier": 18}
NOT_MEASURED = "not measured"


def sizes():
    """``{label: HdpParams}`` of SIZES."""
    return {f"tile{tile}-lanes{lanes}": HdpParams(tile, lanes, **SIZE_LIMITS) for tile, lanes in SIZES}


def compare_sizes(device, speed, seeds, say=print, **more):
    """Publish a record of each of SIZES, but not again one that is there of the same Verilog, tools and seeds.

    more : what :func:`synthesise` takes besides.
    """
    published = {(record["config"], record["device"]): record for record in read()}
    for label, params in sizes().items():
        record = published.get((label, device))
        folder = BUILD / f"{label}-{device}"
        if record and is_current(record, write_design(params, folder), speed, seeds):
            say(f"{label}: as published")
        else:
            publish(synthesise(label, params, device, speed, seeds, say=say, **more))


def is_current(record, sha256, speed, seeds):
    """Whether a record tells of this Verilog, these tools and all of ``seeds``."""
    same = (record["sha256"], record["versions"], record["speed"]) == (sha256, versions(), speed)
    return same and {str(seed) for seed in seeds} <= set(record["fmax_mhz"])


def read(file=FILE):
    """``[record]``, as :func:`publish` wrote them, by configuration and device."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def of_cores(records):
    """Those that are not of another part."""
    return [record for record in records if record.get("part", "core") == "core"]


def check_published(file=FILE):
    """Raises ParameterError unless the documentation is there, before all the work for it."""
    if not file.exists():
        raise ParameterError("file", str(file), "a checkout of the project, in which the command is to be run")


def publish(record, file=FILE):
    """Put a record of :func:`hdp_hw.deliver.synth.synthesise` into ``file``."""
    shown = {key: value for key, value in record.items() if key not in ("slowest", "seconds")}
    records = {(old["config"], old["device"]): old for old in read(file)}
    records[record["config"], record["device"]] = shown
    write(file, "[\n" + ",\n".join(json.dumps(records[key]) for key in sorted(records)) + "\n]\n")


# -- tables -----------------------------------------------------------------------------------------------------------
CONFIG_TITLES = ("configuration", "device", "LUTs", "LUT RAMs", "FFs", "DSPs", "BRAMs", "MHz by seed", "critical path")
SIZE_TITLES = ("T", "lanes", "4 x 4 products", "LUTs", "FFs", "DSPs", "BRAMs", "MHz", "cycles", "GOPS", "GOPS / kLUT")


def config_rows(records):
    """Rows under CONFIG_TITLES, of the records that are not of SIZES."""
    rows = []
    for record in records:
        if record["config"] not in sizes():
            counts = [f"{record[kind]:,}" for kind in ("luts", "lutrams", "ffs", "dsps", "brams")]
            clocks = [f"{mhz or 'not routed'} ({seed})" for seed, mhz in record["fmax_mhz"].items()]
            rows.append(
                [record["config"], part_of(record), *counts, ", ".join(clocks) or NOT_MEASURED, path_text(record)]
            )
    return rows


def size_rows(records):
    """Rows under SIZE_TITLES; the clock is that of the best seed."""
    published = {record["config"]: record for record in records if record["device"].startswith("LFE5U")}
    rows = []
    for label, params in sizes().items():
        head, counts, clock, rates = standard_head(params), [NOT_MEASURED] * 4, NOT_MEASURED, [NOT_MEASURED] * 2
        if record := published.get(label):
            counts = [f"{record[kind]:,}" for kind in ("luts", "ffs", "dsps", "brams")]
            if mhz := [mhz for mhz in record["fmax_mhz"].values() if mhz]:
                clock, rate = max(mhz), gops(head, max(mhz))
                rates = [f"{rate:.2f}", f"{1000 * rate / record['luts']:.3f}"]
        rows.append([params.tile, params.lanes, params.multipliers, *counts, clock, f"{head['cycles']:,}", *rates])
    return rows


def path_text(record):
    """The critical path by its blocks."""
    if not (path := record["critical_path"]):
        return NOT_MEASURED
    return f"{' → '.join(path['blocks'])}: {path['logic_ns']} ns logic, {path['routing_ns']} ns routing"


def gops(head, mhz):
    """Giga-operations a second: two for each element of Q.K and of P.V that a dense head multiplies."""
    return 4 * head["n_q"] * head["n_k"] * head["head_dim"] / head["cycles"] * mhz / 1000
