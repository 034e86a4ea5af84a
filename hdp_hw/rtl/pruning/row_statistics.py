"""Statistics of a block row, gathered while its tiles stream by."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import row_layout, tile_layout
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.pruning.arithmetic import extreme_tree
from hdp_hw.rtl.pruning.block_importance import BlockImportance, importance_latency
from hdp_hw.spec.params import bits_for


class RowStatistics(wiring.Component):
    """Importance of every tile and, per block row, what the block rules compare with.

    Largest score of each query row, ``m_r = max_j A_rj`` over its valid elements (the most negative number for a query
    row without any), and maximum, minimum, sum and number of the importances of the blocks that have a valid element. A
    block that has none is the only one of its row; the three are 0 then.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        The predictor gives a tile of scores.
    i_first : In(unsigned(1))
        First tile of its block row.
    i_last : In(unsigned(1))
        Last tile of its block row.
    i_a : In(tile_layout(signed(params.a_width), params))
        With ``i_valid``: the tile's scores.
    i_elements : In(tile_layout(unsigned(1), params))
        Valid elements of the tile.
    o_tile_valid : Out(unsigned(1))
        The importance of a tile leaves.
    o_theta : Out(unsigned(params.theta_width))
        Importance of a tile.
    o_valid : Out(unsigned(1))
        A block row is complete; its statistics hold until the next row's first tile has come through.
    o_row_max : Out(row_layout(signed(params.a_width), params))
        With ``o_valid``: the largest valid score of each query row.
    o_theta_max : Out(unsigned(params.theta_width))
        With ``o_valid``: the largest importance of the row's tiles.
    o_theta_min : Out(unsigned(params.theta_width))
        With ``o_valid``: the smallest importance of the row's tiles that have a valid element.
    o_theta_sum : Out(unsigned(theta_sum_width(params)))
        With ``o_valid``: the sum of the importances of the row's tiles.
    o_n_b : Out(unsigned(params.n_blocks_width))
        Blocks that have a valid element.
    o_n_valid : Out(unsigned(bits_for(params.tile * params.max_seq_len)))
        Valid elements of the row.

    Timing
    ------
    ``o_theta`` comes ``tile_latency`` = 1 + log2(tile) clock cycles after its tile, a row's statistics ``latency``, one
    more, after its last tile; one tile per clock cycle, no back-pressure.

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
                "i_a": In(tile_layout(signed(params.a_width), params)),
                "i_elements": In(tile_layout(unsigned(1), params)),
                "o_tile_valid": Out(unsigned(1)),
                "o_theta": Out(unsigned(params.theta_width)),
                "o_valid": Out(unsigned(1)),
                "o_row_max": Out(row_layout(signed(params.a_width), params)),
                "o_theta_max": Out(unsigned(params.theta_width)),
                "o_theta_min": Out(unsigned(params.theta_width)),
                "o_theta_sum": Out(unsigned(theta_sum_width(params))),
                "o_n_b": Out(unsigned(params.n_blocks_width)),
                "o_n_valid": Out(unsigned(bits_for(params.tile * params.max_seq_len))),
            }
        )

    @property
    def tile_latency(self):
        """Clock cycles from a tile to its importance."""
        return importance_latency(self.params)

    @property
    def latency(self):
        """Clock cycles from a row's last tile to its statistics."""
        return statistics_latency(self.params)

    def elaborate(self, platform):
        m = Module()
        tile = self.params.tile
        m.submodules.importance = importance = BlockImportance(self.params)
        m.d.comb += [
            importance.i_valid.eq(self.i_valid),
            importance.i_a.eq(self.i_a),
            importance.i_elements.eq(self.i_elements),
            self.o_tile_valid.eq(importance.o_valid),
            self.o_theta.eq(importance.o_theta),
        ]

        # Largest score of each query row of a tile. It takes one register for the choice of valid elements and one per
        # level of the tree, as many as the importance.
        lowest = -(1 << (self.params.a_width - 1))
        tile_max = []
        for r in range(tile):
            scores = [Signal(signed(self.params.a_width), name=f"score_{r}_{c}") for c in range(tile)]
            for c, score in enumerate(scores):
                m.d.sync += score.eq(Mux(self.i_elements[r][c], self.i_a[r][c], lowest))
            tile_max.append(extreme_tree(m, scores, largest=True, name=f"tile_max_{r}"))
        first = delay(m, self.i_first, self.tile_latency, "first")
        last = delay(m, self.i_last, self.tile_latency, "last")

        # The running statistics of the row; a first tile starts anew.
        theta, n_valid = importance.o_theta, importance.o_n_valid
        with m.If(importance.o_valid):
            for r in range(tile):
                with m.If(first | (tile_max[r] > self.o_row_max[r])):
                    m.d.sync += self.o_row_max[r].eq(tile_max[r])
            m.d.sync += [
                self.o_theta_sum.eq(Mux(first, 0, self.o_theta_sum) + theta),
                self.o_n_b.eq(Mux(first, 0, self.o_n_b) + (n_valid != 0)),
                self.o_n_valid.eq(Mux(first, 0, self.o_n_valid) + n_valid),
            ]
            with m.If(first | (theta > self.o_theta_max)):
                m.d.sync += self.o_theta_max.eq(theta)
            with m.If(first | (theta < self.o_theta_min)):
                m.d.sync += self.o_theta_min.eq(theta)
        m.d.sync += self.o_valid.eq(importance.o_valid & last)
        return m


def theta_sum_width(params):
    """Bits of the sum of a block row's importances."""
    return bits_for(4 ** (params.digit_width - 1) * params.max_head_dim * params.tile * params.max_seq_len)


def statistics_latency(params):
    """Clock cycles from a row's last tile to its statistics."""
    return importance_latency(params) + 1
