"""Norms of a job from memory to memory."""

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.encoder.norm import Norm
from hdp_hw.rtl.shell.axi import read_signature, write_signature
from hdp_hw.rtl.shell.burst_reader import BurstReader
from hdp_hw.rtl.shell.commands import norm_end_layout, norm_layout
from hdp_hw.rtl.shell.norm_packer import NormPacker
from hdp_hw.rtl.shell.row_writer import RowWriter
from hdp_hw.spec.encoder import GAMMA_SHIFT_MAX, GAMMA_SHIFT_MIN, WORD_WIDTH
from hdp_hw.spec.formats import NORM_ADDRESSES, NORM_BYTES, NORM_FIELDS, NORM_SCALES_BYTES, NORM_STRIDES, STRIDE_WIDTH
from hdp_hw.spec.params import bits_for, ceil_div

N_TARGETS = 3  #: of a row: words, integer digits and fraction digits


class NormLane(wiring.Component):
    """Runs the norm that a descriptor in memory describes: rows of words in, rows of words and of digit planes out.

    It reads the descriptor, then the scales, then row after row, of x and of y in turn; while one is computed the next
    ones are read and the one before is written. A row of x goes to a memory, and is taken from there beside its y.

    Parameters
    ----------
    params : HdpParams
        ``encoder`` = 1.

    Ports
    -----
    i_start : In(unsigned(1))
        From JobEngine: a job with a norm begins. Not before ``done`` of the one before, or a reset.
    i_address : In(unsigned(params.address_width))
        With ``i_start``: address of the descriptor, a multiple of the bus word.
    o_end : Out(norm_end_layout())
        To JobEngine: the responses to all writes have come, or the descriptor is not legal; the lane then stands still
        until it is reset.
    read : Out(read_signature(params))
        To ReadArbiter: BurstReader.
    write : Out(write_signature(params))
        To WriteArbiter: the bursts of RowWriter.
    o_read_error : Out(unsigned(1))
        A read was answered with an error in the clock cycle before.
    o_write_error : Out(unsigned(1))
        A write was answered with an error in the clock cycle before.
    o_traffic : Out(self.traffic_layout)
        Bytes of the clock cycle before: ``read`` and ``written``.

    Timing
    ------
    A row takes as long as Norm takes for it, while the memory keeps up; before the first, a bus word of the descriptor,
    the scales of a feature, or half of these on a bus of 32 bits, and a bus word of its x a clock cycle.

    Numerics
    --------
    Golden twin ``golden.bits.shell.norm_lane``; clock cycles: ``golden.cycles.shell.norm_lane``.
    """

    def __init__(self, params):
        self.params = params
        longest = ceil_div(params.max_features * NORM_SCALES_BYTES, params.bus_bytes)
        self.reader = BurstReader(params, longest)
        self.norm, self.packer = Norm(params.max_features), NormPacker(params)
        self.writer = RowWriter(params, N_TARGETS, params.bus_bytes)
        self.traffic_layout = data.StructLayout(
            {
                "read": unsigned(bits_for(params.bus_bytes)),
                "written": unsigned(bits_for(params.bus_bytes)),
            }
        )
        super().__init__(
            {
                "i_start": In(unsigned(1)),
                "i_address": In(unsigned(params.address_width)),
                "o_end": Out(norm_end_layout()),
                "read": Out(read_signature(params)),
                "write": Out(write_signature(params)),
                "o_read_error": Out(unsigned(1)),
                "o_write_error": Out(unsigned(1)),
                "o_traffic": Out(self.traffic_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.norm, m.submodules.packer, m.submodules.writer = self.norm, self.packer, self.writer
        m.submodules.reader = self.reader
        wiring.connect(m, self.reader.memory, wiring.flipped(self.read))
        wiring.connect(m, self.writer.o, wiring.flipped(self.write))
        norm = Signal(norm_layout())  # what the descriptor says; addresses are those of what is next
        begins, scales, rows = Signal(), Signal(), Signal()  # it is legal; scales, then rows are taken
        writes = Signal()  # from the scales to the end
        reads_y = register(m, norm.b.any(), "reads_y")

        self._ask(m, norm, begins, reads_y)
        loaded = self._load(m, norm, scales, rows, reads_y)
        self._write(m, norm, begins)
        self._targets(m, norm, begins, writes)
        self._control(m, norm, begins, scales, rows, writes, loaded)
        m.d.sync += [
            self.o_read_error.eq(self.reader.o_error),
            self.o_write_error.eq(self.writer.o_error),
            self.o_traffic.read.eq(Mux(self.read.r.valid, self.params.bus_bytes, 0)),
            self.o_traffic.written.eq(self.writer.o_bytes_written),
        ]
        return m

    def _control(self, m, norm, begins, scales, rows, writes, loaded):
        """The norm's states. loaded : the last of the scales, or of the rows, is taken in this clock cycle."""
        words, end = self.reader, self.o_end
        n_words = NORM_BYTES // self.params.bus_bytes
        left = Signal(range(n_words))
        illegal, misaligned = self._illegal(m, norm), Signal()
        with m.FSM(name="norm"):
            with m.State("IDLE"):
                m.d.sync += [left.eq(n_words - 1), misaligned.eq(0)]
                with m.If(self.i_start):
                    m.d.comb += [words.i.valid.eq(1), words.i.payload.n_beats.eq(n_words)]
                    m.d.comb += words.i.payload.address.eq(self.i_address)
                    m.next = "DESCRIPTOR"
            with m.State("DESCRIPTOR"):
                m.d.comb += words.o.ready.eq(1)
                with m.If(words.o.valid):
                    m.d.sync += norm.eq(Cat(norm, words.o.payload.data)[self.params.bus_width :])
                    m.d.sync += left.eq(left - 1)
                    m.d.sync += misaligned.eq(misaligned | (words.o.payload.data & self._zeros(left)).any())
                    with m.If(left == 0):
                        m.next = "CHECK"
            with m.State("CHECK"):
                m.next = "JUDGE"
            with m.State("JUDGE"):
                m.d.comb += [end.misaligned.eq(misaligned), end.bad_settings.eq(illegal & ~misaligned)]
                m.d.comb += begins.eq(~illegal & ~misaligned)
                m.next = "STOPPED"
                with m.If(begins):
                    m.next = "SCALES"
            with m.State("SCALES"):
                m.d.comb += [scales.eq(1), writes.eq(1)]
                with m.If(loaded):
                    m.next = "ROWS"
            with m.State("ROWS"):
                m.d.comb += [rows.eq(1), writes.eq(1)]
                with m.If(loaded):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += writes.eq(1)
                with m.If(self.writer.o_done):
                    m.d.comb += end.done.eq(1)
                    m.next = "IDLE"
            with m.State("STOPPED"):
                pass

    def _illegal(self, m, norm):
        """A register that says whether a field is beyond its bounds."""
        params, illegal = self.params, Signal()
        m.d.sync += illegal.eq(
            (norm.rows == 0)
            | (norm.rows > params.max_seq_len)
            | (norm.features < 2)
            | (norm.features > params.max_features)
            | (norm.shift < GAMMA_SHIFT_MIN)
            | (norm.shift > GAMMA_SHIFT_MAX)
            | (norm.operand_shift < GAMMA_SHIFT_MIN)
            | (norm.operand_shift > GAMMA_SHIFT_MAX)
            | ~(norm.words | norm.operands)
        )
        return illegal

    def _zeros(self, left):
        """Bits of a bus word of the descriptor, behind which come ``left``, that are 0 if every place is aligned."""
        width, zeros, low = self.params.bus_width, 0, 0
        for name, n_bits in NORM_FIELDS.items():
            if name in NORM_ADDRESSES + NORM_STRIDES:
                limit = self.params.address_width if name in NORM_ADDRESSES else STRIDE_WIDTH
                zeros |= ((1 << n_bits) - (1 << limit) + self.params.bus_bytes - 1) << low
            low += n_bits
        n_words = 8 * NORM_BYTES // width
        parts = (zeros >> width * (n_words - 1 - index) for index in range(n_words))
        return Array(C(part & ((1 << width) - 1), width) for part in parts)[left]

    def _ask(self, m, norm, begins, reads_y):
        """Regions of the scales, then of rows of x and of y in turn; those of a y that is not read are passed over."""
        params, width, region = self.params, self.params.address_width, self.reader.i
        left, scales, of_y, passes = Signal(params.seq_width), Signal(), Signal(), Signal()  # rows; what is next
        place, behind, last = (norm[f"{name}_address"][:width] for name in ("scales", "x", "y"))  # that of turn first
        of_scales = register(m, _beats(norm.features * NORM_SCALES_BYTES, params), "of_scales")
        of_row = register(m, _row_beats(norm, params), "of_row")
        m.d.comb += [
            passes.eq(of_y & ~reads_y),
            region.valid.eq(left.any() & ~passes),
            region.payload.address.eq(place),
            region.payload.n_beats.eq(Mux(scales, of_scales, of_row)),
        ]
        with m.If(left.any() & (region.ready | passes)):
            further = place + Mux(of_y, norm.y_row_stride, norm.x_row_stride)
            m.d.sync += [place.eq(behind), behind.eq(Mux(scales, last, further)), scales.eq(0)]
            m.d.sync += [of_y.eq(~scales & ~of_y), left.eq(left - of_y)]
        with m.If(begins):
            m.d.sync += [left.eq(norm.rows), scales.eq(1), of_y.eq(0)]

    def _load(self, m, norm, scales, rows, reads_y):
        """Scales and rows to Norm, a feature a clock cycle; before that, a row of x by bus words to a memory.

        Returns the strobe of the last of the scales, or of the rows.
        """
        params, block, words = self.params, self.norm, self.reader.o
        feature, x = Signal(block.index_width), Signal(WORD_WIDTH, reset_less=True)  # x : of the feature
        rows_left, of_x = Signal(params.seq_width), Signal()  # of_x : the next bus word is one of a row of x
        last, taken, loaded, word_ends, moves = Signal(), Signal(), Signal(), Signal(), Signal()  # moves : x and y
        place_bits = bits_for(params.bus_width // WORD_WIDTH - 1)
        place, index = feature[:place_bits], feature[place_bits:]  # of a word in its bus word, and of that in its row
        m.submodules.row = row = separate_memory(params.bus_width, 1 << len(index))
        write, read = row.write_port(), row.read_port()
        last_feature = register(m, (norm.features - 1)[: block.index_width], "last_feature")
        with m.If(taken):
            m.d.sync += feature.eq(Mux(last, 0, feature + Mux(of_x, 1 << place_bits, 1)))
        m.d.comb += [
            last.eq((index == last_feature[place_bits:]) & (of_x | (place == last_feature[:place_bits]))),
            block.i_feature.eq(feature),
            block.i_write.eq(scales & taken),
            write.addr.eq(index),
            write.data.eq(words.payload.data),
            write.en.eq(of_x & taken),
            # Of the feature after that of the next cycle; what comes late chooses, and is not added.
            read.addr.eq(Mux(place[1:].all() & (place[0] | moves), index + 1, index)),
            read.en.eq(1),
        ]
        with m.If(taken & (~of_x | (index == 0))):  # the next feature's; a row's first is kept as it is written
            next_x = read.data.word_select((place + 1)[:place_bits], WORD_WIDTH)
            m.d.sync += x.eq(Mux(of_x, words.payload.data, next_x))

        with m.If(scales):
            m.d.sync += [rows_left.eq(norm.rows), of_x.eq(loaded)]
            m.d.comb += loaded.eq(taken & last)
            n_parts = params.bus_bytes // NORM_SCALES_BYTES  # features of a bus word
            if n_parts:
                part = feature[: n_parts.bit_length() - 1]
                m.d.comb += block.i_scales.eq(words.payload.data.word_select(part, 8 * NORM_SCALES_BYTES))
                m.d.comb += [taken.eq(words.valid), words.ready.eq(last | part.all())]
            else:
                half, upper = Signal(params.bus_width), Signal()
                m.d.comb += block.i_scales.eq(Cat(half, words.payload.data))
                m.d.comb += [taken.eq(words.valid & upper), words.ready.eq(1)]
                with m.If(words.valid):
                    m.d.sync += [half.eq(words.payload.data), upper.eq(~upper)]

        with m.If(rows):
            has_x = delay(m, rows & ~of_x, 1, "has_x")  # a clock cycle behind the last write
            m.d.comb += [
                block.i.valid.eq(~of_x & has_x & (words.valid | ~reads_y)),
                moves.eq(block.i.valid & block.i.ready),
                taken.eq(Mux(of_x, words.valid, moves)),
                word_ends.eq(taken & (last | place.all())),
                words.ready.eq(of_x | (word_ends & reads_y)),
                loaded.eq(taken & last & ~of_x & (rows_left == 1)),
            ]
            with m.If(taken & last):
                m.d.sync += [of_x.eq(~of_x & ~loaded), rows_left.eq(rows_left - ~of_x)]
        y = words.payload.data.word_select(place, WORD_WIDTH)
        m.d.comb += [block.i.payload.x.eq(x), block.i.payload.y.eq(y)]
        for name, _ in block.i_settings.shape():  # of the shifts the three bits by which they are more than the least
            m.d.comb += block.i_settings[name].eq(norm["features" if name == "n" else name])
        return loaded

    def _write(self, m, norm, begins):
        """Results to the writer, with the targets of their rows."""
        params, packer, writer = self.params, self.packer, self.writer
        output, commands, touched = writer.i.payload, Signal(), Signal()
        of_planes = _beats((norm.features + 1) >> 1, params)
        wiring.connect(m, self.norm.o, packer.i)
        m.d.comb += [
            output.targets[0].beats.eq(Mux(norm.words, _row_beats(norm, params), of_planes)),
            output.targets[0].row_stride.eq(norm.words_row_stride),  # of words alone, whose rows may follow one another
            *(target.beats.eq(of_planes) for target in list(output.targets)[1:]),
            output.last.eq(Cat(norm.operands & ~norm.words, norm.operands & norm.words)),
            output.n_rows.eq(norm.rows),
            writer.i.valid.eq(commands),
            packer.i_words.eq(norm.words),
            packer.i_operands.eq(norm.operands),
            writer.i_data.valid.eq(packer.o.valid),
            writer.i_data.payload.data.eq(packer.o.payload),
            packer.o.ready.eq(writer.i_data.ready),
            writer.i_record.valid.eq(touched),  # none is written, but it ends the rows
        ]
        m.d.sync += [commands.eq(begins), touched.eq((touched | (packer.o.valid & packer.o.ready)) & ~writer.o_done)]

    def _targets(self, m, norm, begins, writes):
        """The address of each row to the writer: three take turns, and one that is not written is passed over."""
        width, turn, passes = self.params.address_width, Signal(range(N_TARGETS)), Signal()
        places = [norm[f"{name}_address"][:width] for name in ("words", "integer", "fraction")]  # that of turn first
        with m.If(passes | self.writer.o_row):
            stride = Mux(turn == 0, norm.words_row_stride, norm.planes_row_stride)
            m.d.sync += Cat(places).eq(Cat(places[1:], (places[0] + stride)[:width]))
            m.d.sync += turn.eq(Mux(turn == N_TARGETS - 1, 0, turn + 1))
        with m.If(begins):
            m.d.sync += turn.eq(0)
        m.d.comb += [
            self.writer.i_row.eq(places[0]),
            passes.eq(writes & ~Mux(turn == 0, norm.words, norm.operands)),
        ]


def _row_beats(norm, params):
    """Bus words of a row of words."""
    return _beats(norm.features * (WORD_WIDTH // 8), params)


def _beats(n_bytes, params):
    """Bus words of so many bytes, a Value."""
    return (n_bytes + (params.bus_bytes - 1)) >> (params.bus_bytes - 1).bit_length()
