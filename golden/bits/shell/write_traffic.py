"""What a head writes: bytes, and bursts on the bus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hdp_hw.golden.bits.shell.burst_reader import bursts
from hdp_hw.spec.params import HdpParams, ceil_div


@dataclass(frozen=True)
class Target:
    """Where rows of ``beats`` beats go, ``row_stride`` bytes apart."""

    address: int
    row_stride: int
    beats: int

    def row(self, number: int) -> int:
        """Address of a row."""
        return self.address + number * self.row_stride


@dataclass(frozen=True)
class Output:
    """Rows of a head's output: ``n_rows`` of each target, first the first row of each."""

    targets: tuple[Target, ...]
    n_rows: int


def row_words(beats: int, params: HdpParams, out_lanes: int | None = None) -> int:
    """Bus words of a row of so many beats, the last may be partial; out_lanes : of a beat, the core's unless given."""
    return ceil_div(beats * (out_lanes or params.out_lanes) * params.operand_width, params.bus_width)


def regions(output: Output, params: HdpParams) -> list[tuple[int, int]]:
    """``[(address, bus words)]`` of the rows: one for all of them if there is no gap between them."""
    (first, *others), words = output.targets, row_words(output.targets[0].beats, params)
    if first.row_stride == words * params.bus_bytes and not others:
        return [(first.address, output.n_rows * words)]
    each = [(target, row_words(target.beats, params)) for target in output.targets]
    return [(target.row(row), words) for row in range(output.n_rows) for target, words in each]


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
    output: Output | None, values: Sequence[np.ndarray], record: tuple[int, bytes] | None, params: HdpParams
) -> list[tuple[int, bytes]]:
    """``[(address, bytes)]`` that a head writes, in order: rows of integers, [n_rows, d] a target; the record."""
    kind = f"<i{params.operand_width // 8}"
    written = []
    if output:
        shapes = [(output.n_rows, target.beats * params.out_lanes) for target in output.targets]
        assert [each.shape for each in values] == shapes, f"{[each.shape for each in values]} for {output}"
        rows = range(output.n_rows)
        of_targets = list(zip(output.targets, values))
        written = [(target.row(row), each[row].astype(kind).tobytes()) for row in rows for target, each in of_targets]
    return [*written, record] if record else written


def bytes_written(output: Output | None, record: tuple[int, bytes] | None, params: HdpParams) -> int:
    """Bytes that the strobes of a head's bursts cover."""
    beats = output.n_rows * sum(target.beats for target in output.targets) if output else 0
    return beats * params.out_lanes * params.operand_width // 8 + (len(record[1]) if record else 0)
