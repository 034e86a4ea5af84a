"""Gates in front of an ECP5's carry chains, which the carry cells can do: yosys makes LUTs of them."""

from hdp_hw.deliver.synth.netlist import readers_of

LUT_PINS = "ABCD"
ADDER = "1001011010101010"  #: INIT of half a carry cell that adds A, B and its carry, or subtracts with C = 1; D is 1


def take_gates(module):
    """Move LUTs that only feed one input of a carry cell of a flat netlist's module into that cell.

    Half a carry cell has a function of A, B and C for the sum, D being 1, and one of A and B for the carry, which
    counts where the summands are equal. So it takes the gates before both summands if these have three inputs in all,
    and one of the summands has two at most: that one's value is the carry.
    """
    cells = module["cells"]
    readers = readers_of(module)
    gates = {
        cell["connections"]["Z"][0]: name
        for name, cell in cells.items()
        if cell["type"] == "LUT4" and len(readers.get(cell["connections"]["Z"][0], ())) == 1
    }
    for cell in list(cells.values()):
        if cell["type"] == "CCU2C":
            for half in "01":
                for name in _take(cells, cell, half, gates):
                    del cells[name]


def _take(cells, cell, half, gates):
    """Do the gates before one half of a carry cell in it, as many as it takes; returns their names."""
    pins = cell["connections"]
    if cell["parameters"][f"INIT{half}"] != ADDER or pins[f"D{half}"] != ["1"] or isinstance(pins[f"C{half}"][0], int):
        return []
    inverted = pins[f"C{half}"] == ["1"]
    nets = [pins[f"{pin}{half}"][0] for pin in "AB"]
    for chosen in ((True, True), (False, True), (True, False)):
        names = [gates.get(net) if wanted else None for net, wanted in zip(nets, chosen)]
        if any(wanted and name is None for name, wanted in zip(names, chosen)):
            continue
        summands = [_function(cells[name]) if name else _wire(net) for name, net in zip(names, nets)]
        if inputs := _inputs(*(inputs for inputs, _ in summands)):
            carry, pin_nets = inputs
            bits = ["0"] * 16
            for value in range(8):
                of_net = dict(zip(pin_nets, (value & 1, value >> 1 & 1, value >> 2)))
                a, b = (function(of_net) for _, function in summands)
                bits[15 - (8 + value)] = str(a ^ b ^ inverted)
                if value < 4:
                    bits[15 - value] = str((a, b ^ inverted)[carry])
            cell["parameters"][f"INIT{half}"] = "".join(bits)
            pins |= {f"{pin}{half}": [net] for pin, net in zip("ABC", [*pin_nets, "0", "0", "0"])}
            return [name for name in names if name]
    return []


def _wire(net):
    """A net as :func:`_function` has a gate."""
    if isinstance(net, str):
        return (), lambda _: int(net == "1")
    return (net,), lambda of_net: of_net[net]


def _function(gate):
    """``(nets, function of {net: bit})`` of a LUT, without inputs that are constant."""
    pins = [gate["connections"][pin][0] for pin in LUT_PINS]
    nets = tuple(dict.fromkeys(net for net in pins if isinstance(net, int)))
    init = int(gate["parameters"]["INIT"], 2)

    def function(of_net):
        bits = (of_net[net] if isinstance(net, int) else int(net == "1") for net in pins)
        return init >> sum(bit << place for place, bit in enumerate(bits)) & 1

    return nets, function


def _inputs(a, b):
    """``(which summand the carry is, nets of A, B and C)`` for summands of these nets, or None if they are too many."""
    for carry, (first, second) in enumerate(((a, b), (b, a))):
        rest = [net for net in second if net not in first]
        if len(first) <= 2 and len(first) + len(rest) <= 3:
            return carry, [*first, *rest]
    return None
