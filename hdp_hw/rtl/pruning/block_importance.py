"""Importance of a block."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import tile_layout
from hdp_hw.rtl.common.pipeline import adder_tree, delay
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.timing import tree_latency


class BlockImportance(wiring.Component):
    """Sum of the magnitudes of a tile's valid scores, and their number: ``theta = sum |A|`` [paper].

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        RowStatistics gives a tile of scores.
    i_a : In(tile_layout(signed(params.a_width), params))
        Integer scores of a tile.
    i_elements : In(tile_layout(unsigned(1), params))
        Valid elements of the tile.
    o_valid : Out(unsigned(1))
        The importance of a tile leaves.
    o_theta : Out(unsigned(params.theta_width))
        With ``o_valid``: the sum of |A| over the tile's valid elements.
    o_n_valid : Out(unsigned(bits_for(params.tile**2)))
        Number of valid elements.

    Timing
    ------
    Latency ``latency`` = 1 + log2(tile) clock cycles, one tile per clock cycle, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.block_importance``.
    """

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_a": In(tile_layout(signed(params.a_width), params)),
                "i_elements": In(tile_layout(unsigned(1), params)),
                "o_valid": Out(unsigned(1)),
                "o_theta": Out(unsigned(params.theta_width)),
                "o_n_valid": Out(unsigned(bits_for(params.tile**2))),
            }
        )

    @property
    def latency(self):
        """Clock cycles from a tile to its importance."""
        return importance_latency(self.params)

    def elaborate(self, platform):
        m = Module()
        magnitudes, ones = [], []
        for r in range(self.params.tile):
            for c in range(self.params.tile):
                a, valid = self.i_a[r][c], self.i_elements[r][c]
                # A score of the most negative value cannot occur, yet its magnitude would fit too.
                magnitude = Signal(self.params.a_width, name=f"magnitude_{r}_{c}")
                one = Signal(name=f"one_{r}_{c}")
                m.d.sync += [magnitude.eq(Mux(valid, abs(a), 0)), one.eq(valid)]
                magnitudes.append(magnitude)
                ones.append(one)
        m.d.comb += [
            self.o_theta.eq(adder_tree(m, magnitudes, name="theta")),
            self.o_n_valid.eq(adder_tree(m, ones, name="n_valid")),
            self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid")),
        ]
        return m


def importance_latency(params):
    """Clock cycles from a tile to its importance."""
    return 1 + tree_latency(params.tile**2)
