"""Norms in the memory of a bench."""

from hdp_hw.driver.memory_layout import Region
from hdp_hw.driver.norm_layout import norm_extents, norm_fields, pack_norm
from hdp_hw.simulation.random_norms import random_norm
from hdp_hw.spec.formats import NORM_FIELDS, packed


class PlacedNorm:
    """A random NormJob in a bench's memory; ``allocate(n_bytes)`` gives the address of bytes that nothing else uses.

    fields : of its descriptor, which lies at ``address``. Strides leave gaps now and then.
    """

    def __init__(self, rng, params, memory, allocate, **more):
        norm, regions = random_norm(rng, params, **more), {}
        for name, (rows, n_bytes) in norm_extents(norm, params).items():
            stride = n_bytes + params.bus_bytes * int(rng.choice([0, 0, 1, 5]))
            if name == "norm_fraction":
                stride = regions["norm_integer"].row_stride
            regions[name] = Region(allocate(rows * stride), stride, 0, rows * stride)
        for name, content in pack_norm(norm, regions, 0).items():
            memory.poke(regions[name].offset, content.tobytes())
        reserved = {name: int(rng.integers(1 << 6)) for name in NORM_FIELDS if name.startswith("reserved")}
        self.fields = dict.fromkeys(NORM_FIELDS, 0) | norm_fields(norm, regions, 0) | reserved
        self.memory, self.address = memory, regions["norm"].offset
        self.put({})

    def put(self, changes):
        """Write the descriptor, with these fields in place of its own."""
        self.fields |= changes
        self.memory.poke(self.address, packed(NORM_FIELDS, self.fields))
