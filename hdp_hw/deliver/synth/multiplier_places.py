"""Where an ECP5's multipliers for the array stand: the placers of nextpnr scatter them over all rows of the device.

The products of a sub-tile's quarter meet in its adders, and those of the two quarters of one query row, element by
element, in a row accumulator. So these multipliers form a group, which stands in one row of the device, by elements.
"""

import re
from collections import defaultdict

PRODUCT = re.compile(r"array\.sub_tile_(\d+)_(\d+)\.product_(\d+)$")  #: the register of a lane's product, in SubTile


def place_multipliers(module, rows):
    """Give each multiplier of the array in a flat netlist's module its place, which nextpnr keeps.

    rows : ``((y, [(x, number), ...]), ...)``, the places of the device, of each row from left to right. A group goes to
    the first row that has room for all of it. Nothing is placed of an array that takes less than half of the device,
    has no groups, or does not fit in this way.
    """
    if not rows:
        return
    lanes = _lanes(module)
    n_places = sum(len(places) for _, places in rows)
    if 2 * len(lanes) < n_places or not lanes:
        return
    n_elements = (max(lane for *_, lane in lanes.values()) + 1) // 4
    groups = defaultdict(list)
    for name, (r, c, lane) in lanes.items():
        quarter, element = divmod(lane, n_elements)
        groups[r, quarter // 2, c].append((element, quarter, name))
    free = {y: list(places) for y, places in rows}
    chosen = {}
    for _, group in sorted(groups.items()):
        y = next((y for y, places in free.items() if len(places) >= len(group)), None)
        if y is None:
            return
        for *_, name in sorted(group):
            x, number = free[y].pop(0)
            chosen[name] = f"X{x}/Y{y}/MULT18_{number}"
    for name, place in chosen.items():
        module["cells"][name]["attributes"]["BEL"] = place


def _lanes(module):
    """``{cell: (sub-tile's row, its column, lane)}`` of the multipliers whose products the array's lanes take."""
    of_net = {}
    for name, net in module["netnames"].items():
        if found := PRODUCT.search(name):
            of_net[net["bits"][0]] = tuple(map(int, found.groups()))
    multipliers = ((name, cell) for name, cell in module["cells"].items() if cell["type"] == "MULT18X18D")
    products = ((name, cell["connections"]["P0"][0]) for name, cell in multipliers)
    return {name: of_net[net] for name, net in products if net in of_net}
