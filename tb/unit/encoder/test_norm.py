"""Norm against golden/bits/encoder/norm.py and golden/cycles/encoder/norm.py."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.encoder.inverse_root import inverse_root
from hdp_hw.golden.bits.encoder.norm import normalise, residual, scale, variances
from hdp_hw.golden.bits.encoder.rounding import operand
from hdp_hw.golden.cycles.encoder import norm as cycles
from hdp_hw.rtl.encoder.norm import Norm
from hdp_hw.spec.encoder import GAMMA_SHIFT_MAX, GAMMA_SHIFT_MIN
from tb.lib.lockstep import pack, read, start
from tb.lib.simulation import simulate

FEATURES = 64
LIMIT = 1 << 15


def words(rng, n):
    """A row of words of some magnitude, or of extremes alone, or with one of them, far from the others."""
    kind = rng.random()
    if kind < 0.2:
        return rng.choice([-LIMIT, LIMIT - 1, 0], n)
    if kind < 0.4:
        return np.where(np.arange(n) == rng.integers(n), rng.choice([-LIMIT, LIMIT - 1]), 0)
    return np.clip(rng.normal(rng.uniform(-50, 50), 2.0 ** rng.integers(0, 15), n), -LIMIT, LIMIT - 1).astype(np.int64)


class Job:
    """Settings, scales and rows; what must come out, and when without stalls."""

    def __init__(self, rng, n, n_rows):
        factors = [int(rng.integers(0, 1 << 16)) if rng.random() < 0.8 else int(rng.choice([0, 65535])) for _ in "ab"]
        epsilon = int(rng.choice([0, 1, rng.integers(0, 1 << 40)]))
        shifts = [int(shift) for shift in rng.integers(GAMMA_SHIFT_MIN, GAMMA_SHIFT_MAX + 1, 2)]
        self.settings = {"n": n, "a": factors[0], "b": factors[1], "epsilon": epsilon}
        self.settings |= {"rms": int(rng.integers(0, 2)), "pre_norm": int(rng.integers(0, 2))}
        self.settings |= {"shift": shifts[0] - GAMMA_SHIFT_MIN, "operand_shift": shifts[1] - GAMMA_SHIFT_MIN}
        magnitudes = 1 << rng.integers(1, 16, (n, 4))
        self.scales = rng.integers(-magnitudes, magnitudes)
        self.rows = [(words(rng, n), words(rng, n)) for _ in range(n_rows)]
        self.expected, self.cycles = [], []
        residuals = [residual(x, factors[0], y, factors[1]) for x, y in self.rows]
        normals = [normalise(r, epsilon, self.settings["rms"]) for r in residuals]
        for normal in normals:  # products that are hardly too large for the coarse shift
            largest = int(np.abs(normal).argmax())
            self.scales[largest, ::2] = min(LIMIT - 1, (1 << 28) // max(1, abs(normal[largest])) + 1)
        for r, normal in zip(residuals, normals):
            z = scale(normal, *self.scales.T[:2], shifts[0])
            of_operand = operand(scale(normal, *self.scales.T[2:], shifts[1]))
            self.expected += list(zip(r if self.settings["pre_norm"] else z, of_operand))
            e = int(inverse_root(variances(r, self.settings["rms"])[1] + epsilon)[1][0])
            self.cycles.append((cycles.first_result(n, e), cycles.row(n, e)))


async def run_job(dut, rng, job, haste):
    """Write the scales, then rows in and results out, each with probability ``haste`` a cycle."""
    n = job.settings["n"]
    for name, value in job.settings.items():
        getattr(dut, f"i_settings_{name}").value = value
    dut.i_write.value = 1
    for feature, scales in enumerate(job.scales):
        dut.i_feature.value = feature
        for name, value in zip(("gamma", "beta", "operand_gamma", "operand_beta"), scales):
            getattr(dut, f"i_scales_{name}").value = pack(int(value), 16)
        await RisingEdge(dut.aclk)
    dut.i_write.value = 0
    beats = [(int(a), int(b)) for x, y in job.rows for a, b in zip(x, y)]
    sent, got, cycle, begun, results = 0, 0, 0, [], []
    offered = False
    while got < len(job.expected):
        if not offered and sent < len(beats):
            offered = rng.random() < haste
        dut.i_valid.value = int(offered)
        if offered:
            dut.i_x.value, dut.i_y.value = (pack(value, 16) for value in beats[sent])
        dut.o_ready.value = ready = int(rng.random() < haste)
        await RisingEdge(dut.aclk)
        if offered and read(dut.i_ready, "i_ready"):
            if sent % n == 0:
                begun.append(cycle)
            sent, offered = sent + 1, False
        if ready and read(dut.o_valid, "o_valid"):
            word, of_operand = job.expected[got]
            found = [read(getattr(dut, f"o_{name}"), name) for name in ("word", "operand", "last")]
            assert found == [pack(int(word), 16), pack(int(of_operand), 8), (got + 1) % n == 0], f"result {got}"
            if got % n == 0:
                results.append(cycle)
            got += 1
        cycle += 1
        assert cycle < 100_000
    dut.i_valid.value = 0
    if haste == 1:
        assert [result - begin for begin, result in zip(begun, results)] == [first for first, _ in job.cycles]
        assert np.diff(begun).tolist() == [row for _, row in job.cycles[:-1]]


@cocotb.test()
@cocotb.parametrize(haste=[1, 0.6])
async def rows(dut, haste):
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    await start(dut)
    for n in (2, 3, FEATURES - 1, FEATURES, *rng.integers(2, FEATURES, 12)):
        await run_job(dut, rng, Job(rng, int(n), 3), haste)


def test_norm(simulator):
    simulate(Norm(FEATURES), __name__, simulator, name="norm")
