"""Statistics of a block row, gathered while its tiles stream by."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import turn_layout, turn_row_layout
from hdp_hw.rtl.common.pipeline import delay, extreme_tree, register
from hdp_hw.rtl.pruning.arithmetic import log2, running_sum
from hdp_hw.rtl.pruning.block_importance import BlockImportance, importance_latency
from hdp_hw.spec.params import bits_for


class RowStatistics(wiring.Component):
    """Importance of every tile and, per block row, what the block rules compare with.

    Largest score of each query row, ``m_r = max_j A_rj`` over its valid elements (the most negative number for a query
    row without any), and sum and number of the importances of the blocks that have a valid element. A block that has
    none is the only one of its row; both are 0 then.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        The predictor gives the query rows of a tile whose turn it is.
    i_first : In(unsigned(1))
        First tile of its block row.
    i_last : In(unsigned(1))
        Last tile of its block row.
    i_last_turn : In(unsigned(1))
        With ``i_valid``: the tile has no further query rows.
    i_a : In(turn_layout(signed(params.a_width), params))
        With ``i_valid``: the scores.
    i_elements : In(turn_layout(unsigned(1), params))
        Valid elements of the turn.
    o_max_valid : Out(unsigned(1))
        The block row has no further scores of the query rows whose turn it is.
    o_row_max : Out(turn_row_layout(signed(params.a_width), params))
        With ``o_max_valid``: the largest valid score of each of these query rows.
    o_tile_valid : Out(unsigned(1))
        The importance of a tile leaves.
    o_theta : Out(unsigned(params.theta_width))
        Importance of a tile.
    o_valid : Out(unsigned(1))
        A block row is complete; its statistics hold until the next row's come.
    o_theta_sum : Out(unsigned(theta_sum_width(params)))
        With ``o_valid``: the sum of the importances of the row's tiles.
    o_n_b : Out(unsigned(params.n_blocks_width))
        Blocks that have a valid element.
    o_n_valid : Out(unsigned(bits_for(params.tile * params.max_seq_len)))
        Valid elements of the row.

    Timing
    ------
    ``o_theta`` comes ``tile_latency`` clock cycles after the last turn of its tile, a row's statistics ``latency``, one
    more, after the last turn of its last tile; ``o_row_max`` ``max_latency`` = 2 + log2(tile) after each turn of the
    last tile. One turn per clock cycle, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.block_rules``.
    """

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_first": In(unsigned(1)),
                "i_last": In(unsigned(1)),
                "i_last_turn": In(unsigned(1)),
                "i_a": In(turn_layout(signed(params.a_width), params)),
                "i_elements": In(turn_layout(unsigned(1), params)),
                "o_max_valid": Out(unsigned(1)),
                "o_row_max": Out(turn_row_layout(signed(params.a_width), params)),
                "o_tile_valid": Out(unsigned(1)),
                "o_theta": Out(unsigned(params.theta_width)),
                "o_valid": Out(unsigned(1)),
                "o_theta_sum": Out(unsigned(theta_sum_width(params))),
                "o_n_b": Out(unsigned(params.n_blocks_width)),
                "o_n_valid": Out(unsigned(bits_for(params.tile * params.max_seq_len))),
            }
        )

    @property
    def max_latency(self):
        """Clock cycles from a turn of a row's last tile to the largest scores of its query rows."""
        return 2 + log2(self.params.tile)

    @property
    def tile_latency(self):
        """Clock cycles from a tile's last turn to its importance."""
        return importance_latency(self.params)

    @property
    def latency(self):
        """Clock cycles from the last turn of a row's last tile to its statistics."""
        return statistics_latency(self.params)

    def elaborate(self, platform):
        m = Module()
        rows, tile = self.params.predictor_rows, self.params.tile
        m.submodules.importance = importance = BlockImportance(self.params)
        m.d.comb += [
            importance.i_valid.eq(self.i_valid),
            importance.i_last_turn.eq(self.i_last_turn),
            importance.i_a.eq(self.i_a),
            importance.i_elements.eq(self.i_elements),
            self.o_tile_valid.eq(importance.o_valid),
            self.o_theta.eq(importance.o_theta),
        ]

        # Largest score of each query row: of the tile, then of the tiles so far, which wait in a ring for their turn.
        lowest = -(1 << (self.params.a_width - 1))
        valid, first, last = delay(m, Cat(self.i_valid, self.i_first, self.i_last), self.max_latency - 1, "turn")
        for r in range(rows):
            scores = [
                register(m, Mux(self.i_elements[r][c], self.i_a[r][c], lowest), f"score_{r}_{c}") for c in range(tile)
            ]
            tile_max = extreme_tree(m, scores, largest=True, name=f"tile_max_{r}")
            shape = self.o_row_max[r].shape()
            ring = [Signal(shape, name=f"row_max_{r}_{k}", reset_less=True) for k in range(self.params.predictor_turns)]
            with m.If(valid):
                m.d.sync += [after.eq(before) for before, after in pairwise(ring)]
                m.d.sync += ring[0].eq(Mux(first | (tile_max > ring[-1]), tile_max, ring[-1]))
            m.d.comb += self.o_row_max[r].eq(ring[0])
        m.d.sync += self.o_max_valid.eq(valid & last)

        # The row's sums.
        valid, last = importance.o_valid, delay(m, self.i_last, self.tile_latency, "last")
        running_sum(m, importance.o_theta, valid, last, self.o_theta_sum)
        running_sum(m, importance.o_n_valid != 0, valid, last, self.o_n_b)
        running_sum(m, importance.o_n_valid, valid, last, self.o_n_valid)
        m.d.sync += self.o_valid.eq(valid & last)
        return m


def theta_sum_width(params):
    """Bits of the sum of a block row's importances."""
    return bits_for(4 ** (params.digit_width - 1) * params.max_head_dim * params.tile * params.max_seq_len)


def statistics_latency(params):
    """Clock cycles from the last turn of a row's last tile to its statistics."""
    return importance_latency(params) + 1
