"""The decision whether a block is kept."""

from amaranth.hdl import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import settings_layout, turn_row_layout
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.pruning.arithmetic import log2
from hdp_hw.rtl.pruning.coarse_log import CoarseLog, z_width
from hdp_hw.rtl.pruning.coarse_logit import DISTANCE_MAX, DISTANCE_WIDTH
from hdp_hw.rtl.pruning.row_statistics import theta_sum_width
from hdp_hw.rtl.pruning.row_threshold import limit_width
from hdp_hw.spec.settings import RELATIVE_ONE, Rule
from hdp_hw.spec.tables import COARSE_MAX


class BlockRules(wiring.Component):
    """Keep a block by the rule in force; equality keeps. A block's query rows come turn by turn.

    - row_threshold: by what :class:`hdp_hw.rtl.pruning.row_threshold.RowThreshold` found. In causal mode, where the
      last block of a row may be seen by its later queries only, the last block that the row's first query sees is kept
      too: else that query might be left without a key.
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
        Stable; ``rule``, ``margin``, ``log_mass``, ``causal``, ``n_q`` and ``n_k`` matter.
    i_z_valid : In(unsigned(1))
        The ``i_z`` of query rows of a block row are complete.
    i_z_turn : In(unsigned(params.turn_width))
        With ``i_z_valid``: the turn of these query rows.
    i_z : In(turn_row_layout(unsigned(z_width(params)), params))
        Z of each query row, 0 for one without a valid element.
    i_limit : In(signed(limit_width(params)))
        With ``i_valid``: RowThreshold's limit of the block's row.
    i_valid : In(unsigned(1))
        The predictor gives what it found of a block's query rows whose turn it is.
    i_turn : In(unsigned(params.turn_width))
        With ``i_valid``: their turn; all turns of a block come in order, from 0.
    i_row : In(unsigned(params.block_width))
        With ``i_valid``: the block's row.
    i_column : In(unsigned(params.block_width))
        With ``i_valid``: the block's column.
    i_distance : In(turn_row_layout(unsigned(DISTANCE_WIDTH), params))
        Distance of each query row's nearest valid score of the block, in units of A for margin, as coarse logit for
        mass; ``NO_DISTANCE`` where there is no valid score.
    i_excess : In(signed(theta_sum_width(params) + 1))
        RowThreshold's excess of the block, in its last turn.
    o_valid : Out(unsigned(1))
        The decision on a block leaves.
    o_keep : Out(unsigned(1))
        The block is kept; holds until the next decision.

    Timing
    ------
    Latency ``latency`` = 2 clock cycles from a block's last turn to its decision, one turn per clock cycle, no
    back-pressure. A query row's limit applies to the blocks that enter ``row_latency`` = 4 clock cycles after its Z and
    later. ``i_settings`` have to be stable for two clock cycles before the first block.

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
                "i_z_valid": In(unsigned(1)),
                "i_z_turn": In(unsigned(params.turn_width)),
                "i_z": In(turn_row_layout(unsigned(z_width(params)), params)),
                "i_limit": In(signed(limit_width(params))),
                "i_valid": In(unsigned(1)),
                "i_turn": In(unsigned(params.turn_width)),
                "i_row": In(unsigned(params.block_width)),
                "i_column": In(unsigned(params.block_width)),
                "i_distance": In(turn_row_layout(unsigned(DISTANCE_WIDTH), params)),
                "i_excess": In(signed(theta_sum_width(params) + 1)),
                "o_valid": Out(unsigned(1)),
                "o_keep": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        limits = self._limits(m)
        within = Signal(self.params.predictor_rows)
        for r in range(self.params.predictor_rows):
            m.d.sync += within[r].eq(self.i_distance[r] <= limits[self.i_turn[: log2(len(limits))]][r])
        above = Signal()
        m.d.sync += above.eq((self.i_excess << log2(RELATIVE_ONE)) >= self.i_limit)

        # A query row that keeps the block is enough.
        is_last = self.i_valid & (self.i_turn == self.params.predictor_turns - 1)
        valid, decides = (delay(m, when, 1, "turn") for when in (self.i_valid, is_last))
        kept, keep = Signal(), Signal()  # by the turns before, and by this one too
        m.d.comb += keep.eq(kept | within.any())
        with m.If(valid):
            m.d.sync += kept.eq(keep & ~decides)
        on_diagonal = self._diagonal(m)
        with m.If(decides):
            is_threshold = self.i_settings.rule == Rule.ROW_THRESHOLD
            m.d.sync += self.o_keep.eq(Mux(is_threshold, above | on_diagonal, keep))
        m.d.sync += self.o_valid.eq(decides)
        return m

    def _limits(self, m):
        """Largest distance that each query row keeps, turn by turn, from Z; held until the next block row's."""
        differences, log_mass = [], self.i_settings.log_mass
        valid = delay(m, self.i_z_valid, CoarseLog.latency + 1, "z_valid")
        turn = delay(m, self.i_z_turn, CoarseLog.latency + 1, "z_turn")
        rows = range(self.params.predictor_rows)
        shape = turn_row_layout(unsigned(DISTANCE_WIDTH), self.params)
        limits = [Signal(shape, name=f"limits_{k}") for k in range(self.params.predictor_turns)]
        for r in rows:
            m.submodules[f"log_{r}"] = log = CoarseLog(self.params)
            m.d.comb += [log.i_valid.eq(self.i_z_valid), log.i_z.eq(self.i_z[r])]
            difference = Signal(len(log_mass), name=f"difference_{r}")
            m.d.sync += difference.eq(Mux(log.o_log < log_mass, log_mass - log.o_log, 0))
            differences.append(difference)
        for k, limit in enumerate(limits):
            with m.If(valid & (turn == k)):
                for r in rows:
                    with m.If(self.i_settings.rule == Rule.MARGIN):
                        m.d.sync += limit[r].eq(self.i_settings.margin)
                    with m.Elif(differences[r] >= COARSE_MAX):
                        # Coarse logits saturate at COARSE_MAX: every distance within the limit.
                        m.d.sync += limit[r].eq(DISTANCE_MAX)
                    with m.Else():
                        m.d.sync += limit[r].eq(differences[r])
        return Array(limits)

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
