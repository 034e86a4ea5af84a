"""The registers that an ECP5's block RAMs take in: all behind what is read, or none."""

import pytest

from hdp_hw.deliver.synth.block_ram_registers import OUTPUTS, take_output_registers
from tb.model.test_multiplier_registers import CLOCK, FREE, OTHER_CLOCK, SIGNAL, flip_flop, reader

N_USED = 20  #: bits of the word: 18 of port B, the rest of port A


def design():
    """A block RAM whose output pins 0.. are nets 100.., each with a flip-flop to net 200..; port B's come first."""
    pins = [*OUTPUTS["B"], *OUTPUTS["A"]]
    connections = {pin: [100 + index] for index, pin in enumerate(pins)}
    connections |= {"CLKA": [CLOCK], "CLKB": [CLOCK], "OCEA": ["0"], "OCEB": ["1"]}
    directions = {pin: "output" if pin in pins else "input" for pin in connections}
    parameters = {"GSR": "DISABLED", "REGMODE_A": "NOREG", "REGMODE_B": "NOREG"}
    ram = {"type": "DP16KD", "parameters": parameters, "port_directions": directions, "connections": connections}
    cells = {"ram": ram} | {f"q{index}": flip_flop(100 + index, 200 + index) for index in range(N_USED)}
    ports = {"o": {"direction": "output", "bits": list(range(200, 200 + N_USED))}}
    return {"cells": cells, "ports": ports}


def test_takes_all():
    module = design()
    take_output_registers(module)
    assert list(module["cells"]) == ["ram"]
    ram = module["cells"]["ram"]
    assert {ram["parameters"][f"REGMODE_{port}"] for port in "AB"} == {"OUTREG"}
    assert ram["connections"]["OCEA"] == ram["connections"]["OCEB"] == ["1"]
    pins = [*OUTPUTS["B"], *OUTPUTS["A"]][:N_USED]
    assert [ram["connections"][pin] for pin in pins] == [[200 + index] for index in range(N_USED)]


def test_port_b_alone():
    """A port of whose outputs none is used keeps its mode."""
    module = design()
    for index in range(18, N_USED):
        del module["cells"][f"q{index}"]
    take_output_registers(module)
    parameters = module["cells"]["ram"]["parameters"]
    assert (parameters["REGMODE_A"], parameters["REGMODE_B"]) == ("NOREG", "OUTREG")


UNLIKE = {
    "another clock": {"q0": flip_flop(100, 200, CLK=[OTHER_CLOCK])},
    "a reset": {"q19": flip_flop(119, 219, LSR=[SIGNAL])},
    "an enable": {"q1": flip_flop(101, 201, CEMUX="CE")},
    "set at the start": {"q1": flip_flop(101, 201, REGSET="SET")},
    "the global reset": {"q1": flip_flop(101, 201, GSR="ENABLED")},
    "another reader": {"other": reader(100)},
    "logic": {"q1": reader(101), "late": flip_flop(FREE, 201)},
}


@pytest.mark.parametrize("change", UNLIKE)
def test_leaves(change):
    """One bit that is unlike the others keeps the registers of both ports where they are."""
    module = design()
    module["cells"] |= UNLIKE[change]
    before = len(module["cells"])
    take_output_registers(module)
    assert len(module["cells"]) == before
    assert "OUTREG" not in module["cells"]["ram"]["parameters"].values()
