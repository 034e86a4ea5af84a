"""The co-processor as a SoC sees it: AXI4-Lite registers, an AXI4 memory port, an interrupt."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.shell.axi import read_channels, write_channels
from hdp_hw.rtl.shell.axi_lite import ADDRESS_WIDTH, AxiLite
from hdp_hw.rtl.shell.commands import job_addresses
from hdp_hw.rtl.shell.core_lane import CoreLane
from hdp_hw.rtl.shell.counters import Counters
from hdp_hw.rtl.shell.job_engine import EVENTS, JobEngine
from hdp_hw.rtl.shell.norm_lane import NormLane
from hdp_hw.rtl.shell.read_arbiter import ReadArbiter
from hdp_hw.rtl.shell.register_bank import RegisterBank
from hdp_hw.rtl.shell.write_arbiter import WriteArbiter
from hdp_hw.spec.formats import ENTRY_REGISTERS, STREAMS, STRIDE_NAMES
from hdp_hw.spec.register_map import BY_NAME
from hdp_hw.spec.settings import Verdict

BURST_INCR = 1
CACHE_NORMAL = 0b0011  #: normal memory, not cached, bufferable


def memory_port(params):
    """Signature of the AXI4 master, with the names that vendor tools infer."""
    request = {
        "id": params.axi_id_width, "addr": params.address_width, "len": 8, "size": 3, "burst": 2, "lock": 1, "cache": 4,
        "prot": 3, "qos": 4,
    }  # fmt: skip
    channels = {
        "aw": (Out, request),
        "w": (Out, {"data": params.bus_width, "strb": params.bus_bytes, "last": 1}),
        "b": (In, {"id": params.axi_id_width, "resp": 2}),
        "ar": (Out, request),
        "r": (In, {"id": params.axi_id_width, "data": params.bus_width, "resp": 2, "last": 1}),
    }
    return _signature(channels)


def register_port():
    """Signature of the AXI4-Lite subordinate."""
    address = {"addr": ADDRESS_WIDTH, "prot": 3}
    channels = {
        "aw": (In, address),
        "w": (In, {"data": 32, "strb": 4}),
        "b": (Out, {"resp": 2}),
        "ar": (In, address),
        "r": (Out, {"data": 32, "resp": 2}),
    }
    return _signature(channels)


def _signature(channels):
    members = {}
    for channel, (flow, fields) in channels.items():
        back = In if flow is Out else Out
        members[f"{channel}valid"], members[f"{channel}ready"] = flow(unsigned(1)), back(unsigned(1))
        members |= {f"{channel}{name}": flow(unsigned(width)) for name, width in fields.items()}
    return wiring.Signature(members)


class HdpTop(wiring.Component):
    """Registers, jobs, ``n_cores`` lanes and the memory port.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    s_axil : Out(register_port())
        32-bit AXI4-Lite, 4 KiB; the registers are in docs/registers.md.
    m_axi : Out(memory_port(params))
        AXI4, INCR bursts of whole bus words.
    irq : Out(unsigned(1))
        Level, high while an enabled bit of IRQ_STATUS is.

    Timing
    ------
    See docs/co-processor.md; golden.cycles.shell.job predicts a job's clock cycles.
    """

    def __init__(self, params):
        self.params = params
        self.lanes = [CoreLane(params, checked=True) for _ in range(params.n_cores)]  # by JobEngine
        self.norms = [NormLane(params)] if params.encoder else []  # one at most
        super().__init__({"s_axil": Out(register_port()), "m_axi": Out(memory_port(params)), "irq": Out(unsigned(1))})

    def elaborate(self, platform):
        m = Module()
        params = self.params
        m.submodules.axi_lite = axi_lite = AxiLite()
        m.submodules.bank = bank = RegisterBank(params)
        m.submodules.engine = engine = JobEngine(params)
        m.submodules.counters = counters = Counters()
        n_readers = len(STREAMS) * params.n_cores  # of heads; behind them the engine's, then the norm's
        m.submodules.reads = reads = ReadArbiter(params, n_readers + 1 + len(self.norms))
        m.submodules.writes = writes = WriteArbiter(params, params.n_cores + len(self.norms))
        for name in ("aw", "w", "b", "ar", "r"):
            self._channel(m, self.s_axil, name, getattr(axi_lite, name), {})
        wiring.connect(m, axi_lite.registers, bank.registers)
        self._memory_port(m, reads, writes)

        for index, lane in enumerate(self.lanes):
            m.submodules[f"lane_{index}"] = ResetInserter(engine.o_reset_lanes)(lane)
            wiring.connect(m, engine.o_head[index], lane.i)
            wiring.connect(m, lane.o, engine.i_result[index])
            for plane in range(len(STREAMS)):
                wiring.connect(m, lane.read[plane], reads.i[len(STREAMS) * index + plane])
            wiring.connect(m, lane.write, writes.i[index])
            if params.encoder:
                m.d.comb += lane.i_segment.eq(engine.o_segment)
        wiring.connect(m, engine.memory, reads.i[n_readers])
        if params.encoder:
            wiring.connect(m, engine.o_load, bank.i_load)
        for lane in self.norms:
            m.submodules.norm_lane = ResetInserter(engine.o_reset_lanes)(lane)
            wiring.connect(m, lane.read, reads.i[-1])
            wiring.connect(m, lane.write, writes.i[-1])
            m.d.comb += [
                lane.i_start.eq(engine.o_norm),
                lane.i_address.eq(engine.o_running.norm),
                engine.i_norm.eq(lane.o_end),
            ]
        m.d.comb += [
            reads.i_epoch.eq(engine.o_epoch),
            reads.i_stop.eq(engine.o_stop),
            writes.i_epoch.eq(engine.o_epoch),
            writes.i_stop.eq(engine.o_stop),
            engine.i_quiet.eq(reads.o_idle & writes.o_idle),
            engine.i_read_error.eq(Cat(lane.o_read_error for lane in (*self.lanes, *self.norms)).any()),
            engine.i_write_error.eq(Cat(lane.o_write_error for lane in (*self.lanes, *self.norms)).any()),
            engine.i_malformed.eq(Cat(lane.o_malformed for lane in self.lanes).any()),
            self.irq.eq(bank.irq),
        ]
        self._registers(m, bank, engine, counters, writes)
        self._count(m, engine, counters)
        return m

    def _channel(self, m, port, name, stream, constants):
        """A stream and the flat signals of its channel; ``constants`` are fields that no stream carries."""
        ports = {key: getattr(port, f"{name}{key}") for key in ("valid", "ready")}
        fields = {key: getattr(port, f"{name}{key}") for key, _ in stream.p.shape()}
        outwards = port.signature.members[f"{name}valid"].flow == Out
        if outwards:
            m.d.comb += [ports["valid"].eq(stream.valid), stream.ready.eq(ports["ready"])]
            m.d.comb += [port.eq(stream.p[key]) for key, port in fields.items()]
            m.d.comb += [getattr(port, f"{name}{key}").eq(value) for key, value in constants.items()]
        else:
            m.d.comb += [stream.valid.eq(ports["valid"]), ports["ready"].eq(stream.ready)]
            m.d.comb += [stream.p[key].eq(port) for key, port in fields.items()]

    def _memory_port(self, m, reads, writes):
        size = (self.params.bus_bytes - 1).bit_length()
        constants = {"size": size, "burst": BURST_INCR, "cache": CACHE_NORMAL, "lock": 0, "prot": 0, "qos": 0}
        for name in read_channels(self.params):
            self._channel(m, self.m_axi, name, getattr(reads.memory, name), constants if name == "ar" else {})
        for name in write_channels(self.params):
            self._channel(m, self.m_axi, name, getattr(writes.o, name), constants if name == "aw" else {})

    def _registers(self, m, bank, engine, counters, writes):
        """The register bank's fields to and from the engine."""
        job, registers, status, control = engine.i_job, bank.o_job, bank.i_status, bank.o_control
        mode = ("rule", "causal", "compensate", "mean_output", "table_enable", "record_enable")
        mode += ("linear", "words", "activation", "planes")
        plain = ("job_id", "n_heads", "n_kv_heads", "n_q", "n_k", "head_dim", "timeout")
        strides = [f"{name}_{what}_stride" for name in STRIDE_NAMES for what in ("row", "head")]
        m.d.comb += [job[name].eq(registers[f"mode_{name}"]) for name in mode]
        m.d.comb += [job[name].eq(registers[name]) for name in (*plain, *strides)]
        m.d.comb += [
            job[name].eq(Cat(registers[f"{name}_low"], registers[f"{name}_high"]))
            for name in job_addresses(self.params)
        ]
        thresholds = [member for name in ENTRY_REGISTERS for member in BY_NAME[name].members]
        for (name, _), member in zip(job.thresholds.shape(), thresholds, strict=True):
            m.d.comb += job.thresholds[name].eq(registers[member])

        m.d.comb += [
            engine.i_start.eq(control.start),
            engine.i_abort.eq(control.abort | control.reset),
            engine.i_reset.eq(control.reset),
            status.status_busy.eq(engine.o_busy),
            status.status_queue_free.eq(engine.o_queue_free),
            status.status_writing.eq(~writes.o_idle),
            status.status_jobs_done.eq(engine.o_jobs_done),
            status.error_info_job.eq(engine.o_last_error.job),
            status.error_info_head.eq(engine.o_last_error.head),
            status.last_job_job.eq(engine.o_last_job.job),
            status.last_job_failed.eq(engine.o_last_job.failed),
            *(bank.i_events[name].eq(engine.o_events[name]) for name in EVENTS),
            bank.i_events.counter_overflow.eq(counters.o_overflow),
            bank.i_counters.eq(counters.o),
            counters.i_clear.eq(control.clear_counters | control.reset),
        ]

    def _count(self, m, engine, counters):
        """What the counters grow by."""
        ended, result = engine.o_result.valid, engine.o_result.result
        traffic = [lane.o_traffic for lane in self.lanes]
        of_lanes = {f"busy_{mode}": mode for mode in ("integer", "cross", "full", "context")}
        of_lanes |= {f"stall_{cause}": cause for cause in ("load", "write", "other")}
        increments = {name: sum(lane.o_activity[key] for lane in self.lanes) for name, key in of_lanes.items()}
        of_all = [*traffic, *(lane.o_traffic for lane in self.norms)]
        read = sum(each.read for each in of_all) + engine.o_bytes_read
        increments |= {
            "cycles": engine.o_busy,
            "tiles_visited": Mux(ended, result.n_visited, 0),
            "tiles_kept": Mux(ended, result.n_kept, 0),
            "heads": ended,
            "heads_pruned": ended & (result.verdict == Verdict.PRUNED),
            "heads_fallback": ended & (result.verdict == Verdict.FALLBACK),
            "bytes_read": read,
            "bytes_unmasked": read + sum(each.skipped for each in traffic),
            "bytes_written": sum(each.written for each in of_all),
        }
        for name, value in increments.items():
            m.d.comb += counters.i[name].eq(value)
