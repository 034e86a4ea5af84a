"""What a head writes: bytes, and bursts on the bus."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.golden.bits.shell.burst_reader import bursts
from hdp_hw.spec.params import HdpParams, ceil_div


@dataclass(frozen=True)
class Output:
    """Rows of a head's output: ``n_rows`` of ``beats`` core beats, ``row_stride`` bytes apart."""

    address: int
    row_stride: int
    n_rows: int
    beats: int


def row_words(beats: int, params: HdpParams) -> int:
    """Bus words that a row of ``beats`` core beats occupies; the last one may be partial."""
    return ceil_div(beats * params.out_lanes * params.operand_width, params.bus_width)


def regions(output: Output, params: HdpParams) -> list[tuple[int, int]]:
    """``[(address, bus words)]`` of the rows: one for all of them if there is no gap between them."""
    words = row_words(output.beats, params)
    if output.row_stride == words * params.bus_bytes:
        return [(output.address, output.n_rows * words)]
    return [(output.address + row * output.row_stride, words) for row in range(output.n_rows)]


def write_bursts(
    output: Output | None, record: tuple[int, bytes] | None, max_beats: int, params: HdpParams
) -> list[tuple[int, int]]:
    """``[(address, bus words)]`` of a head's bursts, in order.

    ``output`` is None for a head without rows; ``record`` is ``(address, bytes)`` or None.
    """
    written = regions(output, params) if output else []
    if record:
        written.append((record[0], len(record[1]) // params.bus_bytes))
    return [burst for region in written for burst in bursts(*region, max_beats, params)]


def contents(
    output: Output | None, values: np.ndarray, record: tuple[int, bytes] | None, params: HdpParams
) -> list[tuple[int, bytes]]:
    """``[(address, bytes)]`` that a head writes, in order: rows of ``values`` [n_rows, d] as integers, the record."""
    kind = f"<i{params.operand_width // 8}"
    written = []
    if output:
        assert values.shape == (output.n_rows, output.beats * params.out_lanes), f"{values.shape} for {output}"
        written = [
            (output.address + row * output.row_stride, line.tobytes()) for row, line in enumerate(values.astype(kind))
        ]
    return [*written, record] if record else written


def bytes_written(output: Output | None, record: tuple[int, bytes] | None, params: HdpParams) -> int:
    """Bytes that the strobes of a head's bursts cover."""
    rows = output.n_rows * output.beats * params.out_lanes * params.operand_width // 8 if output else 0
    return rows + (len(record[1]) if record else 0)
