"""What the driver writes of a norm is what the golden model of its lane reads: hdp_hw/driver/norm_layout.py."""

from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver.backend import LayerJob
from hdp_hw.driver.memory_layout import JobLayout, pack_job, unpack_run
from hdp_hw.golden.bits.shell.norm_lane import contents, norm_rows, refused, unpacked
from hdp_hw.simulation.random_norms import random_norm
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.formats import NORM_BYTES, NORM_FIELDS, REGION_ALIGNMENT, packed
from hdp_hw.spec.params import ceil_div
from tb.lib.axi_memory import Memory


@pytest.mark.parametrize("bus_width", [32, 64, 128])
def test_as_the_lane_reads_and_leaves_it(bus_width):
    """At the highest addresses."""
    params, rng = replace(CONFIGS["tiny"], encoder=1, bus_width=bus_width), np.random.default_rng(bus_width)
    for _ in range(20):
        norm = random_norm(rng, params)
        job = LayerJob.of_norm(norm)
        layout = JobLayout.of(job, params)
        base = (1 << params.address_width) - ceil_div(layout.size, REGION_ALIGNMENT) * REGION_ALIGNMENT
        memory, regions = Memory(layout.size, base), layout.regions
        for name, content in pack_job(job, params, base).items():
            assert name == "norm_scales" or content.size == regions[name].n_bytes
            memory.poke(base + regions[name].offset, content.tobytes())
        fields = unpacked(memory.peek(base + regions["norm"].offset, NORM_BYTES))
        assert refused(fields, params) is None
        for address, content in contents(memory.peek, fields, params):
            memory.poke(address, content)
        buffer = np.frombuffer(memory.data, np.uint8)
        places = {name: slice(region.offset, region.offset + region.n_bytes) for name, region in regions.items()}
        run = unpack_run(job, params, lambda name, at=places, of=buffer: of[at[name]])
        expected = norm_rows(fields, norm.x, norm.y, norm.scales)
        for written, got, golden in zip((norm.words, norm.operands), run.norm, expected, strict=True):
            assert written == (got is not None)
            np.testing.assert_array_equal(got, golden if written else None)


def test_descriptor():
    """Every field comes back, each from bits of its own."""
    rng = np.random.default_rng(1)
    values = {name: int.from_bytes(rng.bytes(8), "little") >> (64 - width) for name, width in NORM_FIELDS.items()}
    assert unpacked(packed(NORM_FIELDS, values)) == values
    assert NORM_BYTES % (128 // 8) == 0 and packed(NORM_FIELDS, {"x_address": 0x1234})[48:50] == b"\x34\x12"
