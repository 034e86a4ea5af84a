"""Random linear layers as heads of a core."""

import numpy as np

from hdp_hw.driver.backend import LayerJob
from hdp_hw.golden.bits.encoder.linear_head import packed
from hdp_hw.simulation.head_job import HeadJob
from hdp_hw.spec.encoder import MAX_INPUTS, OPERAND_MAX, PRESHIFT, SCALES_FIELDS, SEGMENT_BITS, WORD_WIDTH, Activation
from hdp_hw.spec.settings import HeadSettings


def random_table(rng):
    """Lines of an activation, [2^SEGMENT_BITS, 2], whatever its words."""
    return rng.integers(-(1 << (WORD_WIDTH - 1)), 1 << (WORD_WIDTH - 1), (1 << SEGMENT_BITS, 2))


def random_scales(rng, n, n_inputs):
    """Scales of n output channels, most of them such that words are neither all small nor all saturated."""
    spread = OPERAND_MAX**2 / 3 * np.sqrt(n_inputs)
    shift = np.clip(np.log2(spread * 2**PRESHIFT / 2**16).round() + rng.integers(-2, 3, n), 0, 15).astype(int)
    limit = (1 << (SCALES_FIELDS["bias"] - 1)) - 1
    bias = np.where(rng.random(n) < 0.2, rng.integers(-limit - 1, limit + 1, n), rng.normal(0, spread, n).astype(int))
    return packed(
        {
            "bias": np.clip(bias, -limit - 1, limit),
            "shift": np.where(rng.random(n) < 0.1, rng.integers(0, 16, n), shift),
            "mult": rng.integers(0, 1 << 16, n),
            "factor": rng.integers(0, 1 << 10, n),
        }
    )


def random_layer(rng, params, n_rows=None, n_outputs=None, n_inputs=None, words=None, activation=None):
    """HeadJob of a linear layer; what is not given is chosen among what is legal."""
    step = params.slice_width
    if n_inputs is None:
        most = min(params.max_inputs, MAX_INPUTS) // step
        n_inputs = step * int(rng.choice([1, most, *rng.integers(1, most + 1, 2), *rng.integers(1, 9, 4)]))
        while params.max_rows(n_inputs) < params.channel_step:
            n_inputs = max(step, n_inputs // 2 // step * step)
    most = params.max_rows(n_inputs)
    n_rows = n_rows or int(rng.integers(1, min(most, 5 * params.tile) + 1))
    n_outputs = n_outputs or params.channel_step * int(rng.integers(1, min(most // params.channel_step, 6) + 1))
    words = bool(rng.integers(2)) if words is None else words
    activation = Activation(rng.integers(3)) if activation is None else activation
    settings = HeadSettings(n_rows, n_outputs, n_inputs, linear=True, words=words, activation=activation)
    x, weight = (rng.integers(-OPERAND_MAX, OPERAND_MAX + 1, (n, n_inputs)) for n in (n_rows, n_outputs))
    return HeadJob(settings, x, weight, random_scales(rng, n_outputs, n_inputs))


def random_job(rng, params, n_heads=None):
    """LayerJob of a linear layer of some blocks of output channels, whose parts of a row are whole bus words."""
    first, planes = random_layer(rng, params), bool(rng.integers(2))
    while first.output_shape[1] % (params.bus_bytes * (1 + planes)):
        first, planes = random_layer(rng, params), bool(rng.integers(2))
    of, planes = first.settings, planes and not first.settings.words
    shape = of.n_q, of.n_k, of.head_dim, of.words, of.activation
    heads = [first, *(random_layer(rng, params, *shape) for _ in range((n_heads or int(rng.integers(1, 7))) - 1))]
    table = random_table(rng) if of.activation == Activation.TABLE else None
    weights, scales = (np.stack([getattr(head, name) for head in heads]) for name in "kv")
    return LayerJob(first.q[None], weights, scales, (of,) * len(heads), table=table, planes=planes)
