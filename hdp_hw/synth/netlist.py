"""The flat netlist of yosys: what it counts, by block, and its global reset."""

import re
from collections import Counter

from hdp_hw.synth.devices import ECP5, KINDS


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


def buffer_reset(cells):
    """Put the reset that most registers of an ECP5 have, if any, on a global net; nextpnr puts only clocks there."""
    registers = [cell["connections"] for cell in cells.values() if cell["type"] == "TRELLIS_FF"]
    resets = Counter(ends["LSR"][0] for ends in registers if ends.get("LSR", ["0"]) != ["0"])
    if not resets:
        return
    ((reset, _),) = resets.most_common(1)
    nets = [net for cell in cells.values() for nets in cell["connections"].values() for net in nets]
    buffered = 1 + max(net for net in nets if isinstance(net, int))  # constants are text
    for ends in registers:
        if ends.get("LSR") == [reset]:
            ends["LSR"] = [buffered]
    cells["reset_buffer"] = {
        "type": "DCCA",
        "port_directions": {"CLKI": "input", "CE": "input", "CLKO": "output"},
        "connections": {"CLKI": [reset], "CE": ["1"], "CLKO": [buffered]},
        "parameters": {},
        "attributes": {},
    }
