"""SegmentGenerator against golden.bits.shell.fetch."""

import random

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.shell.fetch import ALL, MASKED, NOTHING, runs
from hdp_hw.rtl.shell.segment_generator import SegmentGenerator
from hdp_hw.spec.params import ceil_div
from tb.lib.lockstep import pack, read, start
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run
from tb.unit.shell.read_path_bench import Sink, Source

FIELDS = ("address", "row_stride", "n_rows", "words", "zero", "key", "last")


def random_union(rng, n_blocks):
    """Bits of all densities, or long runs of one kind."""
    if rng.random() < 0.3:
        return np.repeat(rng.random(n_blocks) < 0.5, rng.integers(1, 2 * PARAMS.mask_word))[:n_blocks]
    return rng.random(n_blocks) < rng.choice([0, 0.1, 0.5, 0.9, 1])


def random_request(rng):
    """A request, and the union that it may ask for."""
    n_rows = int(rng.choice([1, PARAMS.tile, PARAMS.max_seq_len, rng.integers(1, PARAMS.max_seq_len + 1)]))
    request = {
        "plane_address": int(rng.integers(0, 1 << PARAMS.address_width)) // PARAMS.bus_bytes * PARAMS.bus_bytes,
        "plane_row_stride": int(rng.integers(0, 1 << 12)) * PARAMS.bus_bytes,
        "n_rows": n_rows,
        "words": int(rng.integers(1, PARAMS.max_slices + 1)),
        "fetch": int(rng.choice([NOTHING, MASKED, MASKED, ALL])),
    }
    request |= {name: int(rng.integers(0, 2)) for name in ("key", "last")}
    return request, random_union(rng, ceil_div(n_rows, PARAMS.tile))


def segments(request, union):
    """The segments that are due, as tuples of FIELDS."""
    found = runs(request["fetch"], request["n_rows"], union, PARAMS.tile)
    last = request["last"]
    return [
        (
            (request["plane_address"] + first * request["plane_row_stride"]) % (1 << PARAMS.address_width),
            request["plane_row_stride"],
            n_rows,
            request["words"],
            int(not is_read),
            request["key"],
            int(last and index == len(found) - 1),
        )
        for index, (first, n_rows, is_read) in enumerate(found)
    ]


async def answer(dut, unions, rng):
    """Be the unions' memory: a clock cycle behind the address; what lies beyond is random."""
    while True:
        await RisingEdge(dut.aclk)
        union = unions[read(dut.o_head, "o_head")]
        bits = union[read(dut.o_index, "o_index") * PARAMS.mask_word :][: PARAMS.mask_word]
        beyond = rng.random(PARAMS.mask_word - len(bits)) < 0.5
        dut.i_word.value = pack([*bits, *beyond], PARAMS.mask_word)


@cocotb.test()
@cocotb.parametrize(stalls=[0.0, 0.4])
async def requests(dut, stalls):
    """Every segment, once and in order; without stalls, in the clock cycle that the docstring says."""
    await start(dut)
    rng = bench_rng()
    unions = [[]] * 4
    sink = Sink(dut, "o", FIELDS, random.Random(cocotb.RANDOM_SEED), stalls)
    cocotb.start_soon(sink.run())
    cocotb.start_soon(answer(dut, unions, rng))
    expected, cycles = [], []
    for number in range(200):
        request, union = random_request(rng)
        request["head"] = number % 4
        unions[number % 4] = union
        source = Source(dut, "i", [request], sink.rng, stalls)
        await source.run()
        due = segments(request, union)
        expected += due
        search = 0
        if request["fetch"] == MASKED:
            search = 2 * ceil_div(len(union), PARAMS.mask_word) + len(union) + len(due) - 1
        cycles.append((len(expected), source.taken[0] + search + 1))
    await sink.collect(len(expected), 10_000)
    assert sink.beats == expected
    if not stalls:
        assert [sink.cycles[n - 1] for n, _ in cycles] == [cycle for _, cycle in cycles]


@on_cores("narrow")
def test_segment_generator(simulator, core):
    run(SegmentGenerator(CORES[core]), __name__, simulator, core)
