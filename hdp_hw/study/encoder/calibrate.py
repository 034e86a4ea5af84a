"""Calibration of an encoder of integers, and the examples that it must not see."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hdp_hw.driver.layer import LayerSettings
from hdp_hw.spec.params import ParameterError
from hdp_hw.study.encoder.build import Builder, Built
from hdp_hw.study.encoder.equalise import TINY
from hdp_hw.study.encoder.heads import fitted_scales
from hdp_hw.study.encoder.ranges import Ranges
from hdp_hw.study.models import Encoder
from hdp_hw.study.tasks import Task

LEAST = 4  #: examples that can be told apart into those of calibration and others


def calibrate(encoder: Encoder, inputs: Sequence[Any], layers: Sequence[LayerSettings] | None = None) -> Built:
    """The Built of an Encoder, with scales of some inputs; layers : LayerSettings of each, dense unless given.

    Raises ParameterError.
    """
    ranges = Ranges(encoder, inputs)
    return Builder(encoder, ranges, layers or dense_layers(encoder, ranges)).build()


def dense_layers(encoder: Encoder, ranges: Ranges) -> list[LayerSettings]:
    """LayerSettings of each layer under the dense rule."""
    layers = []
    for layer in range(encoder.n_layers):
        q, k, v = (
            ranges.outputs[f"{layer}.{part}"].reshape(encoder.n_heads, -1).max(1) for part in ("query", "key", "value")
        )
        scales = fitted_scales((q, k), ranges.heads[layer])
        layers.append(LayerSettings(*scales, tuple(np.maximum(v, TINY).tolist())))
    return layers


def separate(task: Task, n: int, seed: int = 0) -> tuple[list[Any], Task]:
    """``(inputs of n random examples, the task of those that share no input with them)``; n is at most half of all.

    Raises ParameterError.
    """
    if len(task.labels) < LEAST:
        raise ParameterError(
            "data", f"{len(task.labels)} examples", f"at least {LEAST}, of which calibration takes half"
        )
    chosen = np.random.default_rng(seed).permutation(len(task.labels))[: min(n, len(task.labels) // 2)]
    seen = np.unique(task.uses[chosen])
    others = np.flatnonzero(~np.isin(task.uses, seen).any(1))
    if not len(others):
        raise ParameterError("data", "examples that share their texts", "some that calibration does not see")
    return [task.inputs[index] for index in seen], task.subset(others)
