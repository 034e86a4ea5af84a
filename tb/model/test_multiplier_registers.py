"""The registers that an ECP5's multipliers take in: which, and that nothing is taken that does more than they can."""

import json
from copy import deepcopy

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from hdp_hw.deliver.synth.devices import DEVICES
from hdp_hw.deliver.synth.multiplier_registers import FACTORS, PRODUCT, take_registers
from hdp_hw.deliver.synth.netlist import count_cells
from hdp_hw.deliver.synth.place_route import place_and_route
from hdp_hw.rtl.common.pipeline import register
from tb.model.test_synth import NEXTPNR, YOSYS, netlist_of

CLOCK, OTHER_CLOCK, SIGNAL, FREE = 2, 3, 4, 1000  #: nets; from FREE on there are none


def flip_flop(source, target, **changes):
    """A TRELLIS_FF as yosys writes a plain one, with other ``connections`` or ``parameters``."""
    connections = {"CLK": [CLOCK], "DI": [source], "LSR": ["0"], "Q": [target]}
    parameters = {"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"}
    for name, value in changes.items():
        (connections if isinstance(value, list) else parameters)[name] = value
    directions = {name: "output" if name == "Q" else "input" for name in connections}
    return {
        "type": "TRELLIS_FF",
        "parameters": parameters,
        "port_directions": directions,
        "connections": connections,
    }


def reader(net):
    """A cell that reads ``net``."""
    return {"type": "LUT4", "parameters": {}, "port_directions": {"A": "input"}, "connections": {"A": [net]}}


def design():
    """A multiplier of 3 x 4 bits: factors from flip-flops a0.. and b0.., 7 bits of its product to p0.. and out.

    The Q of bit ``i`` of a, b, p is net 10, 20, 40 + i; the D that of 110, 120; the product itself is at 140 + i. What
    is above a factor repeats its sign; constants are what is above B's.
    """
    pins = {f"A{i}": [10 + min(i, 2)] for i in range(18)} | {f"B{i}": [20 + i if i < 4 else "0"] for i in range(18)}
    pins |= {f"P{i}": [140 + i] for i in range(36)} | {"SIGNEDA": ["1"], "SIGNEDB": ["0"]}
    directions = {pin: "output" if pin[0] == "P" else "input" for pin in pins}
    cells = {"m": {"type": "MULT18X18D", "parameters": {}, "port_directions": directions, "connections": pins}}
    cells |= {f"a{i}": flip_flop(110 + i, 10 + i) for i in range(3)}
    cells |= {f"b{i}": flip_flop(120 + i, 20 + i) for i in range(4)}
    cells |= {f"p{i}": flip_flop(140 + i, 40 + i) for i in range(7)}
    inputs = [CLOCK, OTHER_CLOCK, SIGNAL, *range(110, 113), *range(120, 124)]
    ports = {"i": {"direction": "input", "bits": inputs}, "o": {"direction": "output", "bits": list(range(40, 47))}}
    return {"cells": cells, "ports": ports}


def taken(module):
    """``(what the multiplier took: "in", "out"; flip-flops that are left)``."""
    take_registers(module)
    parameters = module["cells"]["m"]["parameters"]
    kinds = {name for name, key in (("in", "REG_INPUTA_CLK"), ("out", "REG_OUTPUT_CLK")) if key in parameters}
    assert ("REG_INPUTA_CLK" in parameters) == ("REG_INPUTB_CLK" in parameters)
    return kinds, {name for name, cell in module["cells"].items() if cell["type"] == "TRELLIS_FF"}


def test_takes_all():
    module = design()
    assert taken(module) == ({"in", "out"}, set())
    multiplier = module["cells"]["m"]
    pins, registers = multiplier["connections"], ("REG_INPUTA_CLK", "REG_INPUTB_CLK", "REG_OUTPUT_CLK")
    assert multiplier["parameters"] == {**dict.fromkeys(registers, "CLK0"), "GSR": "DISABLED"}
    assert {name: pins[name] for name in ("CLK0", "CE0", "RST0")} == {"CLK0": [CLOCK], "CE0": ["1"], "RST0": ["0"]}
    assert set(pins) == set(multiplier["port_directions"])
    factors = [110, 111, *[112] * 16, *range(120, 124), *["0"] * 14]
    assert [pins[pin] for pin in FACTORS] == [[net] for net in factors]
    assert [pins[pin] for pin in PRODUCT] == [[net] for net in [*range(40, 47), *range(147, 176)]]


UNLIKE = {
    "enable": {"CE": [SIGNAL], "CEMUX": "CE"},
    "reset": {"LSR": [SIGNAL]},
    "inverted reset": {"LSRMUX": "INV"},
    "clock": {"CLK": [OTHER_CLOCK]},
    "edge": {"CLKMUX": "INV"},
    "start": {"REGSET": "SET"},
    "global reset": {"GSR": "ENABLED"},
}


@pytest.mark.parametrize("changes", UNLIKE.values(), ids=UNLIKE)
@pytest.mark.parametrize(("name", "left"), [("a1", "in"), ("b3", "in"), ("p6", "out")])
def test_leaves_what_differs(changes, name, left):
    """One flip-flop that does something else, and those of its side stay; the other side's are taken."""
    module, before = design(), set(design()["cells"]) - {"m"}
    old = module["cells"][name]["connections"]
    module["cells"][name] = flip_flop(old["DI"][0], old["Q"][0], **changes)
    same_side = {other for other in before if (other[0] == "p") == (name[0] == "p")}
    expected = {"in", "out"} - {left}, same_side
    assert taken(module) == expected


@pytest.mark.parametrize(("register", "clocks"), [("ab", {"out"}), ("abp", {"in", "out"})])
def test_one_clock(register, clocks):
    """Inputs on another clock than the outputs stay; a multiplier all on that clock is taken."""
    module = design()
    for name, cell in module["cells"].items():
        if name[0] in register:
            cell["connections"]["CLK"] = [OTHER_CLOCK]
    assert taken(module)[0] == clocks


def test_factor_from_logic():
    """One bit that no register holds, and none of either factor is taken."""
    module = design()
    del module["cells"]["a2"]
    assert taken(module) == ({"out"}, {"a0", "a1", "b0", "b1", "b2", "b3"})


def test_shared_factor():
    """A flip-flop that something else reads is taken in, and stays; a port reads it too."""
    module = design()
    module["cells"]["else"] = reader(11)
    module["ports"]["o"]["bits"].append(23)
    assert taken(module) == ({"in", "out"}, {"a1", "b3"})
    assert module["cells"]["m"]["connections"]["A1"] == [111]


def test_two_multipliers_share():
    """One register for two multipliers: each takes it in, and it goes."""
    module = design()
    module["cells"]["n"] = other = deepcopy(module["cells"]["m"])
    other["connections"] |= {pin: [FREE + bit] for bit, pin in enumerate(PRODUCT)}
    assert taken(module) == ({"in", "out"}, set())
    assert set(other["parameters"]) == {"REG_INPUTA_CLK", "REG_INPUTB_CLK", "GSR"}


@pytest.mark.parametrize("change", ["cell", "port", "second register", "no register"])
def test_product_used_elsewhere(change):
    """A bit of the product that anything but one register reads, and the registers after it stay."""
    module, expected = design(), {f"p{i}" for i in range(7)}
    if change == "cell":
        module["cells"]["else"] = reader(145)
    elif change == "port":
        module["ports"]["o"]["bits"].append(150)
    elif change == "second register":
        module["cells"]["q"] = flip_flop(145, FREE)
        expected.add("q")
    else:
        module["cells"]["p5"] = reader(145)
        expected.discard("p5")
    assert taken(module) == ({"in"}, expected)


def test_chain():
    """Of two registers in a row the nearer one goes in; between two multipliers the first takes it."""
    module = design()
    module["cells"]["early"] = flip_flop(FREE, 110)
    assert taken(module) == ({"in", "out"}, {"early"})
    module = design()
    module["cells"]["n"] = other = deepcopy(module["cells"]["m"])
    other["connections"] |= {pin: [FREE + bit] for bit, pin in enumerate(PRODUCT)}
    other["connections"] |= {pin: [40 + min(bit % 18, 6)] for bit, pin in enumerate(FACTORS)}
    assert taken(module) == ({"in", "out"}, set()) and not other["parameters"]


def test_has_registers():
    """A multiplier that the design gave a clock to is left as it is."""
    module = design()
    module["cells"]["m"]["connections"]["CLK0"] = [OTHER_CLOCK]
    module["cells"]["m"]["port_directions"]["CLK0"] = "input"
    before = deepcopy(module)
    take_registers(module)
    assert module == before


# -- with the tools ---------------------------------------------------------------------------------------------------
class Products(Component):
    """``count`` products with a register before and after; what goes in is made of two inputs, so that no register of
    the harness holds the same."""

    def __init__(self, count):
        self.count = count
        super().__init__({"i_x": In(29 * count), "i_y": In(29 * count), "o": Out(29 * count)})

    def elaborate(self, platform):
        m = Module()
        operands = self.i_x ^ self.i_y
        for index in range(self.count):
            bits = operands[29 * index :][:29]
            a = register(m, bits[:11].as_signed(), f"a_{index}")
            b = register(m, bits[11:].as_signed(), f"b_{index}")
            product = Signal(signed(29), name=f"product_{index}")
            m.d.comb += [product.eq(a * b), self.o[29 * index :][:29].eq(register(m, product, f"p_{index}"))]
        return m


@pytest.mark.slow  # yosys of every family
@pytest.mark.skipif(not YOSYS.exists(), reason="yosys is not installed: python3 tools/setup.py synth")
@pytest.mark.parametrize("device", ["LFE5U-85F", "xc7", "xcup", "GW2A-18", "LIFCL-40"])
def test_one_multiplier(tmp_path, device):
    """A signed product of 11 x 18 bits between registers is one multiplier in every family that has such."""
    counts = count_cells(netlist_of(Products(1), device, tmp_path), DEVICES[device].family)
    assert counts["dsps"] == 1
    assert counts["luts"] <= 2 * 29  # of what goes in and of the harness' signature


@pytest.mark.slow  # nextpnr takes a minute
@pytest.mark.skipif(not NEXTPNR.exists(), reason="nextpnr is not installed: python3 tools/setup.py synth")
def test_multipliers_are_clocked(tmp_path):
    """nextpnr takes these registers for registers: no path goes through a multiplier."""
    count = 16
    cells = netlist_of(Products(count), "LFE5U-85F", tmp_path)
    before = json.loads((tmp_path / "synthesised.json").read_text())["modules"]["harness"]["cells"]
    counts = [count_cells(each) for each in (before, cells)]
    assert counts[1] == counts[0] | {"ffs": counts[0]["ffs"] - 2 * 29 * count} and counts[1]["dsps"] == count
    report = place_and_route(tmp_path, DEVICES["LFE5U-85F"], 6, 1, 600)[0]["static"]
    steps = [step for path in report["critical_paths"] for step in path["path"] if "MULT18X18D" in step["from"]["cell"]]
    assert "logic" not in {step["type"] for step in steps}
