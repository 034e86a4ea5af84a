"""The output registers inside an ECP5's block RAMs: yosys leaves them empty, and the registers behind them in logic."""

from hdp_hw.deliver.synth.netlist import is_plain, readers_of

OUTPUTS = {port: [f"DO{port}{bit}" for bit in range(18)] for port in "AB"}


def take_output_registers(module):
    """Move the registers behind the block RAMs of a flat netlist's module into them.

    If each bit of what a block RAM reads that is used goes to one plain flip-flop of its clock and nowhere else. Both
    ports have outputs of one word where it is 36 bits wide, which is read at port B: then both, or none.
    """
    cells, readers = module["cells"], readers_of(module)
    plain = {name: cell for name, cell in cells.items() if is_plain(cell)}
    for ram in [cell for cell in cells.values() if cell["type"] == "DP16KD"]:
        pins = ram["connections"]
        used = {port: [pin for pin in OUTPUTS[port] if pins.get(pin, [None])[0] in readers] for port in "AB"}
        names = {port: [_register_of(ram, port, readers[pins[pin][0]], plain) for pin in used[port]] for port in "AB"}
        if not all(name for of_port in names.values() for name in of_port):
            continue
        for port in "AB":
            if used[port]:
                ram["parameters"][f"REGMODE_{port}"] = "OUTREG"
                pins[f"OCE{port}"] = ["1"]
            for pin, name in zip(used[port], names[port]):
                pins[pin] = plain[name]["connections"]["Q"]
                del cells[name]


def _register_of(ram, port, readers, plain):
    """The one plain flip-flop that reads an output of a port and has its clock, or None."""
    if len(readers) != 1 or readers[0] not in plain:
        return None
    flip_flop = plain[readers[0]]
    same_clock = flip_flop["connections"]["CLK"] == ram["connections"][f"CLK{port}"]
    same_reset = flip_flop["parameters"].get("GSR", "ENABLED") == ram["parameters"].get("GSR", "ENABLED")
    return readers[0] if same_clock and same_reset else None
