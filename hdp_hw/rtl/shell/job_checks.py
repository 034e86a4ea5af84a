"""What makes a job or a head illegal; parts of JobEngine."""

from amaranth.hdl import Cat, Signal

from hdp_hw.rtl.core.settings_check import SettingsCheck
from hdp_hw.rtl.shell.commands import job_addresses
from hdp_hw.spec.formats import STRIDE_NAMES, STRIDE_WIDTH


def head_settings(m, params, job, thresholds, settings):
    """A head's settings from the job and its thresholds; returns a register that says whether they are illegal."""
    m.submodules.check = check = SettingsCheck(params)
    values = {name: job[name] for name in ("n_q", "n_k", "head_dim")}
    values |= {name: job[name] for name in ("rule", "causal", "compensate", "mean_output")}
    values |= {name: thresholds[name] for name, _ in thresholds.shape()}
    of_layer = {name: job[name] for name in ("linear", "words", "activation")}
    planes = job.planes & (job.words if params.encoder else 1)
    too_wide = [job.n_heads == 0, job.n_kv_heads == 0, job.n_kv_heads > job.n_heads, planes]
    if params.encoder:
        values |= of_layer
        too_wide.append(job.linear & job.table_enable)
    else:
        too_wide += [value.any() for value in of_layer.values()]
    for name, value in values.items():
        m.d.comb += settings[name].eq(value)
        if len(value) > len(settings[name]):
            too_wide.append(value[len(settings[name]) :].any())
    m.d.comb += check.i_settings.eq(settings)
    illegal = Signal()
    m.d.sync += illegal.eq(~check.o_legal | Cat(too_wide).any())
    return illegal


def misaligned_job(m, params, job):
    """A register that says whether an address or a stride is no multiple of the bus word, or beyond its width."""
    strides = [job[f"{name}_{what}_stride"] for name in STRIDE_NAMES for what in ("row", "head")]
    wrong = [job[f"{name}_row_stride"][STRIDE_WIDTH:].any() for name in STRIDE_NAMES]
    addresses = [job[name] for name in job_addresses(params)]
    wrong += [value[: (params.bus_bytes - 1).bit_length()].any() for value in (*addresses, *strides)]
    wrong += [address[params.address_width :].any() for address in addresses]
    misaligned = Signal()
    m.d.sync += misaligned.eq(Cat(wrong).any())
    return misaligned
