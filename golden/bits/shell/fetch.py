"""Fetch upon mask: which rows of a head's planes are read."""

from typing import Any

import numpy as np

from hdp_hw.golden.bits.core.attention_core import HeadResult
from hdp_hw.golden.bits.shell.plane_reader import Segment
from hdp_hw.spec.formats import SLICES_PER_WORD, stream_of
from hdp_hw.spec.params import HdpParams, ceil_div
from hdp_hw.spec.settings import HeadSettings, Verdict

NOTHING, MASKED, ALL = range(3)


def fetch_plan(verdict: Any, settings: HeadSettings) -> dict[str, int]:
    """``{plane: how much of it is read}`` for a head with a verdict."""
    plan = {"q_integer": ALL, "k_integer": ALL}
    if verdict == Verdict.PRUNED:
        of_value = ALL if settings.mean_output else NOTHING
        return plan | {"q_fraction": NOTHING, "k_fraction": NOTHING, "value": of_value}
    if verdict != Verdict.SPARSE:
        return plan | dict.fromkeys(("q_fraction", "k_fraction", "value"), ALL)
    return plan | {"q_fraction": ALL, "k_fraction": MASKED, "value": ALL if settings.compensate else MASKED}


def runs(how: int, n_rows: int, union: np.ndarray, tile: int) -> list[tuple[int, int, bool]]:
    """``[(first row, rows, read)]`` in order: one, or for MASKED one for each run of key blocks in bool ``union``."""
    if how != MASKED:
        return [(0, n_rows, how == ALL)]
    edges = (np.flatnonzero(np.diff(union)) + 1).tolist()
    starts, ends = [0, *edges], [*edges, len(union)]
    return [(a * tile, min(b * tile, n_rows) - a * tile, bool(union[a])) for a, b in zip(starts, ends)]


def head_segments(
    result: HeadResult, settings: HeadSettings, places: dict[str, tuple[int, int]], params: HdpParams
) -> dict[str, list[Segment]]:
    """``{plane: [Segment]}`` of a head with the HeadResult ``result``; ``places``: ``{plane: (address, stride)}``."""
    union = np.asarray(result.mask.any(0))[: ceil_div(settings.n_k, params.tile)]
    slices, segments = params.slices(settings.head_dim), dict[str, list[Segment]]()
    for plane, how in fetch_plan(result.verdict, settings).items():
        if settings.reuse and plane.startswith("q"):
            segments[plane] = []
            continue
        address, stride = places[plane]
        n_rows = settings.n_q if plane.startswith("q") else settings.n_k
        scales = settings.linear and plane == "value"  # of a channel, in a word
        words = 1 if scales else ceil_div(slices, SLICES_PER_WORD[stream_of(plane)])
        key, ends = int(plane.startswith("k")), not plane.startswith("q")
        segments[plane] = [
            Segment(
                address + first * stride, stride, rows, words, int(not read), key, int(ends and first + rows == n_rows)
            )
            for first, rows, read in runs(how, n_rows, union, params.tile)
        ]
    return segments
