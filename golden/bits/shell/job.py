"""One attention layer through the co-processor: its heads, and what they cost on the bus."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hdp_hw.golden.bits.core.attention_core import HeadResult, attend_many
from hdp_hw.golden.bits.shell import norm_lane
from hdp_hw.golden.bits.shell.fetch import head_segments
from hdp_hw.golden.bits.shell.read_traffic import bytes_read, bytes_skipped
from hdp_hw.spec.encoder import TABLE_BYTES, Activation
from hdp_hw.spec.formats import DESCRIPTOR_BYTES, ENTRY_BYTES, PLANES, RECORD_BYTES
from hdp_hw.spec.params import HdpParams, ceil_div
from hdp_hw.spec.settings import HeadSettings


def kv_head(head: int, n_heads: int, n_kv_heads: int) -> int:
    """Number of the K and V that query head ``head`` reads."""
    return head * n_kv_heads // n_heads


def attend_heads(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, settings: Sequence[HeadSettings], params: HdpParams
) -> list[HeadResult]:
    """HeadResult of each query head: q [n_heads, n_q, d], k and v [n_kv_heads, n_k, d], HeadSettings of each head."""
    shared = [kv_head(head, len(q), len(k)) for head in range(len(q))]
    results = attend_many(q, k[shared], v[shared], settings, params)
    return [results[head] for head in range(len(q))]


def traffic(
    results: Sequence[HeadResult],
    settings: Sequence[HeadSettings],
    params: HdpParams,
    table: bool = False,
    records: bool = True,
    served: int = 0,
    planes: bool = False,
    chain: bool = False,
    norm: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """``{counter: bytes}`` of the heads with these HeadResults.

    table : scales and thresholds are read from a table; records : a record of each head is written; served : cores
    that a linear layer's heads went to, each of which reads its rows once; planes : the output is digit planes; chain :
    the descriptor of a job that follows is read; norm : fields of the descriptor of the job's norm.
    """
    segments = []
    for head, (result, of_head) in enumerate(zip(results, settings)):
        of_head = replace(of_head, reuse=of_head.linear and head >= served)
        of_planes = head_segments(result, of_head, dict.fromkeys(PLANES, (0, 0)), params)
        segments += [segment for of_plane in of_planes.values() for segment in of_plane]
    read = bytes_read(segments, params) + ENTRY_BYTES * table * len(settings)
    read += TABLE_BYTES * (settings[0].activation == Activation.TABLE if settings else 0) + DESCRIPTOR_BYTES * chain
    read += norm_lane.bytes_read(norm, params) if norm else 0
    unit = 2 * params.out_lanes if planes else 1  # elements that a row is filled up to
    elements = sum(len(result.output) * ceil_div(result.output.shape[1], unit) * unit for result in results)
    written = elements * params.operand_width // 8 + (norm_lane.bytes_written(norm, params) if norm else 0)
    return {
        "bytes_read": read,
        "bytes_unmasked": read + bytes_skipped(segments, params),
        "bytes_written": written + RECORD_BYTES * records * len(settings),
    }
