"""SettingsCheck against hdp_hw.spec.settings.HeadSettings.validate."""

import cocotb

from hdp_hw.rtl.core.settings_check import SettingsCheck
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import HeadSettings, Rule, field_limits
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run

LIMITS = field_limits(PARAMS)
LAYER_ALONE = {"linear", "words", "activation", "reuse"}
LAYERS = ({}, {"linear": 1, "n_k": PARAMS.channel_step, "rule": Rule.DENSE}) if PARAMS.encoder else ({},)
FLAGS = ("causal", "compensate", "mean_output")


def representable(dut, name):
    """Lowest and highest value that the port of a field can carry."""
    width, signed = len(getattr(dut, f"i_settings_{name}")), LIMITS[name][0] < 0
    return (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)


def is_legal(settings):
    try:
        HeadSettings(**settings).validate(PARAMS)
    except ParameterError:
        return False
    return True


@cocotb.test()
async def limits(dut):
    """Each field at and beyond its limits, each head dimension, each combination of flags, and random settings."""
    rng = bench_rng()
    good = {name: low for name, (low, _) in LIMITS.items()} | {"head_dim": PARAMS.slice_width}
    cases = []
    for name, (low, high) in LIMITS.items():
        lowest, highest = representable(dut, name)
        edges = low - 1, low, high, high + 1, lowest, highest
        cases += [{name: value} for value in edges if lowest <= value <= highest]
    lengths = range(representable(dut, "head_dim")[1] + 1)
    cases += [{"head_dim": d} | layer for d in lengths for layer in LAYERS]
    cases += [{name: flags >> bit & 1 for bit, name in enumerate(FLAGS)} for flags in range(8)]
    for _ in range(500):
        case = {name: int(rng.integers(low, high + 1)) for name, (low, high) in LIMITS.items()}
        case |= {name: 0 for name in FLAGS if rng.random() < 0.7}
        case |= {name: 0 for name in LAYER_ALONE & set(case) if rng.random() < 0.7}
        if case.get("linear") and rng.random() < 0.8:
            case |= {"rule": Rule.DENSE, "causal": 0, "compensate": 0, "mean_output": 0}
            case["n_k"] -= case["n_k"] % PARAMS.channel_step
            case["head_dim"] >>= int(rng.integers(0, 6))
        case["head_dim"] -= int(rng.random() < 0.7) * (case["head_dim"] % PARAMS.slice_width)
        name = rng.choice(list(LIMITS))
        lowest, highest = representable(dut, name)
        cases.append(case | {name: int(rng.integers(lowest, highest + 1))})
    cases = [good | case for case in cases]
    verdicts = [is_legal(case) for case in cases]
    assert (0.02 if PARAMS.encoder else 0.2) < sum(verdicts) / len(verdicts) < 0.9
    held = {cycle: {f"i_settings_{name}": value for name, value in case.items()} for cycle, case in enumerate(cases)}
    await play(dut, {}, held, {}, {cycle: {"o_legal": int(legal)} for cycle, legal in enumerate(verdicts)})


@on_cores("narrow", "encoder")
def test_settings_check(simulator, core):
    run(SettingsCheck(CORES[core]), __name__, simulator, core)
