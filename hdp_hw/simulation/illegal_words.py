"""Job registers beyond their bounds, for tests of what the co-processor refuses."""

from hdp_hw.spec.encoder import GAMMA_SHIFT_MAX, GAMMA_SHIFT_MIN
from hdp_hw.spec.formats import (
    ADDRESSES,
    ENCODER_ADDRESSES,
    NORM_ADDRESSES,
    NORM_FIELDS,
    NORM_STRIDES,
    STRIDE_NAMES,
    STRIDE_WIDTH,
)
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from hdp_hw.spec.settings import Rule, field_limits


def illegal_words(params, n_heads):
    """``[(register, word, bit of IRQ_STATUS)]``: each job register beyond each bound, in a job of ``n_heads`` heads.

    Other fields of the register are 0.
    """
    return [(*case, "bad_settings") for case in _out_of_range(params, n_heads)] + [
        (*case, "misaligned") for case in _misaligned(params)
    ]


def _out_of_range(params, n_heads):
    limits = field_limits(params) | {"n_heads": (1, (1 << 16) - 1), "n_kv_heads": (1, n_heads)}
    for register in (register for register in REGISTERS if register.group == "job"):
        for field in register.fields:
            name = register.name.lower() if field.name == "value" else field.name
            low, high = limits.get(name, (None, None))
            first = -(1 << (field.width - 1)) if field.signed else 0
            last = first + (1 << field.width) - 1
            for value in sorted({low - 1, high + 1, last}) if name in limits else ():
                if first <= value <= last and not low <= value <= high:
                    yield register.name, register.pack(**{field.name: value})
    if params.slice_width > 1:
        yield "HEAD_DIM", params.slice_width + 1
    for name in ("compensate", "mean_output"):
        yield "MODE", BY_NAME["MODE"].pack(causal=1, **{name: 1})

    if not params.encoder:
        yield from (("MODE", BY_NAME["MODE"].pack(rule=Rule.DENSE, **{name: 1})) for name in ("linear", "words"))


def illegal_layer_words(params, settings):
    """``[(register, word)]``: each job register of a linear layer with these settings beyond what goes together."""
    mode = {"rule": Rule.DENSE, "linear": 1, "words": int(settings.words), "activation": int(settings.activation)}
    changes = [{"rule": rule} for rule in Rule if rule != Rule.DENSE] + [{"activation": 3}, {"linear": 0}]
    changes += [{name: 1} for name in ("causal", "compensate", "mean_output", "table_enable")]
    most = params.max_rows(settings.head_dim)
    changed = [] if mode["words"] or mode["activation"] else [{"linear": 0}]  # that is attention
    words = [("MODE", BY_NAME["MODE"].pack(**mode | change)) for change in changes if change not in changed]
    words += [("N_K", settings.n_k + n) for n in range(1, params.channel_step)] + [("N_Q", 0), ("N_K", 0)]
    words += [("N_Q", most + 1), ("N_K", most + params.channel_step), ("HEAD_DIM", 0)]
    words += [("HEAD_DIM", params.max_inputs + params.slice_width), ("HEAD_DIM", settings.head_dim + 1)]
    return words


def illegal_norm_fields(params):
    """``[({field: value}, bit of IRQ_STATUS)]``: each field of a norm's descriptor beyond each of its bounds."""
    bounds = {"rows": (0, params.max_seq_len + 1, 0xFFFF), "features": (0, 1, params.max_features + 1, 0xFFFF)}
    bounds |= dict.fromkeys(("shift", "operand_shift"), (0, GAMMA_SHIFT_MIN - 1, GAMMA_SHIFT_MAX + 1, 0xFF))
    cases = [({name: value}, "bad_settings") for name, values in bounds.items() for value in values]
    cases.append(({"words": 0, "operands": 0}, "bad_settings"))
    for name in (*NORM_ADDRESSES, *NORM_STRIDES):
        beyond = STRIDE_WIDTH if name in NORM_STRIDES else params.address_width
        values = (1, params.bus_bytes // 2, *((1 << beyond,) if beyond < NORM_FIELDS[name] else ()))
        cases += [({name: value}, "misaligned") for value in values]
    return cases


def _misaligned(params):
    odd = 1, params.bus_bytes // 2
    for name in map(str.upper, ADDRESSES + ENCODER_ADDRESSES if params.encoder else ADDRESSES):
        yield from ((f"{name}_LOW", word) for word in odd)
        if params.address_width < 64:
            yield f"{name}_HIGH", 1 << (params.address_width - 32)
    for name in map(str.upper, STRIDE_NAMES):
        yield from ((f"{name}_{what}_STRIDE", word) for what in ("ROW", "HEAD") for word in odd)
        yield f"{name}_ROW_STRIDE", 1 << STRIDE_WIDTH
