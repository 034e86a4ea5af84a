"""Coarse base-2 logarithm."""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.pruning.arithmetic import log2
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.tables import COARSE_FRACTION, COARSE_ONE


class CoarseLog(wiring.Component):
    """``log2(z / 2^15)`` in units of 1/16: the place of the leading one, the next four bits as linear mantissa.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        BlockRules gives sums of exponentials.
    i_z : In(unsigned(z_width(params)))
        A sum of coarse exponentials, 2^15 or more. 0 counts as 2^15.
    o_valid : Out(unsigned(1))
        Their logarithms leave.
    o_log : Out(unsigned(log_width(params)))
        With ``o_valid``: the logarithm of each sum.

    Timing
    ------
    Latency ``latency`` = 2 clock cycles, one logarithm per clock cycle, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.coarse_exp.coarse_log``; 0 to 0.15 below log2.
    """

    latency = 2

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_z": In(unsigned(z_width(params))),
                "o_valid": Out(unsigned(1)),
                "o_log": Out(unsigned(log_width(params))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lowest = log2(COARSE_ONE)
        # One comparison for each place of the leading one; at most one holds.
        places = range(1, z_width(self.params) - lowest)
        integer = Signal(range(places.stop))
        m.d.sync += integer.eq(reduce(or_, (Mux(self.i_z[lowest + place :] == 1, place, 0) for place in places)))
        z = delay(m, self.i_z[lowest - COARSE_FRACTION :], 1, "z")
        mantissa = (z >> integer)[:COARSE_FRACTION]
        m.d.sync += self.o_log.eq((integer << COARSE_FRACTION) | mantissa)
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m


def z_width(params):
    """Bits of the sum of a query row's coarse exponentials."""
    return bits_for(COARSE_ONE * params.max_seq_len)


def log_width(params):
    """Bits of the logarithm of the largest such sum."""
    return bits_for(z_width(params) - log2(COARSE_ONE) - 1) + COARSE_FRACTION
