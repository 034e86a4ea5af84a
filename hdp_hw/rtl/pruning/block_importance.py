"""Importance of a block."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import turn_layout
from hdp_hw.rtl.common.pipeline import adder_tree, delay
from hdp_hw.rtl.pruning.arithmetic import running_sum
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.timing import tree_latency


class BlockImportance(wiring.Component):
    """Sum of the magnitudes of a tile's valid scores, and their number: ``theta = sum |A|`` [paper], turn by turn.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        RowStatistics gives the query rows of a tile whose turn it is.
    i_last_turn : In(unsigned(1))
        With ``i_valid``: the tile has no further ones.
    i_a : In(turn_layout(signed(params.a_width), params))
        Integer scores.
    i_elements : In(turn_layout(unsigned(1), params))
        Valid elements of the turn.
    o_valid : Out(unsigned(1))
        The importance of a tile leaves; it holds until the next.
    o_theta : Out(unsigned(params.theta_width))
        With ``o_valid``: the sum of |A| over the tile's valid elements.
    o_n_valid : Out(unsigned(bits_for(params.tile**2)))
        Number of valid elements.

    Timing
    ------
    Latency ``latency`` from a tile's last turn: 2 clock cycles and an adder tree. One turn per clock cycle, no
    back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.block_importance``.
    """

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_last_turn": In(unsigned(1)),
                "i_a": In(turn_layout(signed(params.a_width), params)),
                "i_elements": In(turn_layout(unsigned(1), params)),
                "o_valid": Out(unsigned(1)),
                "o_theta": Out(unsigned(params.theta_width)),
                "o_n_valid": Out(unsigned(bits_for(params.tile**2))),
            }
        )

    @property
    def latency(self):
        """Clock cycles from a tile's last turn to its importance."""
        return importance_latency(self.params)

    def elaborate(self, platform):
        m = Module()
        magnitudes, ones = [], []
        for r in range(self.params.predictor_rows):
            for c in range(self.params.tile):
                a, valid = self.i_a[r][c], self.i_elements[r][c]
                # A score of the most negative value cannot occur, yet its magnitude would fit too.
                magnitude = Signal(self.params.a_width, name=f"magnitude_{r}_{c}")
                one = Signal(name=f"one_{r}_{c}")
                m.d.sync += [magnitude.eq(Mux(valid, abs(a), 0)), one.eq(valid)]
                magnitudes.append(magnitude)
                ones.append(one)
        sums = adder_tree(m, magnitudes, name="theta"), adder_tree(m, ones, name="n_valid")
        valid, last = delay(m, Cat(self.i_valid, self.i_last_turn), self.latency - 1, "turn")
        for turn, total in zip(sums, (self.o_theta, self.o_n_valid)):
            running_sum(m, turn, valid, last, total)
        m.d.sync += self.o_valid.eq(valid & last)
        return m


def importance_latency(params):
    """Clock cycles from a tile's last turn to its importance."""
    return 1 + tree_latency(params.predictor_rows * params.tile) + 1
