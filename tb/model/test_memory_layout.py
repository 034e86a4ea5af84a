"""What the driver writes to the buffer is what the core's loader would deliver: hdp_hw/driver/memory_layout.py."""

import dataclasses

import numpy as np
import pytest

from hdp_hw.driver.backend import HeadRecord, LayerJob
from hdp_hw.driver.errors import HdpError
from hdp_hw.driver.memory_layout import JobLayout, pack_job, table_entry, unpack_output, unpack_records
from hdp_hw.golden.bits.core.plane_loader import integer_and_fraction, value
from hdp_hw.golden.bits.shell.plane_reader import Segment, words
from hdp_hw.golden.bits.shell.write_traffic import Output, Target, contents
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.formats import RECORD_BYTES, REGION_ALIGNMENT, UNWRITTEN
from hdp_hw.spec.params import HdpParams, ceil_div
from hdp_hw.spec.settings import HeadSettings, Rule, Verdict

PARAMS = [
    *CONFIGS.values(),
    *(HdpParams(lanes=lanes, bus_width=bus) for lanes in (4, 64) for bus in (32, 128)),
    *(HdpParams(lanes=lanes, digit_width=8, bus_width=bus) for lanes in (4, 16, 64) for bus in (32, 64, 128)),
]
each_params = pytest.mark.parametrize("params", PARAMS, ids=lambda p: f"{p.lanes}x{p.digit_width}bits-bus{p.bus_width}")


def random_job(params, n_heads=3, n_kv_heads=2, n_q=5, n_k=7, d=None):
    """Operands over the whole range; the head dimension fills no row."""
    d = d or params.max_head_dim - params.slice_width
    rng = np.random.default_rng(params.lanes + params.bus_width)
    limit = 1 << (params.operand_width - 1)
    shapes = (n_heads, n_q, d), (n_kv_heads, n_k, d), (n_kv_heads, n_k, d)
    q, k, v = (rng.integers(-limit, limit, shape) for shape in shapes)
    settings = tuple(HeadSettings(n_q, n_k, d, Rule.MARGIN, margin=head) for head in range(n_heads))
    return LayerJob(q, k, v, settings)


def delivered(content, region, head, n_rows, n_words, params, key=0):
    """Words of a head's rows, through the golden model of the plane reader."""
    segment = Segment(head * region.head_stride, region.row_stride, n_rows, n_words, key=key, last=1)
    return words(lambda address, n: content[address : address + n].tobytes(), [segment], params)


def beats_as_numbers(beats, width):
    return [sum((int(x) & (1 << width) - 1) << (width * i) for i, x in enumerate(word)) for word, *_ in beats]


@each_params
def test_planes_are_the_beats_of_the_core(params):
    job = random_job(params)
    packed, layout = pack_job(job, params), JobLayout.of(job, params)
    slices = params.slices(job.q.shape[2])
    for head in range(3):
        kv = head * 2 // 3
        planes = dict(zip(("integer", "fraction"), integer_and_fraction(job.q[head], job.k[kv], params)))
        for name, beats in planes.items():
            got = []
            for matrix, place, n_rows in (("q", head, 5), ("k", kv, 7)):
                region, content = layout.regions[f"{matrix}_{name}"], packed[f"{matrix}_{name}"]
                got += delivered(content, region, place, n_rows, ceil_div(slices, 4), params)
            assert [word for word, _, _ in got] == beats_as_numbers(beats, params.digit_width)
        beats = value(job.v[kv], params)
        got = delivered(packed["value"], layout.regions["value"], kv, 7, ceil_div(slices, 2), params)
        assert [(word, last) for word, _, last in got] == list(
            zip(beats_as_numbers(beats, params.operand_width), [last for _, last in beats])
        )


@each_params
def test_regions(params):
    job = random_job(params)
    layout, packed = JobLayout.of(job, params), pack_job(job, params)
    end = 0
    for name, region in layout.regions.items():
        assert region.offset >= end and region.offset % REGION_ALIGNMENT == 0
        assert region.row_stride % params.bus_bytes == region.head_stride % params.bus_bytes == 0
        assert name == "output" or len(packed[name]) == region.n_bytes
        end = region.offset + region.n_bytes
    assert end <= layout.size < end + REGION_ALIGNMENT
    assert set(layout.regions) - set(packed) == {"output"}


@each_params
def test_output_as_the_writer_leaves_it(params):
    job = random_job(params)
    region = JobLayout.of(job, params).regions["output"]
    content = np.full(region.n_bytes, 0xA5, np.uint8)
    for head, rows in enumerate(job.q):
        target = Target(head * region.head_stride, region.row_stride, rows.shape[1] // params.out_lanes)
        for address, line in contents(Output((target,), len(rows)), [rows], None, params):
            content[address : address + len(line)] = np.frombuffer(line, np.uint8)
    np.testing.assert_array_equal(unpack_output(job, params, content), job.q)


def test_odd_head_dimension():
    params = HdpParams(lanes=4)
    job = random_job(params, d=17)
    packed, layout = pack_job(job, params), JobLayout.of(job, params)
    beats = integer_and_fraction(job.q[1], job.k[0], params)[1]
    got = delivered(packed["q_fraction"], layout.regions["q_fraction"], 1, 5, 5, params)
    assert [word for word, _, _ in got] == beats_as_numbers(beats, 4)[: 5 * 5]


def test_records():
    heads = [HeadRecord(Verdict.PRUNED, 9, 0, 3 << 40), HeadRecord(Verdict.FALLBACK, 1 << 31, 1 << 30, 7)]
    content = b"".join(
        b"".join(x.to_bytes(n, "little") for x, n in zip((i, r.verdict, 0, *r[1:], 0), (2, 1, 1, 4, 4, 8, 12)))
        for i, r in enumerate(heads)
    )
    assert unpack_records(np.frombuffer(content, np.uint8)) == tuple(heads)
    unwritten = np.concatenate([np.frombuffer(content, np.uint8), np.full(RECORD_BYTES, UNWRITTEN, np.uint8)])
    with pytest.raises(HdpError, match="has not written the record of head 2: ffffffff"):
        unpack_records(unwritten)


def test_table_entry():
    settings = HeadSettings(
        *(1, 1, 16), rho=-3, margin=0x1234, log_mass=0x101, kappa=0x21, kappa_shift=31, mult=0x87, shift=63,
        tau_head=0xABCDE, min_keep=256,
    )  # fmt: skip
    assert table_entry(settings) == [
        0x1FD << 16 | 63 << 8 | 0x87,
        0x1234,
        0x101 << 16 | 31 << 8 | 0x21,
        0xABCDE,
        256,
        0,
        0,
        0,
    ]
    assert table_entry(dataclasses.replace(settings, rho=255))[0] >> 16 == 255
