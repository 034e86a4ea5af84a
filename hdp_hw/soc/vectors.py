"""Jobs, and what the golden model has for them, as C for the firmware."""

from hdp_hw.driver import Emulator
from hdp_hw.driver.backend import LayerJob
from hdp_hw.golden.stimulus import captured_heads
from hdp_hw.soc.c_source import array, initialiser
from hdp_hw.spec.settings import Rule

TIMEOUT = 1_000_000  #: clock cycles
THRESHOLDS = ("mult", "shift", "rho", "margin", "kappa", "kappa_shift", "log_mass", "tau_head", "min_keep")
DIMENSIONS = ("n_q", "n_k", "head_dim", "rule", "causal", "compensate", "mean_output")


def captured_cases(params, n=64):
    """``{name: (LayerJob, LayerRun)}`` of ``n`` tokens of a captured head, dense and pruned by the mass rule.

    Raises ParameterError.
    """
    head, cases = captured_heads(128)[0].cropped(n), {}
    rules = {
        "dense": head.settings(params),
        "pruned": head.settings(params, Rule.MASS, 1 / n, compensate=True),
    }
    for name, settings in rules.items():
        job = LayerJob(*(x[None] for x in head.quantised(params)), (settings.validate(params),), TIMEOUT)
        cases[name] = job, Emulator(params).run(job)
    return cases


def attention_cases(cases):
    """C of :func:`captured_cases` for attention.h."""
    parts, rows = [], []
    for name, (job, run) in cases.items():
        settings, (head,) = job.settings[0], run.heads
        operands = {"q": job.q, "k": job.k, "v": job.v, "output": run.output}
        parts += [array(f"{name}_{each}", "int8_t", values) for each, values in operands.items()]
        parts.append(f"static const hdp_thresholds {name}_thresholds = {members(settings, THRESHOLDS)};\n")
        of_job = initialiser(
            {"n_heads": 1, "n_kv_heads": 1, "thresholds": f"&{name}_thresholds", "timeout": job.timeout_cycles}
            | {each: int(getattr(settings, each)) for each in DIMENSIONS}
        )
        places = {each: f"{name}_{each}" for each in operands}
        rows.append(initialiser({"name": f'"{name}"', "job": of_job, **places, "record": members(head, head._fields)}))
    parts.append("const attention_case attention_cases[] = {\n" + ",\n".join(rows) + "};\n")
    return '#include "attention.h"\n\n' + "".join(parts) + f"const unsigned n_attention_cases = {len(rows)};\n"


def members(source, names):
    """C of an initialiser with integers of the same names."""
    return initialiser({name: int(getattr(source, name)) for name in names})
