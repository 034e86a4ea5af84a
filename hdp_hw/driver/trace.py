"""The masks of a layer, recomputed by the golden model, and a picture of them."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from hdp_hw.driver.driver import prepare
from hdp_hw.driver.layer import LayerSettings
from hdp_hw.golden.bits.core.attention_core import HeadResult
from hdp_hw.golden.bits.shell.job import attend_heads
from hdp_hw.spec.failure import MissingPackage
from hdp_hw.spec.params import HdpParams, ParameterError

COLUMNS = 4  #: pictures of heads side by side


def layer_masks(q: ArrayLike, k: ArrayLike, layer: LayerSettings, params: HdpParams) -> list[HeadResult]:
    """HeadResult of each head, of which ``mask`` and ``executed`` are bool [blocks_q, blocks_k]; see HdpDriver.attend.

    The co-processor keeps no masks. They follow from Q and K alone; the outputs here mean nothing.
    """
    job, _ = prepare(q, k, np.zeros_like(np.asarray(k)), layer, params)
    results: list[HeadResult] = attend_heads(job.q, job.k, job.v, job.settings, params)
    return results


def draw_masks(results: list[HeadResult], path: str | Path, title: str = "") -> None:
    """Write a picture of the blocks that each head computed, dark, and that it left out. Raises MissingPackage.

    results : of :func:`layer_masks`; path : its ending is the format, as matplotlib has it.
    """
    if not results:
        raise ParameterError("results", results, "those of at least one head")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackage("pictures take matplotlib: pip install 'hdp-hw[plots]'") from None
    n_rows = -(-len(results) // COLUMNS)
    columns = min(COLUMNS, len(results))
    figure = Figure(figsize=(2.4 * columns, 2.7 * n_rows + 0.4), layout="constrained")
    figure.suptitle(title)
    for head, (result, axes) in enumerate(zip(results, figure.subplots(n_rows, columns, squeeze=False).flat)):
        axes.imshow(result.executed, cmap="Blues", vmin=0, vmax=1.25, interpolation="nearest", aspect="auto")
        share = result.n_kept / result.n_visited
        axes.set_title(f"{head}: {result.verdict.name.lower()}, {share:.0%}", fontsize=8)
        axes.tick_params(labelsize=6)
    for axes in figure.axes[len(results) :]:
        axes.set_axis_off()
    figure.supxlabel("key block", fontsize=8)
    figure.supylabel("query block", fontsize=8)
    figure.savefig(path, dpi=150)
