"""Mean scores of the pruned keys, kept for three heads until their rows are executed."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.approximation.compensator import Compensator
from hdp_hw.rtl.common.layouts import row_layout
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.spec.formats import HEADS_INSIDE


class PrunedMeans(wiring.Component):
    """Turns the predictor's row sums into one mean score per query row, one query row a cycle, and stores them.

    The number of pruned keys is n_k less those of the kept tiles, of which the last may be partial.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        A block row.
    i_head : In(unsigned(2))
        Its head's entry in the table.
    i_row : In(unsigned(params.block_width))
        With ``i_valid``: the block row's index in its head.
    i_pruned_sum : In(row_layout(signed(params.row_sum_width), params))
        Of each query row: sum of A over the pruned keys.
    i_n_kept_tiles : In(unsigned(params.n_blocks_width))
        With ``i_valid``: tiles of the row that the predictor keeps.
    i_last_kept : In(unsigned(1))
        The row's last tile was kept.
    i_n_k : In(unsigned(params.seq_width))
        With ``i_valid``: keys of the head.
    i_read_head : In(unsigned(2))
        The row that is read.
    i_read_row : In(unsigned(params.block_width))
        The block row, in ``i_read_head``, whose means softmax reads.
    o_mean : Out(self.mean_layout)
        ``mean`` of each query row, in units of S; ``n_pruned`` keys.

    Timing
    ------
    One row every T + 1 clock cycles at most (the predictor needs at least 16 for one), no back-pressure. A row can be
    read ``latency`` clock cycles after ``i_valid``; ``o_mean`` follows ``i_read_*`` by one clock cycle.

    Numerics
    --------
    See Compensator. Golden twin ``golden.bits.core.pruned_means``.
    """

    def __init__(self, params):
        self.params = params
        self.compensator = Compensator(params)
        self.mean_layout = StructLayout(
            {"mean": row_layout(signed(params.s_width), params), "n_pruned": unsigned(params.seq_width)}
        )
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_head": In(unsigned(2)),
                "i_row": In(unsigned(params.block_width)),
                "i_pruned_sum": In(row_layout(signed(params.row_sum_width), params)),
                "i_n_kept_tiles": In(unsigned(params.n_blocks_width)),
                "i_last_kept": In(unsigned(1)),
                "i_n_k": In(unsigned(params.seq_width)),
                "i_read_head": In(unsigned(2)),
                "i_read_row": In(unsigned(params.block_width)),
                "o_mean": Out(self.mean_layout),
            }
        )

    @property
    def latency(self):
        """Clock cycles from a row's sums until its means can be read."""
        return 2 + self.params.tile + self.compensator.latency

    def elaborate(self, platform):
        m = Module()
        params, tile = self.params, self.params.tile
        m.submodules.compensator = compensator = self.compensator
        sums, address = Signal(self.i_pruned_sum.shape()), Signal(2 + params.block_width)
        n_pruned = Signal(params.seq_width)
        turn = Signal(tile)  # one-hot: the query row whose mean is begun

        # A partial last tile holds n_k % T keys.
        partial = Mux(self.i_last_kept & self.i_n_k[: (tile - 1).bit_length()].any(), tile, 0)
        missing = Mux(partial.any(), partial - self.i_n_k[: (tile - 1).bit_length()], 0)
        kept, kept_tiles = Signal(params.seq_width + 1), Signal(params.n_blocks_width)
        n_k = Signal(params.seq_width)
        m.d.comb += kept_tiles.eq(self.i_n_kept_tiles)
        begin = Signal()
        m.d.sync += [begin.eq(self.i_valid), turn.eq(turn.shift_left(1) | begin)]
        with m.If(self.i_valid):
            m.d.sync += [
                sums.eq(self.i_pruned_sum),
                address.eq(Cat(self.i_row, self.i_head)),
                kept.eq((kept_tiles << (tile - 1).bit_length()) - missing),
                n_k.eq(self.i_n_k),
            ]
        with m.If(begin):
            m.d.sync += n_pruned.eq(n_k - kept)
        m.d.comb += [
            compensator.i_valid.eq(turn.any()),
            compensator.i_n_pruned.eq(n_pruned),
        ]
        for r in range(tile):
            with m.If(turn[r]):
                m.d.comb += compensator.i_pruned_sum.eq(sums[r])

        depth = HEADS_INSIDE << params.block_width
        done = delay(m, turn, compensator.latency, "done")
        write_address, write_n = (delay(m, x, compensator.latency, "write") for x in (address, n_pruned))
        read_address = Cat(self.i_read_row, self.i_read_head)
        stores = [(signed(params.s_width), compensator.o_mean, self.o_mean.mean[r], done[r]) for r in range(tile)]
        stores.append((unsigned(params.seq_width), write_n, self.o_mean.n_pruned, done[0]))
        for index, (shape, value, output, enable) in enumerate(stores):
            m.submodules[f"store_{index}"] = store = separate_memory(shape, depth)
            write, read = store.write_port(), store.read_port()
            m.d.comb += [
                write.addr.eq(write_address),
                write.data.eq(value),
                write.en.eq(enable),
                read.addr.eq(read_address),
                read.en.eq(1),
                output.eq(read.data),
            ]
        return m
