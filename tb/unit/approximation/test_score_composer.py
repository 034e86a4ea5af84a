"""ScoreComposer against golden/bits/array/tile_array.py."""

import random

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.array.tile_array import integer_scores, scores
from hdp_hw.golden.bits.digits import split
from hdp_hw.rtl.approximation.score_composer import ScoreComposer
from hdp_hw.spec.params import ArrayMode
from tb.lib.lockstep import pack, read, start
from tb.unit.approximation.approximation_bench import CORES, PARAMS, on_every_core, run


def beats(mode, q, k):
    """``[(mode, sum)]``: what a dot unit delivers for rows ``q`` and ``k`` [d] in ``mode``, cycle by cycle."""
    (iq, fq), (ik, fk) = split(q, PARAMS.digit_width), split(k, PARAMS.digit_width)
    terms, elements = {
        ArrayMode.INTEGER: (iq * ik, PARAMS.lanes),
        ArrayMode.CROSS: (iq * fk + fq * ik, PARAMS.lanes // 2),
        ArrayMode.FULL: (q * k, PARAMS.slice_width),
    }[mode]
    return [(mode, terms[n : n + elements].sum()) for n in range(0, len(terms), elements)]


def row(rng, d):
    """A row of operands: any, or extreme ones."""
    largest = PARAMS.digit_max
    return rng.choice([-largest, largest], d) if rng.random() < 0.3 else rng.integers(-largest, largest + 1, d)


def jobs(rng, n):
    """``[(beats, S)]`` of ``n`` scores: INTEGER alone, INTEGER and CROSS, or FULL, for every legal head_dim."""
    w, result = PARAMS.digit_width, []
    lowest = np.full(PARAMS.max_head_dim, -PARAMS.digit_max)
    for index in range(n):
        d = PARAMS.max_head_dim if index < 9 else rng.integers(1, PARAMS.max_slices + 1) * PARAMS.slice_width
        q, k = (lowest, lowest) if index < 3 else (row(rng, d), row(rng, d))
        kind = index % 3
        if kind == 0:
            result.append((beats(ArrayMode.INTEGER, q, k), integer_scores(q[None], k[None], w).item() << 2 * w))
        elif kind == 1:
            s = scores(q[None], k[None], w, full=False).item()
            result.append((beats(ArrayMode.INTEGER, q, k) + beats(ArrayMode.CROSS, q, k), s))
        else:
            result.append((beats(ArrayMode.FULL, q, k), scores(q[None], k[None], w, full=True).item()))
    return result


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def composes(dut, gaps):
    """Scores back to back; every score comes exactly ``latency`` cycles after its last sum."""
    await start(dut)
    work = jobs(np.random.default_rng(cocotb.RANDOM_SEED), 300)
    pending = [(*beat, n == 0, s if n == len(sums) - 1 else None) for sums, s in work for n, beat in enumerate(sums)]
    pending.reverse()
    due, came, cycle, end = {}, 0, 0, None
    while cycle != end:
        await RisingEdge(dut.aclk)
        if cycle in due:
            got, want = read(dut.o_s, "o_s"), pack(due[cycle], len(dut.o_s))
            assert got == want, f"score {came}: {got:#x}, expected {want:#x} = {due[cycle]}"
            came += 1
        cycle += 1
        driving = bool(pending) and not (gaps and random.random() < 0.3)
        noise = [random.getrandbits(len(signal)) for signal in (dut.i_mode, dut.i_sum, dut.i_first)]
        mode, total, first, s = pending.pop() if driving else (*noise, None)
        dut.i_valid.value, dut.i_mode.value, dut.i_sum.value = driving, int(mode), pack(total, len(dut.i_sum))
        dut.i_first.value = first
        if driving and s is not None:
            due[cycle + ScoreComposer.latency] = s
        if not pending and end is None:
            end = cycle + ScoreComposer.latency + 4
    assert came == len(work), f"{came} of {len(work)} scores came out"


@on_every_core
def test_score_composer(simulator, core):
    run(ScoreComposer(CORES[core]), __name__, simulator, core)
