"""Amaranth layouts of the records that blocks exchange."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from hdp_hw.spec.params import bits_for
from hdp_hw.spec.settings import field_limits


def settings_layout(params):
    """A :class:`hdp_hw.spec.settings.HeadSettings` in hardware: its fields in order, as wide as their limits ask."""
    return data.StructLayout(
        {
            name: signed(bits_for(high) + 1) if low < 0 else unsigned(bits_for(high))
            for name, (low, high) in field_limits(params).items()
        }
    )


def tile_layout(shape, params):
    """T x T elements of ``shape``, row by row: ``view[r][c]``."""
    return data.ArrayLayout(data.ArrayLayout(shape, params.tile), params.tile)


def turn_layout(shape, params):
    """The elements of ``shape`` of a tile that the predictor takes in one turn: ``predictor_rows`` query rows of it."""
    return data.ArrayLayout(data.ArrayLayout(shape, params.tile), params.predictor_rows)


def turn_row_layout(shape, params):
    """An element of ``shape`` for each query row of such a turn."""
    return data.ArrayLayout(shape, params.predictor_rows)


def row_layout(shape, params):
    """T elements of ``shape``, one per query row of a block row: ``view[r]``."""
    return data.ArrayLayout(shape, params.tile)
