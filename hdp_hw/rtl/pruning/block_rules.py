"""The decision whether a block is kept."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import row_layout, settings_layout
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.pruning.coarse_log import CoarseLog, z_width
from hdp_hw.rtl.pruning.coarse_logit import DISTANCE_MAX, DISTANCE_WIDTH
from hdp_hw.spec.settings import Rule
from hdp_hw.spec.tables import COARSE_MAX


class BlockRules(wiring.Component):
    """Keep a block by the rule in force; equality keeps.

    - row_threshold: what :class:`hdp_hw.rtl.pruning.row_threshold.RowThreshold` found.
    - margin: in any query row, the nearest score is within the margin of the query row's largest.
    - mass: in any query row, the nearest score's coarse logit is within ``log_mass - log2(Z)``, Z the sum of the query
      row's coarse exponentials: its coarse probability is at least p.

    A limit below 0 counts as 0, so that the largest score of a query row is always kept.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_settings : In(settings_layout(params))
        Stable; ``rule``, ``margin`` and ``log_mass`` matter.
    i_row_valid : In(unsigned(1))
        A block row's ``i_z`` are complete.
    i_z : In(row_layout(unsigned(z_width(params)), params))
        Z of each query row, 0 for one without a valid element.
    i_valid : In(unsigned(1))
        The predictor gives what it found of a block.
    i_distance : In(row_layout(unsigned(DISTANCE_WIDTH), params))
        Distance of each query row's nearest valid score of the block, in units of A for margin, as coarse logit for
        mass; ``NO_DISTANCE`` where there is no valid score.
    i_above : In(unsigned(1))
        The block is above the row's threshold.
    o_valid : Out(unsigned(1))
        The decision on a block leaves.
    o_keep : Out(unsigned(1))
        With ``o_valid``: the block is kept.

    Timing
    ------
    Latency ``latency`` = 2 clock cycles from a block to its decision, one block per clock cycle, no back-pressure. A
    row's limits apply to the blocks that enter ``row_latency`` = 4 clock cycles after ``i_row_valid`` and later.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.block_rules``.
    """

    latency = 2
    row_latency = CoarseLog.latency + 2

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_settings": In(settings_layout(params)),
                "i_row_valid": In(unsigned(1)),
                "i_z": In(row_layout(unsigned(z_width(params)), params)),
                "i_valid": In(unsigned(1)),
                "i_distance": In(row_layout(unsigned(DISTANCE_WIDTH), params)),
                "i_above": In(unsigned(1)),
                "o_valid": Out(unsigned(1)),
                "o_keep": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        within = Signal(self.params.tile)
        for r in range(self.params.tile):
            limit = self._limit(m, r)
            m.d.sync += within[r].eq(self.i_distance[r] <= limit)
        above = delay(m, self.i_above, 1, "above")
        m.d.sync += self.o_keep.eq(Mux(self.i_settings.rule == Rule.ROW_THRESHOLD, above, within.any()))
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m

    def _limit(self, m, r):
        """Largest distance that query row ``r`` keeps, from Z; held until the next row's."""
        m.submodules[f"log_{r}"] = log = CoarseLog(self.params)
        m.d.comb += [log.i_valid.eq(self.i_row_valid), log.i_z.eq(self.i_z[r])]
        log_mass = self.i_settings.log_mass
        difference = Signal(len(log_mass), name=f"difference_{r}")
        valid = delay(m, log.o_valid, 1, f"limit_valid_{r}")
        m.d.sync += difference.eq(Mux(log.o_log < log_mass, log_mass - log.o_log, 0))
        limit = Signal(DISTANCE_WIDTH, name=f"limit_{r}")
        with m.If(valid):
            with m.If(self.i_settings.rule == Rule.MARGIN):
                m.d.sync += limit.eq(self.i_settings.margin)
            with m.Elif(difference >= COARSE_MAX):
                # Coarse logits saturate at COARSE_MAX: every distance within the limit.
                m.d.sync += limit.eq(DISTANCE_MAX)
            with m.Else():
                m.d.sync += limit.eq(difference)
        return limit
