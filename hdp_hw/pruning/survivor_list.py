"""The mask of a head, and the list of blocks that it lets through."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.params import bits_for
from hdp_hw.pruning.block_rows import BlockRows


class SurvivorList(wiring.Component):
    """Keeps the masks of three heads and walks over one of them: block columns to execute, row by row.

    Each survivor gets a score slot, in a ring; a row is begun when the slots of all its blocks would be free, so it
    never stops half-way. ``o`` then carries the row: its index, its first slot, the number of its blocks with a valid
    element and of survivors.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_mask_valid : In(unsigned(1))
    i_mask_head : In(unsigned(2))
    i_mask_row : In(unsigned(params.block_width))
    i_mask_index : In(unsigned(bits_for(params.mask_words - 1)))
    i_mask : In(unsigned(params.mask_word))
    i_start : In(unsigned(1))
    i_head : In(unsigned(2))
    i_n_q : In(unsigned(params.seq_width))
    i_n_k : In(unsigned(params.seq_width))
    i_causal : In(unsigned(1))
    i_all : In(unsigned(1))
    i_none : In(unsigned(1))
    i_freed : In(unsigned(params.n_blocks_width))
    o_survivor_valid : Out(unsigned(1))
    o_slot : Out(unsigned(params.score_slot_width))
    o_column : Out(unsigned(params.block_width))
    o : Out(stream.Signature(self.row_layout))
    o_busy : Out(unsigned(1))

    The head's inputs hold still while ``o_busy``. ``i_all`` executes every block with a valid element, ``i_none`` no
    block (the rows come all the same). ``i_freed`` is the number of slots that a finished row gives back, or 0.

    Timing
    ------
    A row of n blocks is offered n + 1 clock cycles (``i_all``), else 1 + the sum over its mask words of
    ``2 + max(1, survivors in the word)``, after it could begin, a row without blocks 1 cycle.

    Numerics
    --------
    Golden twin: golden.pruning.survivor_list.
    """

    def __init__(self, params):
        self.params = params
        self.row_layout = data.StructLayout(
            {
                "row": unsigned(params.block_width),
                "base": unsigned(params.score_slot_width),
                "n_blocks": unsigned(params.n_blocks_width),
                "n_tiles": unsigned(params.n_blocks_width),
                "last": unsigned(1),
            }
        )
        super().__init__(
            {
                "i_mask_valid": In(unsigned(1)),
                "i_mask_head": In(unsigned(2)),
                "i_mask_row": In(unsigned(params.block_width)),
                "i_mask_index": In(unsigned(bits_for(params.mask_words - 1))),
                "i_mask": In(unsigned(params.mask_word)),
                "i_start": In(unsigned(1)),
                "i_head": In(unsigned(2)),
                "i_n_q": In(unsigned(params.seq_width)),
                "i_n_k": In(unsigned(params.seq_width)),
                "i_causal": In(unsigned(1)),
                "i_all": In(unsigned(1)),
                "i_none": In(unsigned(1)),
                "i_freed": In(unsigned(params.n_blocks_width)),
                "o_survivor_valid": Out(unsigned(1)),
                "o_slot": Out(unsigned(params.score_slot_width)),
                "o_column": Out(unsigned(params.block_width)),
                "o": Out(stream.Signature(self.row_layout)),
                "o_busy": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        params = self.params
        index_width = bits_for(params.mask_words - 1)
        depth = 3 << (params.block_width + index_width)
        m.submodules.masks = masks = memory.Memory(shape=unsigned(params.mask_word), depth=depth, init=[])
        write, read = masks.write_port(), masks.read_port()
        m.submodules.rows = rows = BlockRows(params)

        index = Signal(index_width)  # of the mask word
        word = Signal(params.mask_word)  # its survivors that are still to be listed
        column = Signal(params.block_width)  # of the next block of a row that lists them all
        used = Signal(params.score_slot_width + 1)
        slot = Signal(params.score_slot_width)
        row = rows.o.payload
        m.d.comb += [
            write.addr.eq(Cat(self.i_mask_index, self.i_mask_row, self.i_mask_head)),
            write.data.eq(self.i_mask),
            write.en.eq(self.i_mask_valid),
            read.addr.eq(Cat(index, self.o.payload.row, self.i_head)),
            read.en.eq(1),
            rows.i_start.eq(self.i_start),
            rows.i_n_q.eq(self.i_n_q),
            rows.i_n_k.eq(self.i_n_k),
            rows.i_causal.eq(self.i_causal),
        ]

        lowest = Signal(range(params.mask_word))
        for bit in reversed(range(params.mask_word)):
            with m.If(word[bit]):
                m.d.comb += lowest.eq(bit)
        rest = word & (word - 1)
        words_left = Signal(range(params.mask_words + 1))
        survivor, survivor_column = Signal(), Signal(params.block_width)

        with m.If(self.i_start):
            m.d.sync += self.o_busy.eq(1)
        with m.FSM(name="survivors"):
            with m.State("ROW"):
                m.d.sync += [
                    self.o.payload.row.eq(row.row),
                    self.o.payload.last.eq(row.last),
                    self.o.payload.base.eq(slot),
                    self.o.payload.n_tiles.eq(0),
                    self.o.payload.n_blocks.eq(row.n_blocks),
                    words_left.eq((row.n_blocks + (params.mask_word - 1)) >> bits_for(params.mask_word - 1)),
                    column.eq(0),
                    index.eq(0),
                ]
                with m.If(rows.o.valid & (used + row.n_blocks <= params.score_slots)):
                    m.d.comb += rows.o.ready.eq(1)
                    with m.If(self.i_none | (row.n_blocks == 0)):
                        m.next = "OFFER"
                    with m.Elif(self.i_all):
                        m.next = "LIST_ALL"
                    with m.Else():
                        m.next = "READ"
            with m.State("READ"):
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += [word.eq(read.data), words_left.eq(words_left - 1)]
                m.next = "LIST"
            with m.State("LIST"):
                m.d.comb += [survivor.eq(word.any()), survivor_column.eq(Cat(lowest, index))]
                m.d.sync += word.eq(rest)
                with m.If(~rest.any() | ~word.any()):
                    m.d.sync += index.eq(index + 1)
                    m.next = "READ"
                    with m.If(words_left == 0):
                        m.next = "OFFER"
            with m.State("LIST_ALL"):
                m.d.comb += [survivor.eq(1), survivor_column.eq(column)]
                m.d.sync += column.eq(column + 1)
                with m.If(column + 1 == self.o.payload.n_blocks):
                    m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    with m.If(self.o.payload.last):
                        m.d.sync += self.o_busy.eq(0)
                    m.next = "ROW"

        m.d.sync += [
            used.eq(used + survivor - self.i_freed),
            self.o_survivor_valid.eq(survivor),
            self.o_slot.eq(slot),
            self.o_column.eq(survivor_column),
        ]
        with m.If(survivor):
            m.d.sync += [slot.eq(slot + 1), self.o.payload.n_tiles.eq(self.o.payload.n_tiles + 1)]
        return m
