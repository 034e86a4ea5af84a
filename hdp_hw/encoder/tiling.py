"""How a linear layer is cut to jobs: as many rows as fit at once, and blocks of as many output channels."""

from collections.abc import Iterator
from dataclasses import dataclass

from hdp_hw.spec.params import HdpParams, ceil_div


@dataclass(frozen=True)
class Tile:
    """One job: ``n_rows`` rows from ``row`` on, ``n_heads`` blocks of ``n_channels`` channels from ``channel`` on."""

    row: int
    n_rows: int
    channel: int
    n_channels: int
    n_heads: int


def tiles(
    n_rows: int,
    n_channels: int,
    n_inputs: int,
    bits: int,
    params: HdpParams,
    rows_at_once: int,
    channels_at_once: int,
) -> Iterator[Tile]:
    """Tiles of a linear layer of ``n_inputs`` inputs whose results have ``bits`` bits, or are planes of so many.

    n_channels : a multiple of :func:`channel_unit`; rows_at_once, channels_at_once : of a job and of its blocks, at
    most.
    """
    unit, most = channel_unit(params, bits), params.max_rows(n_inputs)
    block, n = max(unit, min(most, channels_at_once) // unit * unit), min(most, rows_at_once)
    whole = n_channels // block * block
    for row in range(0, n_rows, n):
        for channel, end in ((0, whole), (whole, n_channels)):
            if width := min(block, end - channel):
                yield Tile(row, min(n, n_rows - row), channel, width, (end - channel) // width)


def channel_unit(params: HdpParams, bits: int) -> int:
    """Channels whose results, of ``bits`` bits each, are whole bus words, and whole tiles."""
    return max(params.channel_step, params.bus_width // bits)


def max_inputs(params: HdpParams, bits: int) -> int:
    """Of the widest linear layer that a core takes; bits : of its results."""
    rows = (ceil_div(channel_unit(params, bits), params.tile) - 1).bit_length()  # log2 of what a bank holds at once
    return min(params.max_inputs, params.lanes << params.bank_bits - rows)
