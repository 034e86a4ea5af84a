"""The flat netlist of yosys: what it counts, by block; its global resets, and carry inputs that nextpnr refuses."""

import re
from collections import Counter
from itertools import count

from hdp_hw.deliver.synth.devices import ECP5, KINDS

#: What a flip-flop must be for a register in a multiplier or block RAM to do the same: no enable or reset, 0 at first.
PLAIN = {"CEMUX": "1", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}
GLOBAL_RESET = 1000  #: registers whose reset is worth one of the 16 global nets


def count_cells(cells, family=ECP5):
    """``{kind: number}`` of a flat netlist's cells, as ``family`` counts them."""
    types = Counter(cell["type"] for cell in cells.values())
    counts = dict.fromkeys(KINDS, 0)
    for kind, patterns in family.cells.items():
        for pattern, weight in patterns.items():
            counts[kind] += weight * sum(number for name, number in types.items() if re.fullmatch(pattern, name))
    return counts


def area_by_block(cells, family=ECP5):
    """``{block: {kind: number}}``; what belongs to no block is the harness."""
    blocks = {}
    for name, cell in cells.items():
        blocks.setdefault(block_of(name), {})[name] = cell
    return {block: count_cells(blocks[block], family) for block in sorted(blocks)}


def block_of(cell):
    """The core's block that a cell of the flat netlist belongs to: ``array``, ``predictor``, ..., or ``harness``."""
    parts = cell.lstrip("\\").split(".")
    if parts[0] != "core":
        return "harness"
    return re.split(r"[\[$]", parts[2])[0] if len(parts) > 3 else "core"


def is_plain(cell):
    """Whether a cell is a flip-flop as of PLAIN; yosys pads parameters that look like numbers with a blank."""
    if cell["type"] != "TRELLIS_FF" or cell["connections"].get("LSR", ["0"]) != ["0"]:
        return False
    return {key: cell["parameters"].get(key, "").strip() for key in PLAIN} == PLAIN


def readers_of(module):
    """``{net: [name of each cell that reads it, or of each port]}``."""
    readers = {}
    for name, cell in module["cells"].items():
        for pin, nets in cell["connections"].items():
            if cell["port_directions"][pin] != "output":
                for net in nets:
                    readers.setdefault(net, []).append(name)
    for name, port in module["ports"].items():
        for net in port["bits"]:
            readers.setdefault(net, []).append(f"port {name}")
    return readers


def open_carry_inputs(cells):
    """Leave the carry input open of Nexus carry cells that begin a chain: yosys ties it to 0, which nextpnr refuses.

    Such a cell hands its operand A1 on, whatever its carry input is.
    """
    low = {cell["connections"]["Z"][0] for cell in cells.values() if cell["type"] == "VLO"}
    for cell in cells.values():
        if cell["type"] == "CCU2" and cell["parameters"]["INIT1"] == "0x00AA" and cell["connections"]["CIN"][0] in low:
            del cell["connections"]["CIN"]


def buffer_resets(cells):
    """Put every reset of at least GLOBAL_RESET registers of an ECP5 on a global net; nextpnr puts only clocks there.

    A register that drives such a reset gets a copy for it: what else reads the reset may be far from the buffer.
    """
    drivers, loads = {}, {}
    for cell in cells.values():
        if cell["type"] == "TRELLIS_FF":
            drivers[cell["connections"]["Q"][0]] = cell
            loads.setdefault(cell["connections"].get("LSR", ["0"])[0], []).append(cell["connections"])
    nets = [net for cell in cells.values() for nets in cell["connections"].values() for net in nets]
    unused = count(1 + max((net for net in nets if isinstance(net, int)), default=0))  # constants are text
    for reset, registers in loads.items():
        if reset == "0" or len(registers) < GLOBAL_RESET:
            continue
        source, buffered = reset, next(unused)
        if driver := drivers.get(reset):
            source = next(unused)
            cells[f"reset_copy_{reset}"] = driver | {"connections": driver["connections"] | {"Q": [source]}}
        for ends in registers:
            ends["LSR"] = [buffered]
        cells[f"reset_buffer_{reset}"] = {
            "type": "DCCA",
            "port_directions": {"CLKI": "input", "CE": "input", "CLKO": "output"},
            "connections": {"CLKI": [source], "CE": ["1"], "CLKO": [buffered]},
            "parameters": {},
            "attributes": {},
        }
