"""What a reader delivers for segments, and which regions of memory it reads for that."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from hdp_hw.spec.depths import joined_row_bits
from hdp_hw.spec.params import HdpParams, ceil_div


@dataclass(frozen=True)
class Segment:
    """Rows of a plane: ``n_rows`` of ``words`` core words, ``row_stride`` bytes apart; or as many zeros."""

    address: int
    row_stride: int
    n_rows: int
    words: int
    zero: int = 0
    key: int = 0
    last: int = 0


def row_beats(words: int, params: HdpParams) -> int:
    """Bus words that a row of ``words`` core words occupies."""
    return ceil_div(words * params.word_width, params.bus_width)


def regions(segment: Segment, params: HdpParams) -> list[tuple[int, int]]:
    """``[(address, bus words)]`` that are read for a segment: one for all rows if there is no gap between them.

    Rows that :func:`joined_row_bits` cannot count are read one by one.
    """
    beats = row_beats(segment.words, params)
    if segment.zero:
        return []
    if segment.row_stride == beats * params.bus_bytes and beats >> joined_row_bits(params) == 0:
        return [(segment.address, segment.n_rows * beats)]
    return [(segment.address + row * segment.row_stride, beats) for row in range(segment.n_rows)]


def words(
    read: Callable[[int, int], bytes], segments: Iterable[Segment], params: HdpParams
) -> list[tuple[int, int, int]]:
    """``[(data, key, last)]`` for segments; ``read(address, n_bytes)`` returns the memory's bytes."""
    delivered: list[tuple[int, int, int]] = []
    word_bytes = params.word_width // 8
    for segment in segments:
        rows = np.zeros((segment.n_rows, segment.words * word_bytes), np.uint8)
        if not segment.zero:
            for row, place in enumerate(rows):
                place[:] = np.frombuffer(read(segment.address + row * segment.row_stride, place.size), np.uint8)
        data = [int.from_bytes(word.tobytes(), "little") for word in rows.reshape(-1, word_bytes)]
        delivered += [(word, segment.key, int(segment.last and k == len(data) - 1)) for k, word in enumerate(data)]
    return delivered
