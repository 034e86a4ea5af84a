"""The registers inside an ECP5's multipliers: yosys leaves them empty, and those around a multiplier in logic."""

from hdp_hw.deliver.synth.netlist import is_plain, readers_of

FACTORS = [f"{port}{bit}" for port in "AB" for bit in range(18)]
PRODUCT = [f"P{bit}" for bit in range(36)]


def take_registers(module):
    """Move the registers around the multipliers of a flat netlist's module into them.

    Product: if each bit that is used goes to one plain flip-flop and nowhere else. Factors: if each bit is a constant
    or comes from a plain flip-flop, which stays where something else reads it; both factors or none, because nextpnr
    times a multiplier with one of these registers as if it had none. All plain flip-flops of one have one clock.
    """
    cells = module["cells"]
    multipliers = [cell for cell in cells.values() if cell["type"] == "MULT18X18D"]
    multipliers = [cell for cell in multipliers if "CLK0" not in cell["connections"]]
    plain = {name: cell for name, cell in cells.items() if is_plain(cell)}
    readers = readers_of(module)
    for multiplier in multipliers:
        pins = multiplier["connections"]
        used = [pin for pin in PRODUCT if pin in pins and pins[pin][0] in readers]
        names = [readers[pins[pin][0]] for pin in used]
        flip_flops = [plain[name[0]] for name in names if len(name) == 1 and name[0] in plain]
        if len(flip_flops) == len(used) and _enable(multiplier, ["OUTPUT"], flip_flops):
            for pin, (name,) in zip(used, names):
                pins[pin] = plain.pop(name)["connections"]["Q"]
                del cells[name]
    sources = {cell["connections"]["Q"][0]: name for name, cell in plain.items()}
    taken = {}
    for multiplier in multipliers:
        pins = multiplier["connections"]
        variable = {pin: pins[pin][0] for pin in FACTORS if isinstance(pins[pin][0], int)}  # constants are text
        names = [sources[net] for net in variable.values() if net in sources]
        if len(names) == len(variable) and _enable(multiplier, ["INPUTA", "INPUTB"], [plain[name] for name in names]):
            for pin, name in zip(variable, names):
                pins[pin] = plain[name]["connections"]["DI"]
                taken[name] = plain[name]["connections"]["Q"][0]
    readers = readers_of(module)
    for name, net in taken.items():
        if net not in readers:
            del cells[name]


def _enable(multiplier, registers, flip_flops):
    """Set ``registers`` of a multiplier in place of ``flip_flops`` if these have one clock; returns whether it did."""
    pins, parameters = multiplier["connections"], multiplier["parameters"]
    domains = {(cell["connections"]["CLK"][0], cell["parameters"].get("GSR", "ENABLED")) for cell in flip_flops}
    if "CLK0" in pins:
        domains.add((pins["CLK0"][0], parameters["GSR"]))
    if not flip_flops or len(domains) > 1:
        return False
    ((clock, gsr),) = domains
    pins |= {"CLK0": [clock], "CE0": ["1"], "RST0": ["0"]}
    multiplier["port_directions"] |= dict.fromkeys(("CLK0", "CE0", "RST0"), "input")
    parameters |= {f"REG_{register}_CLK": "CLK0" for register in registers} | {"GSR": gsr}
    return True
