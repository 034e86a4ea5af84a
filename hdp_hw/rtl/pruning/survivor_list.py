"""The mask of a head, and the list of blocks that it lets through."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.pruning.arithmetic import first_one
from hdp_hw.rtl.pruning.block_rows import BlockRows
from hdp_hw.spec.params import bits_for


class SurvivorList(wiring.Component):
    """Keeps the masks of three heads and walks over one of them: block columns to execute, row by row.

    Each survivor gets a score slot, in a ring; a row is begun when the slots of all its blocks would be free, so it
    never stops half-way. Once its survivors are listed, the row is offered.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_mask_valid : In(unsigned(1))
        A word of a mask is written.
    i_mask_head : In(unsigned(2))
        The head's place, 0 to 2.
    i_mask_row : In(unsigned(params.block_width))
        With ``i_mask_valid``: the block row of the word.
    i_mask_index : In(unsigned(bits_for(params.mask_words - 1)))
        Of the word in its row.
    i_mask : In(unsigned(params.mask_word))
        A bit a block, the first lowest; 0 beyond the row's blocks.
    i_start : In(unsigned(1))
        A head begins; only while ``o_busy`` is low.
    i_head : In(unsigned(2))
        The head's place; holds still from ``i_start`` to the end of ``o_busy``.
    i_n_q : In(unsigned(params.seq_width))
        Query rows of the head; holds still from ``i_start`` to the end of ``o_busy``.
    i_n_k : In(unsigned(params.seq_width))
        Keys of the head; holds still from ``i_start`` to the end of ``o_busy``.
    i_causal : In(unsigned(1))
        The head is causal; holds still from ``i_start`` to the end of ``o_busy``.
    i_all : In(unsigned(1))
        Every block with a valid element is executed, whatever the mask says.
    i_none : In(unsigned(1))
        No block is executed; the rows are offered all the same.
    i_freed : In(unsigned(params.n_blocks_width))
        Slots that a finished row gives back in this clock cycle, or 0.
    o_survivor_valid : Out(unsigned(1))
        A survivor is listed.
    o_slot : Out(unsigned(params.score_slot_width))
        Its score slot.
    o_column : Out(unsigned(params.block_width))
        Its block column.
    o : Out(stream.Signature(self.row_layout))
        ``row``, ``base`` (its first slot), ``n_blocks`` with a valid element, ``n_tiles`` that survive, ``last``.
    o_busy : Out(unsigned(1))
        From the clock cycle after ``i_start`` to the one in which the last row is taken.

    Timing
    ------
    A row can begin when BlockRows has it (its latency after ``i_start``, or after the beginning of the row before),
    the row before was taken, and its slots are free. It is offered 1 clock cycle later, and one more for each
    survivor with ``i_all``; by its mask, ``2 + max(1, survivors in the word)`` more for each mask word. A survivor is
    chosen in each of these clock cycles, after the two that a word takes to be read, and listed ``latency`` = 1
    clock cycle later, no later than its row is offered. A row waits until it is taken.

    Numerics
    --------
    Golden twin ``golden.bits.pruning.survivor_list``; its schedule: ``golden.cycles.pruning.survivor_list``.
    """

    latency = 1

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
        m.submodules.masks = masks = separate_memory(unsigned(params.mask_word), depth)
        write, read = masks.write_port(), masks.read_port()
        m.submodules.rows = rows = BlockRows(params)

        index = Signal(index_width)  # of the mask word
        word = Signal(params.mask_word)  # its survivors that are still to be listed
        column = Signal(params.block_width)  # of the next block of a row that lists them all
        free = Signal(params.score_slot_width + 1, init=params.score_slots)  # slots
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

        lowest, several = first_one(word)
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
                with m.If(rows.o.valid & (row.n_blocks <= free)):
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
                m.d.sync += word.eq(Cat(word[bit] & word[:bit].any() for bit in range(params.mask_word)))
                with m.If(~several):
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
            free.eq(free + self.i_freed - survivor),
            self.o_survivor_valid.eq(survivor),
            self.o_slot.eq(slot),
            self.o_column.eq(survivor_column),
        ]
        with m.If(survivor):
            m.d.sync += [slot.eq(slot + 1), self.o.payload.n_tiles.eq(self.o.payload.n_tiles + 1)]
        return m
