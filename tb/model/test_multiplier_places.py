"""The places of the array's multipliers on an ECP5."""

from itertools import product

import pytest

from hdp_hw.deliver.synth.devices import DEVICES
from hdp_hw.deliver.synth.multiplier_places import place_multipliers

ROWS = DEVICES["LFE5U-85F"].multipliers
SITES = {f"X{x}/Y{y}/MULT18_{number}" for y, places in ROWS for x, number in places}


def array(side, lanes):
    """A netlist with ``side`` x ``side`` sub-tiles and a multiplier that belongs to none."""
    named = [(f"{r}_{c}", lane) for r, c, lane in product(range(side), range(side), range(lanes))]
    cells = {f"m{net}": multiplier(net) for net in range(len(named) + 1)}
    names = (f"core.core.array.sub_tile_{unit}.product_{lane}" for unit, lane in named)
    return {"cells": cells, "netnames": {name: {"bits": [net, 10_000 + net]} for net, name in enumerate(names)}}


def multiplier(net):
    return {"type": "MULT18X18D", "attributes": {}, "connections": {"P0": [net]}}


def places(module):
    """``{cell: place}`` of what was placed."""
    place_multipliers(module, ROWS)
    return {name: cell["attributes"]["BEL"] for name, cell in module["cells"].items() if cell["attributes"]}


def test_places():
    """Each of the array's has a place of its own on the device; those of a sub-tile's query row stand together."""
    placed = places(array(2, 32))
    assert len(placed) == len(set(placed.values())) == 128 and set(placed.values()) <= SITES
    assert "m128" not in placed
    for unit, row in product(range(4), range(2)):
        group = [placed[f"m{32 * unit + 16 * row + lane}"] for lane in range(16)]
        assert len({place.split("/")[1] for place in group}) == 1
        columns = [int(place.split("/")[0][1:]) for place in group]
        assert max(columns) - min(columns) < 42


def test_sites():
    assert len(SITES) == 156


@pytest.mark.parametrize(("side", "lanes"), [(1, 16), (2, 64)], ids=["few", "too many"])
def test_left_to_the_placer(side, lanes):
    assert places(array(side, lanes)) == {}


def test_no_array():
    assert places({"cells": {"m": multiplier(1)}, "netnames": {}}) == {}
    unknown = array(2, 32)
    place_multipliers(unknown, ())
    assert not any(cell["attributes"] for cell in unknown["cells"].values())
