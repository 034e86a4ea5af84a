"""The comparison of the row_threshold rule."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.pruning.arithmetic import PRODUCT_LATENCY, log2, product
from hdp_hw.rtl.pruning.row_statistics import theta_sum_width


class RowThreshold(wiring.Component):
    """Keep a block when ``256 * n_b * theta >= |rho| * n_b * extreme + (256 - |rho|) * sum(theta)`` [paper's rule].

    The extreme is the largest importance of the block row for rho >= 0, the smallest for rho < 0: theta is compared
    with ``|rho| * extreme + (1 - |rho|) * mean``, multiplied through by ``256 * n_b``. Computed as
    ``256 * (n_b * theta - sum) >= |rho| * (n_b * extreme - sum)``. In causal mode, where the last block of a row may be
    seen by its later queries only, the last block that the row's first query sees is kept too: else that query might
    be left without a key.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_settings : In(settings_layout(params))
        Stable; ``rho``, ``causal``, ``n_q`` and ``n_k`` matter.
    i_valid : In(unsigned(1))
        The predictor gives a block and the statistics of its row.
    i_row : In(unsigned(params.block_width))
        With ``i_valid``: the block's row.
    i_column : In(unsigned(params.block_width))
        With ``i_valid``: the block's column.
    i_exists : In(unsigned(1))
        The block has a valid element.
    i_theta : In(unsigned(params.theta_width))
        Importance of the block.
    i_theta_max : In(unsigned(params.theta_width))
        With ``i_valid``: the largest importance of the block row.
    i_theta_min : In(unsigned(params.theta_width))
        With ``i_valid``: the smallest importance of the block row.
    i_theta_sum : In(unsigned(theta_sum_width(params)))
        With ``i_valid``: the sum of the importances of the block row.
    i_n_b : In(unsigned(params.n_blocks_width))
        With ``i_valid``: blocks of the row that have a valid element.
    o_valid : Out(unsigned(1))
        The decision on a block leaves.
    o_keep : Out(unsigned(1))
        With ``o_valid``: the block's importance reaches the row's threshold.

    Timing
    ------
    Latency ``latency`` = 7 clock cycles, one block per clock cycle, no back-pressure. ``i_settings`` have to be stable
    for two clock cycles before the first block.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.block_rules``.
    """

    latency = 1 + PRODUCT_LATENCY + 1 + PRODUCT_LATENCY + 1

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_settings": In(settings_layout(params)),
                "i_valid": In(unsigned(1)),
                "i_row": In(unsigned(params.block_width)),
                "i_column": In(unsigned(params.block_width)),
                "i_exists": In(unsigned(1)),
                "i_theta": In(unsigned(params.theta_width)),
                "i_theta_max": In(unsigned(params.theta_width)),
                "i_theta_min": In(unsigned(params.theta_width)),
                "i_theta_sum": In(unsigned(theta_sum_width(params))),
                "i_n_b": In(unsigned(params.n_blocks_width)),
                "o_valid": Out(unsigned(1)),
                "o_keep": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rho = self.i_settings.rho
        rho_magnitude = Signal(len(rho) - 1)
        extreme = Signal(self.params.theta_width)
        m.d.sync += [
            rho_magnitude.eq(abs(rho)),
            extreme.eq(Mux(rho < 0, self.i_theta_min, self.i_theta_max)),
        ]
        theta = delay(m, self.i_theta, 1, "theta")
        n_b = delay(m, self.i_n_b, 1, "n_b")
        theta_sum = delay(m, self.i_theta_sum, 1 + PRODUCT_LATENCY, "theta_sum")

        # n_b blocks of this importance, and n_b of the extreme one, against the sum of the row's n_b blocks.
        theta_excess = Signal(signed(theta_sum_width(self.params) + 1))
        extreme_excess = Signal(signed(theta_sum_width(self.params) + 1))
        m.d.sync += [
            theta_excess.eq(product(m, theta, n_b, "theta_n_b") - theta_sum),
            extreme_excess.eq(product(m, extreme, n_b, "extreme_n_b") - theta_sum),
        ]
        limit = product(m, extreme_excess, rho_magnitude, "limit")
        theta_excess = delay(m, theta_excess, PRODUCT_LATENCY, "theta_excess")

        on_diagonal = delay(m, self._diagonal(m), self.latency - 2, "on_diagonal")
        exists = delay(m, self.i_exists, self.latency - 1, "exists")
        m.d.sync += self.o_keep.eq(exists & (on_diagonal | ((theta_excess << len(rho_magnitude)) >= limit)))
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m

    def _diagonal(self, m):
        """Whether causal mode keeps the block in any case, one clock cycle late."""
        settings, tile_bits = self.i_settings, log2(self.params.tile)
        offset = Signal(signed(self.params.seq_width + 1))
        blocks = Signal(signed(self.params.seq_width + 2))
        on_diagonal = Signal()
        m.d.sync += offset.eq(settings.n_k - settings.n_q)
        # The last key of the row's first query is row * tile + offset. Where that is negative, the row has one block at
        # most, which equals the row's extreme and mean. Blocks that begin with that key have no later one.
        m.d.comb += blocks.eq(self.i_row + (offset >> tile_bits))
        m.d.sync += on_diagonal.eq(settings.causal & offset[:tile_bits].any() & (self.i_column == blocks))
        return on_diagonal
