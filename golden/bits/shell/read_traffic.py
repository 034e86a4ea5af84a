"""Bytes that segments cost on the bus."""

from collections.abc import Iterable

from hdp_hw.golden.bits.shell.plane_reader import Segment, row_beats
from hdp_hw.spec.params import HdpParams


def bytes_read(segments: Iterable[Segment], params: HdpParams) -> int:
    """Bytes that the memory sends for segments: whole bus words, those that are dropped in part included."""
    return sum(_bytes(segment, params) for segment in segments if not segment.zero)


def bytes_skipped(segments: Iterable[Segment], params: HdpParams) -> int:
    """Bytes that the memory would have to send, were the segments of zeros read."""
    return sum(_bytes(segment, params) for segment in segments if segment.zero)


def _bytes(segment: Segment, params: HdpParams) -> int:
    return segment.n_rows * row_beats(segment.words, params) * params.bus_bytes
