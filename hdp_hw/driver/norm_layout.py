"""Where a job's norm lies in the buffer: its descriptor, its rows and scales, and its results.

Regions are ``norm``, the descriptor, and ``norm_`` with the name of each address in it. Rows are whole bus words.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hdp_hw.driver.norm_job import NormJob, NormRun
from hdp_hw.driver.operands import unpack_digits
from hdp_hw.spec.encoder import WORD_WIDTH
from hdp_hw.spec.formats import NORM_BYTES, NORM_FIELDS, NORM_SCALES_BYTES, packed
from hdp_hw.spec.params import HdpParams, ParameterError, ceil_div

if TYPE_CHECKING:
    from hdp_hw.driver.memory_layout import Region

Bytes = NDArray[np.uint8]
PLANES = ("integer", "fraction")  #: of digits


def norm_extents(norm: NormJob, params: HdpParams) -> dict[str, tuple[int, int]]:
    """``{region: (rows, bytes of a row)}`` of a norm. Raises ParameterError."""
    if not params.encoder:
        raise ParameterError("norm", "a NormJob", "None on a co-processor of encoder = 0")
    rows, n = norm.x.shape
    widths = dict.fromkeys(("x", "y", "words"), WORD_WIDTH) | dict.fromkeys(PLANES, params.digit_width)
    used = {"x": True, "y": norm.y is not None, "words": norm.words} | dict.fromkeys(PLANES, norm.operands)
    extents = {
        f"norm_{name}": (rows, ceil_div(n * width, params.bus_width) * params.bus_bytes)
        for name, width in widths.items()
        if used[name]
    }
    return {"norm": (1, NORM_BYTES), "norm_scales": (1, n * NORM_SCALES_BYTES), **extents}


def norm_fields(norm: NormJob, regions: Mapping[str, "Region"], base: int) -> dict[str, int]:
    """Fields of the descriptor of a norm whose regions are in the buffer at the address ``base``."""
    rows, n = norm.x.shape
    fields = {"rows": rows, "features": n}
    fields |= {name: int(getattr(norm, name)) for name in NORM_FIELDS if hasattr(norm, name)}
    places = {name.removeprefix("norm_"): region for name, region in regions.items() if name.startswith("norm_")}
    fields |= {f"{name}_address": base + region.offset for name, region in places.items()}
    fields |= {f"{name}_row_stride": places[name].row_stride for name in ("x", "y", "words") if name in places}
    return fields | ({"planes_row_stride": places["integer"].row_stride} if norm.operands else {})


def pack_norm(norm: NormJob, regions: Mapping[str, "Region"], base: int) -> dict[str, Bytes]:
    """``{region: uint8 [bytes]}`` of what the co-processor reads of a norm."""
    descriptor = packed(NORM_FIELDS, norm_fields(norm, regions, base))
    contents = {
        "norm": np.frombuffer(descriptor, np.uint8),
        "norm_scales": np.asarray(norm.scales, "<i2").view(np.uint8),
    }
    for name, rows in (("norm_x", norm.x), ("norm_y", norm.y)):
        if rows is not None:
            line = np.zeros((len(rows), regions[name].row_stride // 2), "<i2")
            line[:, : rows.shape[1]] = rows
            contents[name] = line.view(np.uint8)
    return {name: content.reshape(-1) for name, content in contents.items()}


def unpack_norm(norm: NormJob, read: Callable[[str], Bytes]) -> NormRun:
    """NormRun of the bytes [rows * bytes of a row] of the regions of its results, which ``read(region)`` gives."""
    rows, n = norm.x.shape
    words = operands = None
    if norm.words:
        words = np.ascontiguousarray(read("norm_words")).view("<i2").reshape(rows, -1)[:, :n].astype(np.int64)
    if norm.operands:
        integer, fraction = (unpack_digits(read(f"norm_{plane}")).reshape(rows, -1)[:, :n] for plane in PLANES)
        operands = (integer << 4) + fraction
    return NormRun(words, operands)
