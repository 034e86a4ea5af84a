"""The driver on the emulator: outputs, statistics, and what it refuses."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver import Emulator, HdpDriver, JobError, LayerSettings
from hdp_hw.driver.backend import COUNTERS
from hdp_hw.driver.driver import MODES, ample_cycles, prepare
from hdp_hw.driver.layer import SCALES
from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.bits.shell.job import kv_head
from hdp_hw.golden.calibration import head_settings
from hdp_hw.golden.cycles.core.attention_core import core_cycles
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.reference import attention, relative_error
from hdp_hw.golden.stimulus import captured_heads
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams, ParameterError, ceil_div
from hdp_hw.spec.settings import Rule, Verdict

TINY = CONFIGS["tiny"]


def captured_layer(name, n=128):
    """``(q, k, v, {scale: values})`` of the captured heads whose names begin so, as the heads of a layer."""
    heads = [head for head in captured_heads(n) if head.name.startswith(name)]
    operands = (np.stack([getattr(head, part) for head in heads]) for part in "qkv")
    return (*operands, {scale: tuple(getattr(head, scale) for head in heads) for scale in SCALES})


def random_layer(n_heads=4, n_kv_heads=2, n_q=20, n_k=33, d=32, sharpness=2.0, kind=np.float32):
    rng = np.random.default_rng(n_heads)
    q = rng.standard_normal((n_heads, n_q, d)) * sharpness
    k, v = rng.standard_normal((2, n_kv_heads, n_k, d))
    return tuple(x.astype(kind) for x in (q, k, v))


def expected_bytes(results, settings, params, table):
    """Bytes by the rule itself, row by row: (read, unmasked, written)."""
    read = unmasked = written = 0
    for result, of_head in zip(results, settings):
        n_q, n_k, d = of_head.n_q, of_head.n_k, of_head.head_dim
        word = params.lanes * params.digit_width // 8
        digits, value = (ceil_div(ceil_div(d, per_word) * word, params.bus_bytes) * params.bus_bytes
                         for per_word in (params.lanes, params.lanes // 2))  # fmt: skip
        kept_rows = sum(
            min(params.tile, n_k - block * params.tile)
            for block in range(ceil_div(n_k, params.tile))
            if result.executed[:, block].any()
        )
        everything = digits * (n_q + n_k) + value * n_k
        read += digits * (n_q + n_k) + 32 * table
        unmasked += digits * (n_q + n_k) + everything + 32 * table
        if result.verdict in (Verdict.DENSE, Verdict.FALLBACK):
            read += everything
        elif result.verdict == Verdict.SPARSE:
            read += digits * (n_q + kept_rows) + value * (n_k if of_head.compensate else kept_rows)
        elif of_head.mean_output:
            read += value * n_k
        written += n_q * d * params.operand_width // 8 + 32
    return read, unmasked, written


# -- against the golden model -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("config", "rule", "threshold", "more"),
    [
        ("tiny", Rule.ROW_THRESHOLD, -0.3, {}),
        ("tiny", Rule.MARGIN, 1.0, {"tau_head": 12.0, "mean_output": True}),
        ("tiny", Rule.MASS, 0.05, {"tau_head": 12.0, "min_keep": 0.05, "compensate": True}),
        ("tiny", Rule.DENSE, None, {"tau_head": 12.0}),
        ("edge", Rule.ROW_THRESHOLD, 0.1, {"tau_head": 12.0, "mean_output": True, "compensate": True}),
        ("edge", Rule.MASS, 0.05, {"causal": True}),
        ("server", Rule.MARGIN, 1.0, {"tau_head": 3200.0}),
    ],
)
def test_captured_layer(config, rule, threshold, more):
    """A whole layer of MiniLM gives what its heads give one by one."""
    params = CONFIGS[config]
    q, k, v, scales = captured_layer("lighthouse.")
    assert len(q) == 12
    output, statistics = HdpDriver(Emulator(config)).attend(
        q, k, v, LayerSettings(**scales, rule=rule, threshold=threshold, **more)
    )
    results, settings = [], []
    for head in range(12):
        absmax = {scale: values[head] for scale, values in scales.items()}
        settings.append(
            head_settings(128, 128, 32, absmax["q_absmax"], absmax["k_absmax"], params, rule, threshold or 0.0, **more)
        )
        integers = [quantize(x[head], absmax[scale], params) for x, scale in zip((q, k, v), SCALES)]
        results.append(attend(*integers, settings[-1], params))
        real = results[-1].output * (absmax["v_absmax"] / params.digit_max)
        np.testing.assert_allclose(output[head], real, rtol=1e-6)
    assert statistics.verdicts == tuple(result.verdict for result in results)
    assert statistics.kept == tuple(result.n_kept for result in results)
    assert statistics.visited == tuple(result.n_visited for result in results)
    assert statistics.theta_heads == tuple(result.theta_head for result in results)
    found = statistics.bytes_read, statistics.bytes_unmasked, statistics.bytes_written
    assert found == expected_bytes(results, settings, params, len(set(settings)) > 1)
    plans = [HeadPlan.of(of_head, result, params) for of_head, result in zip(settings, results)]
    # Not above the cycles of a core whose operands are always there: that one predicts earlier, which may take longer.
    assert statistics.cycles > sum(statistics.busy.values()) == core_cycles(plans, params).total_busy
    if rule != Rule.DENSE and "tau_head" in more:
        assert 0 < statistics.pruned_heads < 12
    assert bool(statistics.fallbacks) == ("min_keep" in more)


def test_layer_of_different_scales():
    """A head of each layer of MiniLM: scales differ, so that a table is read."""
    q, k, v, scales = captured_layer("", n=64)
    layer = LayerSettings(**scales, rule="margin", threshold=1.0)
    output, statistics = HdpDriver(Emulator("tiny")).attend(q, k, v, layer)
    alone = [
        HdpDriver(Emulator("tiny")).attend(
            *(x[h : h + 1] for x in (q, k, v)),
            LayerSettings(*(scales[s][h] for s in SCALES), rule="margin", threshold=1.0),
        )
        for h in range(len(q))
    ]
    np.testing.assert_array_equal(output, np.concatenate([each for each, _ in alone]))
    assert statistics.bytes_read == sum(s.bytes_read for _, s in alone) + 32 * len(q)


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), [(4, 1), (4, 2), (5, 3), (6, 6)])
def test_shared_keys_and_values(n_heads, n_kv_heads):
    q, k, v = random_layer(n_heads, n_kv_heads)
    scale = tuple(2.0 + i for i in range(n_kv_heads))
    layer = LayerSettings(5.0, scale, scale, "mass", 0.05)
    output, statistics = HdpDriver(Emulator("tiny")).attend(q, k, v, layer)
    shared = [kv_head(head, n_heads, n_kv_heads) for head in range(n_heads)]
    assert shared == sorted(shared) and set(shared) == set(range(n_kv_heads))
    repeated = replace(layer, k_absmax=tuple(scale[i] for i in shared), v_absmax=tuple(scale[i] for i in shared))
    expected, same = HdpDriver(Emulator("tiny")).attend(q, k[shared], v[shared], repeated)
    np.testing.assert_array_equal(output, expected)
    assert replace(statistics, saturations={}) == replace(same, saturations={})  # an operand that is shared counts once


def test_cores_share_the_heads():
    q, k, v = random_layer(6, 6, 64, 64)
    layer = LayerSettings.fit(q, k, v, rule="dense")
    runs = [HdpDriver(Emulator(replace(TINY, n_cores=n))).attend(q, k, v, layer) for n in (1, 2, 3)]
    for output, statistics in runs[1:]:
        np.testing.assert_array_equal(output, runs[0][0])
        assert statistics.busy == runs[0][1].busy and statistics.bytes_read == runs[0][1].bytes_read
    assert 1.8 < runs[0][1].cycles / runs[1][1].cycles < 2 < runs[0][1].cycles / runs[2][1].cycles < 3


def test_counters_are_those_of_the_register_map():
    q, k, v = random_layer()
    job, _ = prepare(q, k, v, LayerSettings.fit(q, k, v), TINY)
    counters = Emulator(TINY).run(job).counters
    assert set(COUNTERS) - set(counters) == {"stall_load", "stall_write", "stall_other"} and set(counters) < set(
        COUNTERS
    )
    assert {name.removeprefix("busy_") for name in counters if name.startswith("busy_")} == set(MODES)


# -- real numbers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_real_numbers(kind):
    """Real operands give the integer output in V's units and Q's type, close to float64 attention."""
    q, k, v = random_layer(kind=kind, sharpness=0.7)
    params = HdpParams(digit_width=8)
    layer = LayerSettings.fit(q, k, v)
    driver = HdpDriver(Emulator(params))
    output, statistics = driver.attend(q, k, v, layer)
    assert output.dtype == kind and output.shape == q.shape and statistics.verdicts == (Verdict.DENSE,) * 4
    integers = [
        quantize(x, absmax, params) for x, absmax in zip((q, k, v), (layer.q_absmax, layer.k_absmax, layer.v_absmax))
    ]
    as_integers, _ = driver.attend(*integers, layer)
    assert as_integers.dtype == np.int64
    np.testing.assert_array_equal(output, (as_integers * (layer.v_absmax / params.digit_max)).astype(kind))
    for head in range(4):
        assert relative_error(output[head].astype(float), attention(q[head], k[head // 2], v[head // 2])) < 0.01


def test_integer_types():
    q, k, v = (np.clip(x * 20, -128, 127).astype(np.int8) for x in random_layer())
    layer = LayerSettings(4.0, 4.0, 4.0, "mass", 0.02)
    driver = HdpDriver(Emulator("tiny"))
    expected, _ = driver.attend(q, k, v, layer)
    assert expected.dtype == np.int64
    for kind in (np.int16, np.int64):
        np.testing.assert_array_equal(driver.attend(q.astype(kind), k, v.tolist(), layer)[0], expected)
    positive = np.abs(v).astype(np.uint8)
    np.testing.assert_array_equal(
        driver.attend(q, k, positive, layer)[0], driver.attend(q, k, positive.astype(int), layer)[0]
    )


def test_saturations():
    q, k, v = np.zeros((1, 4, 32)), np.zeros((1, 4, 32)), np.zeros((1, 4, 32))
    q[0, 0, :3], k[0, 1, :5], v[0, 2, 0] = 2.0, -1.0, 0.99
    _, statistics = HdpDriver().attend(q, k, v, LayerSettings(1.0, 1.0, 1.0))
    assert statistics.saturations == {"q": 3, "k": 5, "v": 0}
    _, statistics = HdpDriver().attend(
        *(np.full((1, 4, 32), x) for x in (127, 118, -119)), LayerSettings(1.0, 1.0, 1.0)
    )
    assert statistics.saturations == {"q": 128, "k": 0, "v": 128}


def test_statistics():
    q, k, v, scales = captured_layer("lighthouse.")
    layer = LayerSettings(**scales, rule="mass", threshold=0.05, tau_head=12, min_keep=0.05, name="lighthouse")
    _, statistics = HdpDriver(Emulator("tiny")).attend(q, k, v, layer)
    assert (statistics.layer, statistics.rule, statistics.stalls) == ("lighthouse", Rule.MASS, {})
    assert statistics.pruned_heads and statistics.fallbacks and statistics.verdicts.count(Verdict.SPARSE)
    assert statistics.kept_share == sum(statistics.kept) / (12 * 64 * 64)
    assert statistics.kept_shares == tuple(kept / 64**2 for kept in statistics.kept)
    assert re.fullmatch(
        r"mass: [\d.]+% of 49152 blocks computed, \d+ of 12 heads pruned, \d+ fell back; \d+ clock cycles; "
        r"\d+ bytes read of \d+, \d+ written",
        str(statistics),
    )


def test_takes_numpy_alone():
    """The driver and its emulator load neither the HDL nor what is optional."""
    loads = "import sys, hdp_hw.driver; print({'amaranth', 'matplotlib', 'cocotb'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True).stdout == "set()\n"


# -- time-outs --------------------------------------------------------------------------------------------------------
def test_timeout():
    q, k, v = random_layer()
    layer = LayerSettings.fit(q, k, v, rule="dense")
    _, statistics = HdpDriver(Emulator("tiny")).attend(q, k, v, replace(layer, timeout_cycles=0))
    HdpDriver(Emulator("tiny")).attend(q, k, v, replace(layer, timeout_cycles=statistics.cycles))
    with pytest.raises(JobError, match=r"IRQ_STATUS\.timeout: .* Cure: give the layer more timeout_cycles") as error:
        HdpDriver(Emulator("tiny")).attend(q, k, v, replace(layer, timeout_cycles=statistics.cycles - 1))
    assert (error.value.bit, error.value.job) == ("timeout", None)


@pytest.mark.parametrize("name", CONFIGS)
def test_ample_time(name):
    """Several times what the dense rule takes, and what a row at a time takes on a slow memory; within the register."""
    params = CONFIGS[name]
    small, large = (16, 16, params.slice_width * 4), (params.max_seq_len, params.max_seq_len, params.max_head_dim)
    for n_q, n_k, d in (small, large):
        q, k, v = (np.zeros((2, n, d), int) for n in (n_q, n_k, n_k))
        job, _ = prepare(q, k, v, LayerSettings(1.0, 1.0, 1.0), params)
        array = 2 * 8 * params.integer_cycles(d) * (n_q // params.tile) * (n_k // params.tile)
        assert job.timeout_cycles == ample_cycles(job, params)
        assert 4 * (array + 2 * 128 * 3 * (n_q + n_k)) < job.timeout_cycles < 1 << 32
    many = replace(job, q=np.broadcast_to(job.q[0], (60000, *job.q.shape[1:])))
    assert ample_cycles(many, params) <= (1 << 32) - 1


# -- what is refused --------------------------------------------------------------------------------------------------
def zeros(*shape, kind=np.float32):
    return np.zeros(shape, kind)


GOOD = zeros(4, 8, 32)


INTEGERS = GOOD.astype(int)


@pytest.mark.parametrize(
    ("q", "k", "v", "name", "value", "legal"),
    [
        (
            GOOD,
            zeros(4, 8, 32, kind=np.int8),
            GOOD,
            "dtype",
            "'q float32, k int8, v float32'",
            "all three of float types",
        ),
        (GOOD.astype(complex), GOOD, GOOD, "dtype", "'q complex128, k float32, v float32'", "all three of"),
        (GOOD > 0, GOOD > 0, GOOD > 0, "dtype", "'q bool, k bool, v bool'", "all three of"),
        ([["a"]], GOOD, GOOD, "dtype", "'q <U1, k float32, v float32'", "all three of"),
        (zeros(8, 32), GOOD, GOOD, "q.shape", (8, 32), "[n_heads, n_q, d], none of them 0"),
        (GOOD, zeros(4, 0, 32), GOOD, "k.shape", (4, 0, 32), "[n_kv_heads, n_k, d], none of them 0"),
        (GOOD, zeros(4, 8, 16), GOOD, "k.shape", (4, 8, 16), "a last axis of 32, as q has"),
        (GOOD, zeros(5, 8, 32), GOOD, "k.shape", (5, 8, 32), "at most 4 heads, as q has"),
        (GOOD, GOOD, zeros(4, 9, 32), "v.shape", (4, 9, 32), "(4, 8, 32), as k has"),
        (zeros(65536, 1, 4), *[zeros(1, 1, 4)] * 2, "q.shape", (65536, 1, 4), "at most 65535 heads"),
        (zeros(1, 129, 32), *[zeros(1, 8, 32)] * 2, "n_q", 129, "1 to 128"),
        (zeros(1, 8, 32), *[zeros(1, 129, 32)] * 2, "n_k", 129, "1 to 128"),
        (*[zeros(1, 8, 36)] * 3, "head_dim", 36, "1 to 32"),
        (*[zeros(1, 8, 30)] * 3, "head_dim", 30, "a multiple of lanes / 4 = 4"),
        (GOOD, GOOD + np.inf, GOOD, "k", "inf", "finite numbers"),
        (INTEGERS, INTEGERS, INTEGERS + 128, "v", 128, "-128 to 127"),
        (INTEGERS - 129, INTEGERS, INTEGERS, "q", -129, "-128 to 127"),
    ],
)
def test_refused(q, k, v, name, value, legal):
    with pytest.raises(ParameterError) as error:
        HdpDriver(Emulator("tiny")).attend(q, k, v, LayerSettings(1.0, 1.0, 1.0))
    assert str(error.value).startswith(f"parameter {name} = {value} is not legal; legal: {legal}")


def test_refused_scales():
    with pytest.raises(
        ParameterError, match="v_absmax = '3 values' is not legal; legal: one, or one for each of 4 heads"
    ):
        HdpDriver().attend(GOOD, GOOD, GOOD, LayerSettings(1.0, 1.0, (1.0, 1.0, 1.0)))


def test_emulator_refuses_a_configuration():
    with pytest.raises(
        ParameterError, match="parameter CONFIG = 'huge' is not legal; legal: tiny, edge, large, server, paper"
    ):
        Emulator("huge")
