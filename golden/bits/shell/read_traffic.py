"""Bytes that segments cost on the bus."""

from hdp_hw.golden.bits.shell.plane_reader import row_beats


def bytes_read(segments, params):
    """Bytes that the memory sends for segments: whole bus words, those that are dropped in part included."""
    return sum(_bytes(segment, params) for segment in segments if not segment.zero)


def bytes_skipped(segments, params):
    """Bytes that the memory would have to send, were the segments of zeros read."""
    return sum(_bytes(segment, params) for segment in segments if segment.zero)


def _bytes(segment, params):
    return segment.n_rows * row_beats(segment.words, params) * params.bus_bytes
