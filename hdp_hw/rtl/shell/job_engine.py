"""Jobs to heads, heads to lanes, and how both end."""

from contextlib import contextmanager

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.core.jobs import segment_layout
from hdp_hw.rtl.shell.axi import read_signature
from hdp_hw.rtl.shell.burst_reader import BurstReader
from hdp_hw.rtl.shell.commands import (
    entry_layout,
    head_command_layout,
    job_addresses,
    job_layout,
    load_layout,
    norm_end_layout,
    result_layout,
)
from hdp_hw.rtl.shell.job_checks import head_settings, misaligned_job
from hdp_hw.rtl.shell.job_words import Words, read_activation, read_descriptor
from hdp_hw.spec.depths import JOB_QUEUE
from hdp_hw.spec.encoder import TABLE_BYTES
from hdp_hw.spec.formats import ENTRY_BYTES, HEADS_INSIDE, RECORD_BYTES, STRIDES
from hdp_hw.spec.settings import HeadError, Verdict

FLUSH_CYCLES = 1 << 12  #: how long a stopped job waits for the memory port to come to rest
EVENTS = ("job_done", "bad_settings", "misaligned", "read_error", "write_error", "timeout", "queue_full", "fallback",
          "aborted", "core_error")  # fmt: skip


class JobEngine(wiring.Component):
    """Takes jobs from a queue, hands their heads to whichever lane has the fewest, and collects the results.

    A job ends when all its heads and its norm have, or when something is wrong with it: then no further request goes to
    memory, the outstanding ones are awaited (``FLUSH_CYCLES`` at most; later answers belong to a past epoch and are
    dropped), the lanes are reset, and the next job runs.

    While the last heads of a job with a ``chain`` run, the descriptor of the job that follows goes to the job
    registers; when the job has ended well, these are queued.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_job : In(job_layout(params))
        The job registers, from RegisterBank. They are taken, whole, in the clock cycle of ``i_start``.
    i_start : In(unsigned(1))
        A strobe of CONTROL.start: queues the job. With a full queue the job is lost and ``queue_full`` is raised.
    i_abort : In(unsigned(1))
        A strobe of CONTROL.abort, or of a reset: empties the queue and stops the running job.
    i_reset : In(unsigned(1))
        A strobe of CONTROL.reset, always together with ``i_abort``. It makes the abort silent: what ends then is not
        reported, and the count of jobs starts anew.
    o_head : Out(stream.Signature(head_command_layout(params))).array(params.n_cores)
        To each CoreLane: the next head, its addresses resolved and its settings found legal. An offer stays until it is
        taken, or the lanes are reset.
    i_result : In(stream.Signature(result_layout(params))).array(params.n_cores)
        From each CoreLane: a head whose writes have all been acknowledged. One lane's result is taken in a clock cycle,
        the lowest lane's first.
    memory : Out(read_signature(params))
        To ReadArbiter, as one more reader: reads the table of scales and thresholds, an entry a head; that of a linear
        layer's activation, or the descriptor of the job that follows, once a job.
    i_read_error : In(unsigned(1))
        From the CoreLanes: a read of one of them was answered with an error. It stops the job.
    i_write_error : In(unsigned(1))
        From the CoreLanes: a write of one of them was answered with an error. It stops the job.
    i_malformed : In(unsigned(1))
        From the CoreLanes: a core's output did not end where its head's rows do. It stops the job as ``core_error``.
    i_quiet : In(unsigned(1))
        From both arbiters: no request or response is outstanding. The engine looks at it from five clock cycles after
        ``o_stop`` rises.
    o_stop : Out(unsigned(1))
        To both arbiters: they grant nothing more while it is high, from an error to the end of the lanes' reset.
    o_epoch : Out(unsigned(2))
        To both arbiters: the number of the epoch. It changes once for each job that is stopped, while the lanes are in
        reset; answers to requests of an earlier epoch are dropped.
    o_reset_lanes : Out(unsigned(1))
        Resets all lanes, and the reader of the table, for one clock cycle at the end of a stopped job.
    o_running : Out(job_layout(params))
        The job that runs; between jobs the one before.
    o_events : Out(self.event_layout)
        To RegisterBank: bits of IRQ_STATUS to set, each high for one clock cycle.
    o_busy : Out(unsigned(1))
        A job runs or waits in the queue.
    o_queue_free : Out(unsigned(3))
        Jobs that the queue can take.
    o_jobs_done : Out(unsigned(16))
        Jobs that ended since the reset, failed ones included, modulo 2^16.
    o_last_job : Out(self.last_job_layout)
        The job that ended last, and whether it failed.
    o_last_error : Out(self.error_layout)
        The job that an error stopped last, and the head in question: the one that was refused, the number of heads if
        the norm was, else the number of heads that had ended.
    o_result : Out(self.ended_layout)
        To the counters: a head ended in the clock cycle before, and how.
    o_segment : Out(segment_layout())
        With ``encoder``, to each CoreLane: a line of the activation's table, before the heads that use it.
    o_load : Out(stream.Signature(load_layout()))
        With ``encoder``, to RegisterBank: words of a descriptor, for the job registers.
    o_norm : Out(unsigned(1))
        With ``encoder``, to NormLane: the running job has a norm, whose descriptor is at its ``norm``. Once a job.
    i_norm : In(norm_end_layout())
        With ``encoder``, from NormLane: the job's norm is written, or its descriptor was refused, which stops the job.
    o_bytes_read : Out(unsigned(5))
        Bytes of a table or a descriptor that come in this clock cycle.

    Timing
    ------
    A head every four clock cycles while a lane takes it; with a table, its entry is read in between.

    Numerics
    --------
    Golden twin ``golden.cycles.shell.job``; clock cycles: ``golden.cycles.shell.job_engine``.
    """

    def __init__(self, params):
        self.params = params
        self.event_layout = data.StructLayout({name: 1 for name in EVENTS})
        self.last_job_layout = data.StructLayout({"job": unsigned(16), "failed": unsigned(1)})
        self.error_layout = data.StructLayout({"job": unsigned(16), "head": unsigned(16)})
        self.ended_layout = data.StructLayout({"valid": unsigned(1), "result": result_layout(params)})
        of_encoder = {"o_segment": Out(segment_layout()), "o_load": Out(stream.Signature(load_layout()))}
        of_encoder |= {"o_norm": Out(unsigned(1)), "i_norm": In(norm_end_layout())}
        n = params.n_cores
        super().__init__(
            {
                "i_job": In(job_layout(params)),
                "i_start": In(unsigned(1)),
                "i_abort": In(unsigned(1)),
                "i_reset": In(unsigned(1)),
                "o_head": Out(stream.Signature(head_command_layout(params))).array(n),
                "i_result": In(stream.Signature(result_layout(params))).array(n),
                "memory": Out(read_signature(params)),
                "i_read_error": In(unsigned(1)),
                "i_write_error": In(unsigned(1)),
                "i_malformed": In(unsigned(1)),
                "i_quiet": In(unsigned(1)),
                "o_stop": Out(unsigned(1)),
                "o_epoch": Out(unsigned(2)),
                "o_reset_lanes": Out(unsigned(1)),
                "o_running": Out(job_layout(params)),
                "o_events": Out(self.event_layout),
                "o_busy": Out(unsigned(1)),
                "o_queue_free": Out(unsigned(3)),
                "o_jobs_done": Out(unsigned(16)),
                "o_last_job": Out(self.last_job_layout),
                "o_last_error": Out(self.error_layout),
                "o_result": Out(self.ended_layout),
                **(of_encoder if params.encoder else {}),
                "o_bytes_read": Out(unsigned(5)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        params, layout = self.params, job_layout(self.params)
        m.submodules.queue = queue = ResetInserter(self.i_abort)(Queue(layout, JOB_QUEUE))
        longest = (TABLE_BYTES if params.encoder else ENTRY_BYTES) // params.bus_bytes
        m.submodules.table = table = ResetInserter(self.o_reset_lanes)(BurstReader(params, longest))
        wiring.connect(m, table.memory, wiring.flipped(self.memory))
        job, events = self.o_running, self.o_events
        chains, chained = Signal(), Signal()  # a job would follow; it does
        m.d.comb += [
            queue.i.payload.eq(self.i_job),
            queue.i.valid.eq(self.i_start | chains),
            chained.eq(chains & queue.i.ready & ~self.i_abort),
            self.o_queue_free.eq(JOB_QUEUE - queue.o_level),
            events.queue_full.eq((self.i_start | chains) & ~queue.i.ready),
        ]

        # The head that is next, and the addresses of what belongs to it.
        n_issued, n_ended, kv_phase = Signal(16), Signal(16), Signal(17)
        addresses = {name: Signal(params.address_width, name=f"{name}_address") for name in job_addresses(params)}
        thresholds = Signal(entry_layout())
        command = Signal(head_command_layout(params))
        m.d.comb += [
            command.head.eq(n_issued),
            command.record.eq(addresses["record"]),
            command.record_enable.eq(job.record_enable),
        ]
        for name, stride in STRIDES.items():
            m.d.comb += [
                command[name].address.eq(addresses[name]),
                command[name].row_stride.eq(job[f"{stride}_row_stride"]),
            ]
        if params.encoder:
            m.d.comb += [command.planes.eq(job.planes), command.output_fraction.eq(addresses["output_fraction"])]
        illegal = head_settings(m, params, job, thresholds, command.settings)
        misaligned = misaligned_job(m, params, job)
        issue, taken, begins = Signal(), Signal(), Signal()
        same_rows = Signal()
        m.d.sync += same_rows.eq(job.linear & ~job.q_head_stride.any())
        self._lanes(m, command, issue, taken, begins, same_rows)
        m.d.sync += n_ended.eq(n_ended + self.o_result.valid)

        # What stops a job at any time.
        cycles, failed, stops, silent, refused = Signal(32), Signal(), Signal(), Signal(), Signal()
        fell_back = self.o_result.valid & (self.o_result.result.verdict == Verdict.FALLBACK)
        m.d.comb += [
            events.fallback.eq(fell_back & ~silent),
            refused.eq(self.o_result.valid & (self.o_result.result.error != HeadError.NONE)),
        ]
        causes = {
            "read_error": self.i_read_error | table.o_error,
            "write_error": self.i_write_error,
            "core_error": self.i_malformed | refused,
            "timeout": (job.timeout != 0) & (cycles == job.timeout),
            "aborted": self.i_abort & ~self.i_reset,
        }
        ended, in_question = n_ended == job.n_heads, Mux(refused, self.o_result.result.head, n_ended)
        if params.encoder:
            causes |= {name: self.i_norm[name] for name in ("bad_settings", "misaligned")}
            in_question = Mux(self.i_norm.bad_settings | self.i_norm.misaligned, job.n_heads, in_question)
            norm_ended = Signal()  # from ALIGNMENT on; also if there is none
            m.d.sync += norm_ended.eq(Mux(begins, ~job.norm.any(), norm_ended | self.i_norm.done))
            ended &= norm_ended
        m.d.comb += stops.eq(Cat(causes.values(), self.i_abort).any())

        entry_words = ENTRY_BYTES // params.bus_bytes
        n_words, entry, runs = Signal(range(entry_words)), thresholds.as_value(), Signal()
        m.d.comb += [
            table.i.payload.address.eq(addresses["table"]),
            table.i.payload.n_beats.eq(entry_words),
            table.o.ready.eq(1),
            self.o_bytes_read.eq(Mux(table.o.valid & table.o.ready, params.bus_bytes, 0)),
            self.o_busy.eq(1),
            runs.eq(1),
        ]
        with m.FSM(name="jobs"):
            with m.State("IDLE"):
                m.d.comb += [self.o_busy.eq(queue.o.valid), runs.eq(0)]
                m.d.sync += [n_issued.eq(0), n_ended.eq(0), kv_phase.eq(0), cycles.eq(0), failed.eq(0)]
                with m.If(queue.o.valid & ~self.i_abort):
                    m.d.comb += queue.o.ready.eq(1)
                    m.d.sync += job.eq(queue.o.payload)
                    m.next = "BEGIN"

            def stop(head):
                """Stop the running job for an error."""
                m.d.sync += [self.o_last_error.job.eq(job.job_id), self.o_last_error.head.eq(head)]
                m.next = "STOP"

            @contextmanager
            def running(name):
                """A state of a running job, which whatever stops it leaves."""
                with m.State(name):
                    m.d.sync += cycles.eq(cycles + 1)
                    yield
                    with m.If(stops):
                        m.d.comb += [events[event].eq(cause) for event, cause in causes.items()]
                        stop(in_question)

            with running("BEGIN"):
                m.d.comb += begins.eq(1)
                m.d.sync += [address.eq(job[name]) for name, address in addresses.items()]
                m.d.sync += [thresholds[name].eq(job.thresholds[name]) for name, _ in job.thresholds.shape()]
                m.next = "ALIGNMENT"
            with running("ALIGNMENT"):
                m.next = "ACTIVATION" if params.encoder else "HEAD"
                if params.encoder:
                    m.d.comb += self.o_norm.eq(~norm_ended & ~misaligned)
                    with m.If(~norm_ended & (job.n_heads == 0)):
                        m.next = "CHAIN"
                with m.If(misaligned):
                    m.d.comb += events.misaligned.eq(1)
                    stop(0)
            if params.encoder:
                words = Words(table)
                read_activation(m, running, job, addresses["table"], words, self.o_segment)
            with running("HEAD"):
                m.d.sync += n_words.eq(0)
                m.next = "CHECK"
                with m.If(job.table_enable):
                    m.d.comb += table.i.valid.eq(1)
                    m.next = "HEAD"
                    with m.If(table.i.ready):
                        m.next = "ENTRY"
            with running("ENTRY"), m.If(table.o.valid):
                m.d.sync += [
                    entry.eq(Cat(entry[params.bus_width :], table.o.payload.data)),
                    n_words.eq(n_words + 1),
                ]
                with m.If(n_words == entry_words - 1):
                    m.next = "CHECK"
            with running("CHECK"):  # of the settings, which are complete now
                m.next = "ISSUE"
            with running("ISSUE"):
                m.d.comb += issue.eq(~illegal)
                with m.If(illegal):
                    m.d.comb += events.bad_settings.eq(1)
                    stop(n_issued)
                with m.Elif(taken):
                    m.d.sync += [n_issued.eq(n_issued + 1), kv_phase.eq(kv_phase + job.n_kv_heads)]
                    m.next = "NEXT"
            with running("NEXT"):
                # Head h reads the K and V of head h * n_kv_heads // n_heads.
                moving = {"q_integer": "q", "q_fraction": "q", "output": "output"}
                moving |= {"output_fraction": "output"} if params.encoder else {}
                _advance(m, addresses, job, moving)
                with m.If(kv_phase >= job.n_heads):
                    m.d.sync += kv_phase.eq(kv_phase - job.n_heads)
                    _advance(m, addresses, job, {"k_integer": "k", "k_fraction": "k", "value": "value"})
                for name, n_bytes in (("table", ENTRY_BYTES), ("record", RECORD_BYTES)):
                    m.d.sync += addresses[name].eq(addresses[name] + n_bytes)
                m.next = "HEAD"
                with m.If(n_issued == job.n_heads):
                    m.next = "CHAIN" if params.encoder else "WAIT"
            if params.encoder:
                read_descriptor(m, running, job, words, self.o_load)
            with running("WAIT"), m.If(ended):
                m.next = "END"
            with m.State("STOP"):
                m.d.sync += [failed.eq(1), cycles.eq(0)]
                m.d.comb += self.o_stop.eq(1)
                m.next = "FLUSH"
            with m.State("FLUSH"):
                # The port says that it is quiet a few cycles after it was told to stop.
                m.d.comb += self.o_stop.eq(1)
                m.d.sync += cycles.eq(cycles + 1)
                with m.If((self.i_quiet & (cycles > 3)) | (cycles == FLUSH_CYCLES)):
                    m.d.sync += self.o_epoch.eq(self.o_epoch + 1)
                    m.next = "RESET"
            with m.State("RESET"):
                m.d.comb += [self.o_stop.eq(1), self.o_reset_lanes.eq(1)]
                m.next = "END"
            with m.State("END"):
                m.d.comb += [events.job_done.eq(~silent & ~chained), runs.eq(0)]
                if params.encoder:
                    m.d.comb += chains.eq(~failed & job.chain.any())
                m.d.sync += silent.eq(0)
                with m.If(~silent):
                    m.d.sync += [
                        self.o_jobs_done.eq(self.o_jobs_done + 1),
                        self.o_last_job.job.eq(job.job_id),
                        self.o_last_job.failed.eq(failed),
                    ]
                m.next = "IDLE"
        with m.If(self.i_reset):
            m.d.sync += [silent.eq(runs), self.o_jobs_done.eq(0)]
            m.d.sync += [self.o_last_job.eq(0), self.o_last_error.eq(0)]
        return m

    def _lanes(self, m, command, issue, taken, begins, same_rows):
        """Heads to the lane with the fewest, while ``issue``; results from the first lane that has one.

        begins : a job, in this clock cycle; same_rows : its heads read the same Q, which a lane needs only once.
        """
        n_lanes = self.params.n_cores
        counts = [Signal(range(HEADS_INSIDE + 1), name=f"heads_{lane}") for lane in range(n_lanes)]
        chosen, found = Signal(range(max(n_lanes, 2))), Signal()
        before, stays = Signal.like(chosen), Signal()  # what is on offer stays, even if the counts change
        for level in reversed(range(HEADS_INSIDE)):
            for lane in reversed(range(n_lanes)):
                with m.If(counts[lane] == level):
                    m.d.comb += [chosen.eq(lane), found.eq(1)]
        with m.If(stays):
            m.d.comb += [chosen.eq(before), found.eq(1)]
        m.d.sync += [before.eq(chosen), stays.eq(issue & found & ~taken)]
        collects = Signal(range(max(n_lanes, 2)))
        for lane in reversed(range(n_lanes)):
            with m.If(self.i_result[lane].valid):
                m.d.comb += collects.eq(lane)
        m.d.sync += self.o_result.valid.eq(0)
        for lane, count in enumerate(counts):
            head, result = self.o_head[lane], self.i_result[lane]
            m.d.comb += [
                head.payload.eq(command),
                head.valid.eq(issue & found & (chosen == lane)),
                result.ready.eq(collects == lane),
            ]
            issued, ended = head.valid & head.ready, result.valid & result.ready
            if self.params.encoder:
                has_rows = Signal(name=f"has_rows_{lane}")
                m.d.sync += has_rows.eq((has_rows | issued) & ~begins)
                m.d.comb += head.payload.settings.reuse.eq(has_rows & same_rows)
            with m.If(issued):
                m.d.comb += taken.eq(1)
            with m.If(ended):
                m.d.sync += [self.o_result.valid.eq(1), self.o_result.result.eq(result.payload)]
            m.d.sync += count.eq(Mux(self.o_reset_lanes, 0, count + issued - ended))


def _advance(m, addresses, job, strides):
    """To the next head."""
    for name, stride in strides.items():
        m.d.sync += addresses[name].eq(addresses[name] + job[f"{stride}_head_stride"])
