"""Reading what synthesis and place and route report; the tools themselves run in `make synth`."""

import pytest

from hdp_hw.params import HdpParams, ParameterError
from hdp_hw.synth import (
    area_by_block,
    block_of,
    buffer_reset,
    count_cells,
    critical_path,
    fmax,
    harness,
    slowest,
    summary,
    synthesise,
)

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


def test_reset_is_buffered():
    """Of all resets the one that most registers have; what else reads it stays as it is."""
    cells = {f"ff_{i}": {"type": "TRELLIS_FF", "connections": {"Q": [i], "LSR": [7]}} for i in range(2, 5)}
    cells["own"] = {"type": "TRELLIS_FF", "connections": {"Q": [5], "LSR": [6]}}
    cells["none"] = {"type": "TRELLIS_FF", "connections": {"Q": [9], "LSR": ["0"]}}
    cells["inverter"] = {"type": "LUT4", "connections": {"A": [8], "B": ["1"], "Z": [7]}}
    buffer_reset(cells)
    assert cells["reset_buffer"]["connections"] == {"CLKI": [7], "CE": ["1"], "CLKO": [10]}
    resets = {name: cell["connections"].get("LSR") for name, cell in cells.items()}
    assert [resets[name] for name in ("ff_2", "ff_3", "ff_4", "own", "none")] == [[10]] * 3 + [[6], ["0"]]
    assert cells["inverter"]["connections"]["Z"] == [7]


def test_report():
    assert fmax(REPORT) == 97.5
    path = critical_path(REPORT)
    assert path["blocks"] == ["array", "predictor"]
    assert (path["logic_ns"], path["routing_ns"]) == (6.25, 4.0)
    assert list(slowest(REPORT).items()) == [("predictor", 10.25), ("array", 1.5)]
    record = {"config": "tiny", "device": "LFE5U-85F", "speed": 6, **count_cells(CELLS), "fmax_mhz": {"1": 97.5}}
    record |= {"critical_path": path, "slowest": slowest(REPORT), "area_by_block": area_by_block(CELLS)}
    text = summary(record)
    assert "97.5 MHz (seed 1)" in text and "array -> predictor" in text and "10.25 ns" in text


def test_harness_connects_every_port():
    text = harness(
        [("aclk", "input", 1), ("aresetn", "input", 1), ("i", "input", 3), ("o", "output", 2), ("p", "output", 1)]
    )
    assert ".i(sent[0 +: 3]), .o(answer[0 +: 2]), .p(answer[2 +: 1])" in text
    assert "reg [2:0] sent;" in text


@pytest.mark.parametrize(("device", "speed", "legal"), [("XC7A35T", 6, "LFE5U-85F"), ("LFE5U-85F", 9, "6, 7, 8")])
def test_refuses(device, speed, legal):
    with pytest.raises(ParameterError, match=legal):
        synthesise("tiny", HdpParams(), device, speed, [1])
