"""Gates that an ECP5's carry cells take in: sum and carry stay the same, and what others read is left."""

from itertools import product

import pytest

from hdp_hw.deliver.synth.carry_gates import ADDER, take_gates

A, B, C, D, GATE, OTHER_GATE, CARRY = range(10, 17)  #: nets: of inputs, of gates, of the carry into the cell


def lut(function, pins, output):
    """A LUT4 of ``function`` of its pins' bits."""
    bits = [str(int(function(*(value >> place & 1 for place in range(4))))) for value in reversed(range(16))]
    connections = dict(zip("ABCD", ([pin] for pin in pins))) | {"Z": [output]}
    directions = dict.fromkeys("ABCD", "input") | {"Z": "output"}
    parameters = {"INIT": "".join(bits)}
    return {"type": "LUT4", "parameters": parameters, "port_directions": directions, "connections": connections}


def design(summands, inverted, gates):
    """A carry cell whose halves both add ``summands``, and LUTs before the first half of it."""
    connections, parameters = {"CIN": [CARRY]}, {"INJECT1_0": "NO", "INJECT1_1": "NO"}
    for half in "01":
        a, b = summands if half == "0" else (C, D)
        connections |= {f"A{half}": [a], f"B{half}": [b], f"C{half}": [inverted], f"D{half}": ["1"]}
        parameters[f"INIT{half}"] = ADDER
    connections |= {"S0": [100], "S1": [101], "COUT": [102]}
    directions = {pin: "output" if pin in ("S0", "S1", "COUT") else "input" for pin in connections}
    cell = {"type": "CCU2C", "parameters": parameters, "port_directions": directions, "connections": connections}
    ports = {"o": {"direction": "output", "bits": [100, 101, 102]}}
    return {"cells": {"carry": cell, **{f"gate{index}": gate for index, gate in enumerate(gates)}}, "ports": ports}


def outputs(module, of_input):
    """``(sum, carry)`` of the first half of the carry cell, as the vendor's cell has them."""
    nets = dict(of_input)
    for cell in module["cells"].values():
        if cell["type"] == "LUT4":
            pins = cell["connections"]
            nets[pins["Z"][0]] = looked_up(cell["parameters"]["INIT"], [pins[pin][0] for pin in "ABCD"], nets)
    cell = module["cells"]["carry"]
    pins, init = cell["connections"], cell["parameters"]["INIT0"]
    propagates = looked_up(init, [pins[f"{pin}0"][0] for pin in "ABCD"], nets)
    generated = looked_up(init[12:], [pins[f"{pin}0"][0] for pin in "AB"], nets)
    return propagates ^ nets[CARRY], nets[CARRY] if propagates else generated


def looked_up(init, pins, nets):
    bits = (int(net == "1") if isinstance(net, str) else nets[net] for net in pins)
    return int(init[-1 - sum(bit << place for place, bit in enumerate(bits))])


def and_not(a, b, c, d):
    return a and not b


def exclusive_or(a, b, c, d):
    return a ^ c


def majority(a, b, c, d):
    return a + b + c > 1


CASES = {
    "a gate at A": ((GATE, C), [lut(and_not, (A, B, "0", "0"), GATE)], 1),
    "a gate at B": ((C, GATE), [lut(exclusive_or, (A, "0", B, "1"), GATE)], 1),
    "a gate and a constant": (("1", GATE), [lut(exclusive_or, (A, "0", B, "0"), GATE)], 1),
    "gates that share an input": (
        (GATE, OTHER_GATE),
        [lut(and_not, (A, B, "0", "0"), GATE), lut(exclusive_or, (C, "0", B, "0"), OTHER_GATE)],
        2,
    ),
    "two gates of four inputs": (
        (GATE, OTHER_GATE),
        [lut(and_not, (A, B, "0", "0"), GATE), lut(exclusive_or, (C, "0", D, "0"), OTHER_GATE)],
        1,
    ),
    "a gate of three inputs, and one of them": ((GATE, A), [lut(majority, (A, B, C, "0"), GATE)], 1),
    "a gate of three inputs, and a fourth": ((GATE, D), [lut(majority, (A, B, C, "0"), GATE)], 0),
}


@pytest.mark.parametrize("inverted", "01")
@pytest.mark.parametrize("case", CASES)
def test_computes_the_same(case, inverted):
    """Sum and carry of the cell with its gates are those of the LUTs and the cell, for all inputs."""
    summands, gates, n_taken = CASES[case]
    before, after = design(summands, inverted, gates), design(summands, inverted, gates)
    take_gates(after)
    assert len(before["cells"]) - len(after["cells"]) == n_taken
    for bits in product((0, 1), repeat=5):
        of_input = dict(zip((A, B, C, D, CARRY), bits))
        assert outputs(after, of_input) == outputs(before, of_input), of_input


def test_leaves_what_others_read():
    """A gate that something else reads stays, and so does what a cell that is no plain adder reads."""
    read = design((GATE, C), "0", [lut(and_not, (A, B, "0", "0"), GATE)])
    read["ports"]["o"]["bits"].append(GATE)
    other = design((GATE, C), "0", [lut(and_not, (A, B, "0", "0"), GATE)])
    other["cells"]["carry"]["parameters"]["INIT0"] = "0" * 16
    variable = design((GATE, C), D, [lut(and_not, (A, B, "0", "0"), GATE)])
    for module in (read, other, variable):
        take_gates(module)
        assert "gate0" in module["cells"]
