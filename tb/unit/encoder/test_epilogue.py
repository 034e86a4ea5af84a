"""Epilogue against golden/bits/encoder/epilogue.py."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.encoder.epilogue import activate, operands, words
from hdp_hw.rtl.encoder.epilogue import Epilogue
from hdp_hw.spec.encoder import OPERAND_MAX, SEGMENT_BITS, SHIFT_MAX, SUM_WIDTH, Activation
from tb.lib.lockstep import lockstep, pack, start
from tb.lib.simulation import simulate

N_SEGMENTS = 1 << SEGMENT_BITS


async def load(dut, table):
    """Write the table, a segment a clock cycle."""
    await start(dut)
    dut.i_write.value = 1
    for segment, line in enumerate(table):
        dut.i_segment.value = segment
        dut.i_line_left.value, dut.i_line_slope.value = (pack(int(x), 16) for x in line)
        await RisingEdge(dut.aclk)
    dut.i_write.value = 0
    await RisingEdge(dut.aclk)


async def check(dut, sums, shift, mult, factor, activation, table):
    """All of these are arrays of one length, but for the table."""
    y = words(sums, mult, shift)
    each = np.stack([activate(y, kind, table) for kind in Activation])
    word = each[activation, np.arange(len(y))]
    fields = {"sum": sums, "shift": shift, "mult": mult, "factor": factor, "activation": activation}
    inputs = [dict(zip(fields, beat)) for beat in zip(*fields.values())]
    expected = [{"word": w, "operand": o} for w, o in zip(word, operands(word, factor))]
    await load(dut, table)
    await lockstep(dut, inputs, expected, Epilogue.latency)


async def unscaled(dut, y, activation, table):
    """Words that arrive as they are, whose operands are their upper bytes."""
    same = np.ones(len(y), np.int64)
    await check(dut, y, 4 * same, 65535 * same, 256 * same, int(activation) * same, table)


@cocotb.test()
async def random_channels(dut):
    """Sums, multipliers and factors of every magnitude, and the extremes of each; lines that saturate."""
    rng, n = np.random.default_rng(cocotb.RANDOM_SEED), 3000
    limit = 1 << (SUM_WIDTH - 1)
    magnitude = 1 << rng.integers(1, SUM_WIDTH, n)
    sums = np.where(rng.random(n) < 0.1, rng.choice([-limit, limit - 1, 0, -1], n), rng.integers(-magnitude, magnitude))
    wide = [np.where(rng.random(n) < 0.1, rng.choice([0, 1, 65535], n), rng.integers(0, 65536, n)) for _ in range(2)]
    table = rng.integers(-(1 << 15), 1 << 15, (N_SEGMENTS, 2))
    await check(dut, sums, rng.integers(0, SHIFT_MAX + 1, n), *wide, rng.integers(0, len(Activation), n), table)


@cocotb.test()
async def every_segment(dut):
    """Both ends of every segment of a table of GELU's kind."""
    ends = np.arange(N_SEGMENTS) * 128 - (1 << 15)
    table = np.stack([np.maximum(ends, 0), np.where(ends < 0, -3, 128)], 1)
    await unscaled(dut, np.concatenate([ends, ends + 127, [0, -1]]), Activation.TABLE, table)


@cocotb.test()
async def largest_operands(dut):
    """Words where operands begin to saturate."""
    rounded_up = (2 * OPERAND_MAX + 1) << 7
    y = np.arange(rounded_up - 256, rounded_up + 256)
    await unscaled(dut, np.concatenate([y, -y]), Activation.NONE, np.zeros((N_SEGMENTS, 2), int))


def test_epilogue(simulator):
    simulate(Epilogue(), __name__, simulator, name="epilogue")
