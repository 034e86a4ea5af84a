"""What surrounds a JobEngine in its bench: jobs in memory, lanes that take heads, registers that hear of events."""

import os
import random
from collections import Counter, deque
from dataclasses import dataclass, field

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.rtl.shell.job_engine import EVENTS, FLUSH_CYCLES
from hdp_hw.spec.formats import ENTRY_BYTES, HEADS_INSIDE, MATRICES, entry_fields
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadError, HeadSettings, Rule, Verdict, field_limits
from tb.lib.axi_memory import IDEAL, Memory, ReadModel, ReadTiming, serve_reads
from tb.lib.lockstep import read, start
from tb.lib.top_bench import TopJob, table_entry

SHAPES = [(1, 32, 0), (3, 128, 0), (2, 64, 1)]  #: (cores, bus width, encoder)
BASE, SIZE, MAX_HEADS = 0x1_0000_0000, 1 << 12, 8
SILENT = ReadTiming(ar_stall=1.0)  # as the arbiter is after o_stop
SLOW = ReadTiming(latency=(1, 30), ar_stall=0.3, r_stall=0.3)
#: settings that a table entry may have for each head
OF_A_HEAD = ("mult", "shift", "rho", "margin", "kappa", "kappa_shift", "log_mass", "tau_head", "min_keep")
RESULT = ("head", "verdict", "error", "n_visited", "n_kept")


def params_of(n_cores, bus_width, encoder):
    more = {"lanes": 16, "multiplier": 18, "encoder": 1} if encoder else {"lanes": 4}
    return HdpParams(2, max_head_dim=16, max_seq_len=16, n_cores=n_cores, bus_width=bus_width, **more)


PARAMS = params_of(*map(int, os.environ.get("HDP_SHAPE", "3,128,0").split(",")))
BYTES = PARAMS.bus_bytes


def random_settings(rng, n):
    """Legal settings of ``n`` heads, the same but for what a table may say."""
    limits = field_limits(PARAMS)
    common = {name: rng.randint(*limits[name]) for name in ("n_q", "n_k")}
    common["head_dim"] = PARAMS.slice_width * rng.randint(1, PARAMS.max_slices)
    causal = rng.random() < 0.4
    common |= {"rule": Rule(rng.randrange(4)), "causal": causal}
    common |= {name: not causal and rng.random() < 0.5 for name in ("compensate", "mean_output")}
    return [
        HeadSettings(**common, **{name: rng.randint(*limits[name]) for name in OF_A_HEAD}).validate(PARAMS)
        for _ in range(n)
    ]


class Job:
    """A job somewhere in memory: ``fields`` of i_job, which may be replaced, and ``commands`` of its heads."""

    ids = 0

    def __init__(self, rng, memory, n_heads=None, table=None, timeout=0, fields=None):
        n_heads = n_heads or rng.choice([1, 2, rng.randint(1, MAX_HEADS)])
        self.table = rng.random() < 0.5 if table is None else table
        settings = random_settings(rng, n_heads)
        settings = settings if self.table else settings[:1] * n_heads
        Job.ids += 1
        self.id = Job.ids
        n_kv_heads = rng.randint(1, n_heads)
        shape = settings[0].n_q, settings[0].head_dim
        q, k = np.zeros((n_heads, *shape)), np.zeros((n_kv_heads, settings[0].n_k, shape[1]))
        job = TopJob(settings, q, k, k, self.id, table=self.table, records=rng.random() < 0.5, timeout=timeout)
        strides = {name: [BYTES * rng.randrange(1 << 8), BYTES * rng.randrange(1 << 16)] for name in "qkvo"}
        places = {plane: (BYTES * rng.randrange(1 << 32), *strides[plane[0]]) for plane in MATRICES}
        places["record"] = BYTES * rng.randrange(1 << 32)
        places["table"] = BASE + Job.ids * MAX_HEADS * ENTRY_BYTES % SIZE
        if self.table:
            for head, each in enumerate(settings):
                memory.poke(places["table"] + head * ENTRY_BYTES, table_entry(each))
        self.table_address, self.commands = places["table"], job.commands(places)
        self.fields = {"job_id": self.id, "n_heads": n_heads, "n_kv_heads": n_kv_heads, "timeout": timeout}
        self.fields |= {"table_enable": int(self.table), "record_enable": int(job.records)}
        names = ("n_q", "n_k", "head_dim", "rule", "causal", "compensate", "mean_output")
        self.fields |= {name: int(getattr(settings[0], name)) for name in names}
        self.fields |= {plane: places[plane][0] for plane in MATRICES}
        self.fields |= {"table": places["table"], "record": places["record"]}
        for name in ("q", "k", "value", "output"):
            self.fields |= dict(zip((f"{name}_row_stride", f"{name}_head_stride"), strides[name[0]]))
        for name, (_, _, width, _) in entry_fields().items():
            value = rng.getrandbits(width) if self.table else getattr(settings[0], name) & (1 << width) - 1
            self.fields[f"thresholds_{name}"] = value
        self.fields |= ({"norm": 0} if PARAMS.encoder else {}) | (fields or {})


@dataclass
class Lane:
    """Takes heads and ends them, in order, some time later."""

    inside: deque = field(default_factory=deque)
    result: dict | None = None  #: that is on offer


class Bench:
    """The engine between registers, lanes and memory; ``events`` counts what it told since the last look."""

    def __init__(self, dut, rng, timing=IDEAL, stalls=0.0):
        self.dut, self.rng, self.timing, self.stalls = dut, rng, timing, stalls
        self.memory = Memory(SIZE, BASE)
        self.model = ReadModel(self.memory, BYTES, timing, rng)
        self.lanes = [Lane() for _ in range(PARAMS.n_cores)]
        self.error = HeadError.NONE  # of the next result
        self.taken, self.results, self.events = [], [], Counter()  # heads and results; since the last look
        self.offered = self.passed = None  # the lane that has an offer; the result that was taken
        self.pulses = {}  # inputs that are 1 in this clock cycle only
        self.job = None  # to start in this clock cycle
        self.quiet_after, self.stopped = 10, 0  # clock cycles from o_stop on; so many there were
        self.n_ended = self.bytes = self.epoch = self.resets = self.cycle = 0
        self.norms, self.norm_ends = [], None  # addresses of norms that began; the cycle in which the last one ends
        self.norm_end, self.norm_takes = "done", (1, 100)  # how and after how many clock cycles the next one does
        self.cycles = []  # in which heads were taken

    async def start(self):
        await start(self.dut)
        self.dut.i_quiet.value = 0
        cocotb.start_soon(serve_reads(self.dut, self.model))

    async def begin(self, job):
        """Start a job."""
        self.job, self.pulses = job, {"i_start": 1}
        await self.step()

    async def pulse(self, **pulses):
        self.pulses = pulses
        await self.step()

    async def step(self, n=1):
        for _ in range(n):
            self._drive()
            await RisingEdge(self.dut.aclk)
            self._check()
            self.cycle += 1

    async def until(self, condition, timeout=20_000):
        """Until ``condition()``; returns after the clock cycle in which it came true."""
        while not condition():
            await self.step()
            timeout -= 1
            assert timeout, "it does not end"

    def told(self):
        """Events since the last look, in how many clock cycles each."""
        events, self.events = dict(self.events), Counter()
        return events

    # -- a clock cycle --------------------------------------------------------------------------------------------
    def _drive(self):
        dut, rng = self.dut, self.rng
        for name in ("i_start", "i_abort", "i_reset", "i_read_error", "i_write_error", "i_malformed"):
            getattr(dut, name).value = self.pulses.get(name, 0)
        for name in JOB_FIELDS:
            signal = getattr(dut, f"i_job_{name}")
            signal.value = self.job.fields[name] if self.job else rng.getrandbits(len(signal))
        if PARAMS.encoder:
            for name in ("done", "bad_settings", "misaligned"):
                getattr(dut, f"i_norm_{name}").value = int(self.cycle == self.norm_ends and name == self.norm_end)
        self.pulses, self.job = {}, None
        self.model.timing = SILENT if self.stopped else self.timing
        dut.i_quiet.value = int(self.stopped >= max(3, self.quiet_after) and not self.model.pending_ids)
        for index, lane in enumerate(self.lanes):
            if lane.result is None and lane.inside and rng.random() >= self.stalls:
                lane.result = {"head": lane.inside[0], "error": int(self.error)}
                lane.result["verdict"] = int(Verdict.ERROR if self.error else rng.choice(list(Verdict)[:4]))
                lane.result |= {name: rng.randrange(1 << PARAMS.count_width) for name in ("n_visited", "n_kept")}
                self.error = HeadError.NONE
            getattr(dut, f"i_result_{index}_valid").value = int(lane.result is not None)
            for name in RESULT:
                signal = getattr(dut, f"i_result_{index}_{name}")
                signal.value = lane.result[name] if lane.result else rng.getrandbits(len(signal))
            room = len(lane.inside) < HEADS_INSIDE
            getattr(dut, f"o_head_{index}_ready").value = int(room and rng.random() >= self.stalls)

    def _check(self):
        dut = self.dut
        counts = [len(lane.inside) for lane in self.lanes]
        stop, resets = read(dut.o_stop, "o_stop"), read(dut.o_reset_lanes, "o_reset_lanes")
        valids = [k for k in range(len(self.lanes)) if read(getattr(dut, f"o_head_{k}_valid"), "valid")]
        assert len(valids) <= 1 and not (valids and stop)
        if self.offered is not None and not stop:
            assert valids == [self.offered], "an offer has gone"
        elif valids:
            assert valids == [counts.index(min(counts))], f"a head to lane {valids[0]} of {counts}"
        self.offered = None
        passed = self.passed
        self.passed = None
        for index, lane in enumerate(self.lanes):
            if index in valids and getattr(dut, f"o_head_{index}_ready").value == 1:
                names = {name: getattr(dut, f"o_head_{index}_{name}") for name in COMMAND}
                command = {name: read(signal, name) for name, signal in names.items()}
                self.taken.append(command)
                self.cycles.append(self.cycle)
                lane.inside.append(command["head"])
            elif index in valids:
                self.offered = index
            if lane.result and read(getattr(dut, f"i_result_{index}_ready"), "ready"):
                assert self.passed is None, "two results at once"
                self.passed = lane.result
                lane.result = None
                lane.inside.popleft()
        valid = read(dut.o_result_valid, "o_result_valid")
        assert valid == (passed is not None)
        if passed:
            told = {name: read(getattr(dut, f"o_result_result_{name}"), name) for name in RESULT}
            assert told == passed
            self.results.append(passed)
        events = {name for name in EVENTS if read(getattr(dut, f"o_events_{name}"), name)}
        self.events.update(events)
        self.n_ended_before, self.n_ended = self.n_ended, self.n_ended + valid
        self.bytes += read(dut.o_bytes_read, "o_bytes_read")

        if PARAMS.encoder and read(dut.o_norm, "o_norm"):
            assert self.norm_ends is None or self.norm_ends < self.cycle, "a norm before the end of the one before"
            self.norms.append(read(dut.o_running_norm, "o_running_norm"))
            self.norm_ends = self.cycle + self.rng.randint(*self.norm_takes)
        epoch = read(dut.o_epoch, "o_epoch")
        assert epoch == (self.epoch + resets) % 4, "the epoch changes with the reset of the lanes"
        self.stopped = self.stopped + 1 if stop else 0
        if resets:
            assert self.stopped > min(self.quiet_after, FLUSH_CYCLES), "a reset while the memory port is busy"
            self.epoch, self.resets, self.offered = epoch, self.resets + 1, None
            self.norm_ends = None
            for lane in self.lanes:
                lane.inside.clear()
                lane.result = None


JOB_FIELDS = tuple(Job(random.Random(1), Memory(SIZE, BASE)).fields)
COMMAND = tuple(Job(random.Random(1), Memory(SIZE, BASE)).commands[0])


def as_taken(command, dut):
    """A command's fields as wide as the ports that they come by."""
    return {name: value % (1 << len(getattr(dut, f"o_head_0_{name}"))) for name, value in command.items()}
