"""A core with its own loader and writer."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.rtl.core.jobs import segment_layout
from hdp_hw.rtl.shell.axi import read_signature, write_signature
from hdp_hw.rtl.shell.commands import (
    head_command_layout,
    head_record_layout,
    output_layout,
    result_layout,
)
from hdp_hw.rtl.shell.head_loader import HeadLoader
from hdp_hw.rtl.shell.plane_splitter import PlaneSplitter
from hdp_hw.rtl.shell.row_writer import RowWriter
from hdp_hw.spec.depths import HEADS_AHEAD
from hdp_hw.spec.formats import STREAMS
from hdp_hw.spec.params import ArrayMode, bits_for
from hdp_hw.spec.settings import HeadError


class CoreLane(wiring.Component):
    """Executes heads from memory to memory: three load, compute and are written at once.

    A head ends when the last response to a write of its has come; its record is written after its rows. After a head
    that the core refused, nothing more is written and no head ends until the reset.

    Parameters
    ----------
    params : HdpParams
    checked : bool
        As HeadTable has it.

    Ports
    -----
    i : In(stream.Signature(head_command_layout(params)))
        From JobEngine: a head to execute. It is taken when loader and writer have room for it.
    i_segment : In(segment_layout())
        With ``encoder``: JobEngine gives the lines of an activation's table, before the heads that use it.
    o : Out(stream.Signature(result_layout(params)))
        To JobEngine: how a head ended, in the order of the heads, after the response to the last of its writes. After a
        refused head none follows before the reset.
    read : Out(read_signature(params)).array(len(STREAMS))
        To ReadArbiter: the readers of HeadLoader.
    write : Out(write_signature(params))
        To WriteArbiter: the bursts of RowWriter.
    o_read_error : Out(unsigned(1))
        A read was answered with an error in the clock cycle before.
    o_write_error : Out(unsigned(1))
        A write was answered with an error in the clock cycle before.
    o_malformed : Out(unsigned(1))
        The core's output did not end where the head's rows do, in the clock cycle before.
    o_traffic : Out(self.traffic_layout)
        Bytes of the clock cycle before: ``read``, ``written``, and ``skipped``, which a mask made needless.
    o_activity : Out(self.activity_layout)
        What the array did in the clock cycle before, one bit: its mode, or why it stood still while a head was inside.
        ``load``: planes are missing; ``write``: the output was not taken; ``other``: neither.

    Timing
    ------
    See AttentionCore, HeadLoader and RowWriter.

    Numerics
    --------
    Golden twins ``golden.bits.core.attention_core``, ``golden.bits.shell.fetch``;
    clock cycles: ``golden.cycles.shell.core_lane``.
    """

    def __init__(self, params, checked=False):
        self.params = params
        self.core, self.loader = AttentionCore(params, checked), HeadLoader(params)
        self.n_targets = 1 + params.encoder  # of a head: two where it is split to digit planes
        self.writer = RowWriter(params, self.n_targets)
        self.traffic_layout = data.StructLayout(
            {
                "read": unsigned(bits_for(len(STREAMS) * params.bus_bytes)),
                "skipped": unsigned(32),
                "written": unsigned(bits_for(params.bus_bytes)),
            }
        )
        self.activity_layout = data.StructLayout(
            {name: 1 for name in ("integer", "cross", "full", "context", "load", "write", "other")}
        )
        super().__init__(
            {
                "i": In(stream.Signature(head_command_layout(params))),
                **({"i_segment": In(segment_layout())} if params.encoder else {}),
                "o": Out(stream.Signature(result_layout(params))),
                "read": Out(read_signature(params)).array(len(STREAMS)),
                "write": Out(write_signature(params)),
                "o_read_error": Out(unsigned(1)),
                "o_write_error": Out(unsigned(1)),
                "o_malformed": Out(unsigned(1)),
                "o_traffic": Out(self.traffic_layout),
                "o_activity": Out(self.activity_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.core, m.submodules.loader, m.submodules.writer = self.core, self.loader, self.writer
        for index in range(len(STREAMS)):
            wiring.connect(m, self.loader.memory[index], wiring.flipped(self.read[index]))
        wiring.connect(m, self.writer.o, wiring.flipped(self.write))
        self._operands(m)
        inside = self._outputs(m)
        self._report(m, inside)
        return m

    def _operands(self, m):
        """The loader's words to the core, the core's decisions to the loader."""
        core, loader = self.core, self.loader
        if self.params.encoder:
            m.d.comb += [core.i_segment[name].eq(self.i_segment[name]) for name, _ in self.i_segment.shape()]
        wiring.connect(m, loader.o_settings, core.i_settings)
        for name in STREAMS:
            source, sink = getattr(loader, f"o_{name}"), getattr(core, f"i_{name}")
            m.d.comb += [sink.valid.eq(source.valid), source.ready.eq(sink.ready)]
            m.d.comb += [sink.payload[field].eq(source.payload[field]) for field, _ in sink.payload.shape()]
        m.d.comb += [
            loader.i_mask_valid.eq(core.o_mask.valid),
            loader.i_mask_index.eq(core.o_mask.index),
            loader.i_mask_word.eq(core.o_mask.word),
            loader.i_verdict_valid.eq(core.o_verdict.valid),
            loader.i_verdict.eq(core.o_verdict.verdict),
        ]

    def _outputs(self, m):
        """Output and record of each head to the writer, then its result; returns whether a head is inside."""
        params, core, loader, writer = self.params, self.core, self.loader, self.writer
        command = self.i.payload
        head_layout = data.StructLayout({"head": 16, "record": params.address_width, "record_enable": 1})
        m.submodules.heads = heads = Queue(head_layout, HEADS_AHEAD)
        m.submodules.outputs = outputs = Queue(output_layout(params, self.n_targets), HEADS_AHEAD)
        output, head = outputs.i.payload, heads.o.payload
        beats = self._row_length(command.settings) >> (params.out_lanes - 1).bit_length()
        enters = heads.i.ready & outputs.i.ready & loader.i.ready
        wiring.connect(m, outputs.o, writer.i)
        m.d.comb += [
            self.i.ready.eq(enters),
            loader.i.valid.eq(self.i.valid & enters),
            loader.i.payload.eq(command),
            *(heads.i.payload[name].eq(command[name]) for name, _ in head_layout),
            output.targets[0].address.eq(command.output.address),
            *(target.row_stride.eq(command.output.row_stride) for target in output.targets),
            *(target.beats.eq(beats) for target in output.targets),
            output.n_rows.eq(command.settings.n_q),
            heads.i.valid.eq(self.i.valid & enters),
            outputs.i.valid.eq(self.i.valid & enters),
        ]
        # The next head's beats wait until a status is taken, which that of a refused head, without beats, never is.
        beats_to = self._split(m, enters, output, beats) if params.encoder else writer.i_data
        m.d.comb += [
            beats_to.valid.eq(core.o.valid & ~core.o_status.valid),
            beats_to.payload.eq(core.o.payload),
            core.o.ready.eq(beats_to.ready & ~core.o_status.valid),
        ]

        status, record = core.o_status.payload, Signal(head_record_layout())
        m.d.comb += [
            record.head.eq(head.head),
            *(record[name].eq(status[name]) for name in ("verdict", "error", "n_visited", "n_kept", "theta_head")),
            writer.i_record.payload.address.eq(head.record),
            writer.i_record.payload.enable.eq(head.record_enable),
            writer.i_record.payload.record.eq(record),
        ]
        result = self.o.payload
        with m.FSM(name="results"):
            with m.State("RECORD"):
                refused = status.error != HeadError.NONE
                m.d.comb += [
                    writer.i_record.valid.eq(core.o_status.valid & ~refused),
                    core.o_status.ready.eq(writer.i_record.ready),
                ]
                m.d.sync += [
                    result.head.eq(head.head),
                    *(result[name].eq(status[name]) for name in ("verdict", "error", "n_visited", "n_kept")),
                ]
                with m.If(core.o_status.valid & refused):
                    m.next = "RESULT"
                with m.Elif(core.o_status.valid & writer.i_record.ready):
                    m.next = "WRITTEN"
            with m.State("WRITTEN"), m.If(writer.o_done):
                m.next = "RESULT"
            with m.State("RESULT"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.comb += heads.o.ready.eq(1)
                    m.next = "RECORD"
                    with m.If(result.error != HeadError.NONE):
                        m.next = "STOPPED"
            with m.State("STOPPED"):
                pass
        return heads.o.valid

    def _split(self, m, enters, output, beats):
        """Between core and writer, what makes digit planes of a head's rows; returns where the core's beats go."""
        command = self.i.payload
        m.submodules.splitter = splitter = PlaneSplitter(self.params)
        m.submodules.splits = splits = Queue(splitter.head_layout, HEADS_AHEAD)
        with m.If(command.planes):
            m.d.comb += [
                output.last.eq(1),
                output.targets[1].address.eq(command.output_fraction),
                *(target.beats.eq((beats + 1) >> 1) for target in output.targets),
            ]
        m.d.comb += [
            splits.i.payload.planes.eq(command.planes),
            splits.i.payload.beats.eq(beats),
            splits.i.valid.eq(self.i.valid & enters),
        ]
        wiring.connect(m, splits.o, splitter.i_head)
        wiring.connect(m, splitter.o, self.writer.i_data)
        self._rows(m)
        return splitter.i

    def _rows(self, m):
        """The address of each row to the writer: those of one target, or of two in turn."""
        writer, command = self.writer, self.writer.i.payload
        names = ("next_row", "other_row", "further_row")
        row, other, further = (Signal(self.params.address_width, name=name) for name in names)
        stride, planes = Signal.like(command.targets[0].row_stride), Signal()
        m.d.comb += [writer.i_row.eq(row), further.eq(row + stride)]
        with m.If(writer.o_row):
            m.d.sync += [row.eq(Mux(planes, other, further)), other.eq(further)]
        with m.If(writer.i.valid & writer.i.ready):
            m.d.sync += [row.eq(command.targets[0].address), other.eq(command.targets[1].address)]
            m.d.sync += [stride.eq(command.targets[0].row_stride), planes.eq(command.last)]

    def _row_length(self, settings):
        """Elements, or bytes, of a row of a head's output."""
        if not self.params.encoder:
            return settings.head_dim
        return Mux(settings.linear, settings.n_k << settings.words, settings.head_dim)

    def _report(self, m, inside):
        """Errors, traffic and activity."""
        core, loader, writer = self.core, self.loader, self.writer
        waits_for_output = core.o.valid & ~core.o.ready
        idle = inside & ~core.o_busy
        m.d.sync += [
            self.o_read_error.eq(loader.o_error),
            self.o_write_error.eq(writer.o_error),
            self.o_malformed.eq(writer.o_malformed),
            self.o_traffic.read.eq(sum(loader.o_bytes_read[index] for index in range(len(STREAMS)))),
            self.o_traffic.skipped.eq(loader.o_bytes_skipped),
            self.o_traffic.written.eq(writer.o_bytes_written),
            self.o_activity.write.eq(idle & waits_for_output),
            self.o_activity.load.eq(idle & ~waits_for_output & loader.o_busy),
            self.o_activity.other.eq(idle & ~waits_for_output & ~loader.o_busy),
            *(self.o_activity[mode.name.lower()].eq(core.o_busy & (core.o_mode == mode)) for mode in ArrayMode),
        ]
