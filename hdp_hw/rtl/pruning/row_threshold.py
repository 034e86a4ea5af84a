"""The threshold of the row_threshold rule."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.rtl.common.multiply import multiply_sparing
from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.rtl.pruning.arithmetic import PRODUCT_LATENCY, serial_product
from hdp_hw.rtl.pruning.row_statistics import theta_sum_width
from hdp_hw.spec.settings import RELATIVE_ONE


class RowThreshold(wiring.Component):
    """By how much each block exceeds the mean of its block row, and by how much the row's threshold does.

    The rule keeps a block when ``256 * n_b * theta >= |rho| * n_b * extreme + (256 - |rho|) * sum(theta)`` [paper's
    rule]: theta is compared with ``|rho| * extreme + (1 - |rho|) * mean``, multiplied through by ``256 * n_b``. The
    extreme is the largest importance of the block row for rho >= 0, the smallest for rho < 0. Computed as
    ``256 * (n_b * theta - sum) >= |rho| * (n_b * extreme - sum)``: the excess of the block, and the limit of its row.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_settings : In(settings_layout(params))
        Stable from the first block of a head to the last limit; ``rho`` matters.
    i_valid : In(unsigned(1))
        The predictor gives a block and the statistics of its row, in one clock cycle or in several.
    i_first : In(unsigned(1))
        With ``i_valid``: the block is its row's first.
    i_end : In(unsigned(1))
        The row's last block has come, or comes now; not within 15 clock cycles of the last time.
    i_theta : In(unsigned(params.theta_width))
        Importance of the block.
    i_theta_sum : In(unsigned(theta_sum_width(params)))
        With ``i_valid``: the sum of the importances of the block row.
    i_n_b : In(unsigned(params.n_blocks_width))
        With ``i_valid``: blocks of the row that have a valid element.
    o_excess : Out(signed(theta_sum_width(params) + 1))
        Excess of the block; below any limit for one that has no valid element.
    o_limit : Out(signed(limit_width(params)))
        Smallest ``256 * o_excess`` that the row keeps. It holds until the next row's.

    Timing
    ------
    ``o_excess`` comes ``latency`` = 3 clock cycles after its block, ``o_limit`` ``limit_latency`` = 14 clock cycles
    after ``i_end``. One block per clock cycle, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.block_rules``.
    """

    latency = PRODUCT_LATENCY + 1

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_settings": In(settings_layout(params)),
                "i_valid": In(unsigned(1)),
                "i_first": In(unsigned(1)),
                "i_end": In(unsigned(1)),
                "i_theta": In(unsigned(params.theta_width)),
                "i_theta_sum": In(unsigned(theta_sum_width(params))),
                "i_n_b": In(unsigned(params.n_blocks_width)),
                "o_excess": Out(signed(theta_sum_width(params) + 1)),
                "o_limit": Out(signed(limit_width(params))),
            }
        )

    @property
    def limit_latency(self):
        """Clock cycles from the end of a row to its limit: excess, extreme, product, one bit at a time, and limit."""
        return self.latency + 1 + 1 + (len(self.i_settings.rho) - 1) + 1

    def elaborate(self, platform):
        m = Module()
        rho = self.i_settings.rho
        # A block without a valid element is the only one of a row whose sum is 0. A sum of 1 puts the excess below any
        # limit, of -1 times |rho| or more.
        mean = delay(m, self.i_theta_sum | (self.i_n_b == 0), PRODUCT_LATENCY, "theta_sum")
        product = multiply_sparing(m, self.params, self.i_theta, self.i_n_b, "theta_n_b", PRODUCT_LATENCY)
        m.d.sync += self.o_excess.eq(product - mean)

        extreme = Signal(self.o_excess.shape())
        valid = delay(m, self.i_valid, self.latency, "valid")
        first = delay(m, self.i_first, self.latency, "first")
        with m.If(valid & (first | Mux(rho < 0, self.o_excess < extreme, self.o_excess > extreme))):
            m.d.sync += extreme.eq(self.o_excess)
        start = delay(m, self.i_end, self.latency + 1, "start")
        rho_magnitude = register(m, abs(rho)[: len(rho) - 1], "rho_magnitude")
        limit = serial_product(m, start, extreme, rho_magnitude, "limit")
        with m.If(delay(m, start, 1 + len(rho_magnitude), "limit_valid")):
            m.d.sync += self.o_limit.eq(limit)
        return m


def limit_width(params):
    """Bits of a row's limit."""
    return theta_sum_width(params) + RELATIVE_ONE.bit_length()
