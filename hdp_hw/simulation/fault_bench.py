"""Faults done to a simulated co-processor, and how the job that they strike ends."""

import random
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from hdp_hw.driver.backend import LayerJob
from hdp_hw.driver.bus_backend import job_registers
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.errors import CURES, HdpError
from hdp_hw.driver.memory_layout import OUTPUTS, JobLayout, pack_job, unpack_run
from hdp_hw.driver.norm_layout import norm_fields
from hdp_hw.golden.bits.encoder.linear_head import packed as packed_scales
from hdp_hw.golden.stimulus import random_head
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.rtl.shell.job_engine import JOB_QUEUE
from hdp_hw.simulation.illegal_words import illegal_layer_words, illegal_norm_fields, illegal_words
from hdp_hw.simulation.random_norms import random_norm
from hdp_hw.simulation.simulated_bus import SILENT, MemoryTiming
from hdp_hw.simulation.simulation import Simulation
from hdp_hw.spec.encoder import SCALES_FIELDS, SEGMENT_BITS, Activation
from hdp_hw.spec.formats import ENTRY_REGISTERS, ENTRY_WORDS, NORM_FIELDS, packed
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from hdp_hw.spec.settings import HeadSettings, Rule, field_limits

LIMIT = 200_000  #: clock cycles after which a job counts as hung; it should take a tenth of them
FAST, SLOW = MemoryTiming(), MemoryTiming(30, 30, ar=0.3, r=0.3, aw=0.3, w=0.3, b=0.3)
UNTOUCHED = 0xA5  #: bytes of an output before the job
RESULTS = (*OUTPUTS, "norm_words", "norm_integer", "norm_fraction")  #: regions that results go to
APART = 1 << 20  #: bytes between the buffers of jobs that wait together


@dataclass(frozen=True)
class Seen:
    """How a job ended.

    events : bits of IRQ_STATUS, None if it did not end within LIMIT; interrupt : irq rose, or after a reset is low;
    accepted : an output that is not the golden one, and nothing says so.
    """

    events: frozenset | None
    interrupt: bool
    accepted: bool


class FaultBench:
    """A simulated co-processor with ``params``, and jobs whose golden results are known; ``seed`` for all at random."""

    def __init__(self, params, seed=1):
        self.params, self.random, self.numbers = params, random.Random(seed), np.random.default_rng(seed)
        self.backend, self.emulator = Simulation(params, seed=seed), Emulator(params)
        self.bus, self._known = self.backend.bus, {}

    def faults(self, tries):
        """``(name, bits, [(what, function that returns Seen)])`` of every fault, to be called one after the other.

        bits : what of IRQ_STATUS one of the tries may set beside job_done, "none" for a job that goes well, "silence"
        where not even job_done is set. tries : of what strikes at random, and at most of what strikes one beat.
        """
        yield from self._bus_errors(tries)
        yield from self._registers()
        yield "abort, cycle by cycle", ("aborted", "none"), self._at_the_end(self._abort)
        yield "soft reset, cycle by cycle", ("silence",), self._at_the_end(self._soft_reset)
        for name, bits, strike in (
            ("job started while the queue is full", ("queue_full",), self._overfill),
            ("registers written while busy", ("none",), self._scribble),
            ("abort", ("aborted", "none"), partial(self._stop, self._abort)),
            ("soft reset", ("silence",), partial(self._stop, self._soft_reset)),
            ("aresetn", ("silence",), partial(self._stop, self._hard_reset)),
            ("memory stops answering: time-out", ("timeout",), partial(self._silence, self._end, 3000)),
            ("memory stops answering: abort", ("aborted",), partial(self._silence, self._abort)),
            ("memory stops answering: soft reset", ("silence",), partial(self._silence, self._soft_reset)),
        ):
            yield name, bits, [(f"try {index}", strike) for index in range(tries)]

    def next_job(self):
        """Run another job on a memory that is well; what was wrong with it, or None."""
        self.bus.fail(0, 0)
        if self.bus.timing not in (FAST, SLOW):
            self.bus.timing = FAST
        job = self.random.choice(self.jobs)
        self._clear(job)
        try:
            run = self.backend.run(job)
        except HdpError as error:
            self.bus.reset()
            return str(error)
        return None if self._right(job, run) else "the output is wrong"

    # -- jobs ---------------------------------------------------------------------------------------------------------
    @cached_property
    def jobs(self):
        """Jobs of every rule, some of whose heads are pruned, one with a table; and linear layers, if there are any."""
        n = 6 * self.params.tile
        rules = [(rule, {}) for rule in Rule]
        rules += [(Rule.MASS, {"compensate": True}), (Rule.MARGIN, {"causal": True}), (Rule.MASS, {"min_keep": 1.0})]
        jobs = [self._with_table(self._job()), *(self._job(n, 3, rule=rule, **more) for rule, more in rules)]
        return [*jobs, *self._layers, *self._norms]

    def _job(self, n_k=None, n_heads=2, n_q=None, d=None, rule=Rule.DENSE, **more):
        """LayerJob of random heads."""
        n_k, d = n_k or 2 * self.params.tile + 1, d or self.params.max_head_dim
        heads = [random_head(self.numbers, n_q or n_k, n_k, d, 2.0) for _ in range(n_heads)]
        q, k, v = (np.stack(x) for x in zip(*(head.quantised(self.params) for head in heads)))
        return LayerJob(q, k, v, (heads[0].settings(self.params, rule, 0.1, **more),) * n_heads)

    def _with_table(self, job):
        """The job with heads that differ in what the dense rule does not use."""
        return replace(job, settings=tuple(replace(each, margin=head) for head, each in enumerate(job.settings)))

    @cached_property
    def _layers(self):
        """Jobs of linear layers, of as many sorts as a core with ``encoder`` = 1 takes."""
        if not self.params.encoder:
            return []
        n, k = 2 * self.params.tile + 1, 3 * self.params.slice_width
        return [self._layer(n, k, words, activation) for words in (False, True) for activation in Activation]

    def _layer(self, n_q, k, words=False, activation=Activation.NONE, n_heads=3):
        """LayerJob of blocks of a random linear layer, whose results are whole bus words."""
        n_k = max(self.params.channel_step, self.params.bus_bytes // (1 + words))
        settings = HeadSettings(n_q, n_k, k, linear=True, words=words, activation=activation).validate(self.params)
        limit = self.params.digit_max
        x, weight = (self.numbers.integers(-limit, limit + 1, (n, m, k)) for n, m in ((1, n_q), (n_heads, n_k)))
        scales = {name: self.numbers.integers(0, 1 << width, n_heads * n_k) for name, width in SCALES_FIELDS.items()}
        table = self.numbers.integers(-(1 << 15), 1 << 15, (1 << SEGMENT_BITS, 2))
        v = packed_scales(scales | {"bias": scales["bias"] >> 12}).reshape(n_heads, n_k, -1)
        return LayerJob(x, weight, v, (settings,) * n_heads, table=table if activation == Activation.TABLE else None)

    @cached_property
    def _norms(self):
        """Jobs of norms beside linear layers and alone, if there are any."""
        beside = [replace(layer, norm=random_norm(self.numbers, self.params)) for layer in self._layers[:3]]
        return [*beside, *(LayerJob.of_norm(job.norm) for job in beside)]

    def _golden(self, job):
        """LayerRun of the golden models."""
        if id(job) not in self._known:
            self._known[id(job)] = job, self.emulator.run(job)  # the job too, so that no other gets its id
        return self._known[id(job)][1]

    def _right(self, job, run):
        golden = self._golden(job)
        pairs = [(run.output, golden.output), *zip(run.norm or (), golden.norm or ())]
        return all(np.array_equal(*pair) for pair in pairs) and run.heads == golden.heads

    def _clear(self, job, at=0):
        for name, region in JobLayout.of(job, self.params).regions.items():
            if name in RESULTS:
                self.bus.memory.write(at + region.offset, np.full(region.n_bytes, UNTOUCHED, np.uint8))

    def _begin(self, job, at=0, registers=None, patches=None):
        """Put a job into the buffer at an offset, write its registers, start it, and enable every interrupt.

        registers : words in place of the job's; patches : ``{offset: uint8 array}`` in place of what is in the buffer.
        """
        layout, memory = JobLayout.of(job, self.params), self.bus.memory
        self._clear(job, at)
        packed_job = pack_job(job, self.params, memory.address + at)
        contents = {layout.regions[name].offset: content for name, content in packed_job.items()}
        for offset, content in (*contents.items(), *(patches or {}).items()):
            memory.write(at + offset, content)
        words = job_registers(job, layout, memory.address + at, 1, self.params) | (registers or {})
        for name, word in words.items():
            self._write(name, word)
        self._write("IRQ_ENABLE", BY_NAME["IRQ_ENABLE"].fields[0].mask)
        self._command(start=1)

    def _end(self, *jobs):
        """Seen of jobs whose buffers lie APART, once the co-processor is idle."""
        events, interrupt, deadline = set(), False, self.bus.cycle + LIMIT
        while self._busy() or "job_done" not in events:
            self.bus.run(1000, until_irq=True)
            names, high = self._events()
            events, interrupt = events | names, interrupt or high
            if self.bus.cycle > deadline:
                return Seen(None, interrupt, False)
        wrong = any(self._accepts(job, APART * index) for index, job in enumerate(jobs))
        failed = self._read("LAST_JOB")["failed"] or events & (set(CURES) - {"queue_full"})
        return Seen(frozenset(events - {"fallback"}), interrupt, wrong and not failed)

    def _accepts(self, job, at):
        """Whether the buffer holds a result that is complete, as it seems, and wrong."""
        regions = JobLayout.of(job, self.params).regions
        try:
            run = unpack_run(
                job, self.params, lambda name: self.bus.memory.read(at + regions[name].offset, regions[name].n_bytes)
            )
        except HdpError:
            return True
        return not self._right(job, run)

    # -- faults at every beat and every register ----------------------------------------------------------------------
    def _bus_errors(self, tries):
        jobs = {"": self._with_table(self._job())}
        if self._layers:
            norm = random_norm(self.numbers, self.params, b=1, words=True, operands=True)
            jobs |= {"linear layer: ": self._layers[-1], "norm: ": LayerJob.of_norm(norm)}
        for what, job in jobs.items():
            yield from self._bus_errors_of(what, job, tries)

    def _bus_errors_of(self, what, job, tries):
        for name, region in JobLayout.of(job, self.params).regions.items():
            offsets = range(region.offset, region.offset + region.n_bytes, self.params.bus_bytes)
            bits = ("write_error" if name in (*RESULTS, "record") else "read_error",)
            for response in (Response.SLVERR, Response.DECERR):
                chosen = self.random.sample(offsets, min(tries, len(offsets)))
                yield (
                    f"{what}{response.name} on {name}",
                    bits,
                    [(f"offset {offset}", partial(self._bus_error, job, offset, response)) for offset in chosen],
                )

    def _bus_error(self, job, offset, response):
        self.bus.fail(self.bus.memory.address + offset, 1, read=response, write=response)
        self._begin(job)
        return self._end(job)

    def _registers(self):
        yield "job at its bounds", ("none",), [(what, partial(self._run, job)) for what, job in self._at_bounds()]
        cases = {"bad_settings": [], "misaligned": [], "table": []}
        job, table_job = self._job(), self._with_table(self._job())
        table = JobLayout.of(table_job, self.params).regions["table"].offset
        for name, word, bit in illegal_words(self.params, len(job.q)):
            what = f"{name} = {word:#x}"
            cases[bit].append((what, partial(self._run, job, registers={name: word})))
            if name in ENTRY_REGISTERS:
                offset = table + 4 * (ENTRY_WORDS * self.random.randrange(len(job.q)) + ENTRY_REGISTERS.index(name))
                patch = {offset: np.array([word], "<u4").view(np.uint8)}
                cases["table"].append((what, partial(self._run, table_job, patches=patch)))
        yield "job register out of range", ("bad_settings",), cases["bad_settings"]
        yield "table entry out of range", ("bad_settings",), cases["table"]
        yield "misaligned address or stride", ("misaligned",), cases["misaligned"]
        if self._layers:
            yield from self._registers_of_layers()

    def _registers_of_layers(self):
        at_bounds = [(str(job.q.shape[1:]), partial(self._run, job)) for job in self._layers_at_bounds()]
        yield "linear layer at its bounds", ("none",), at_bounds
        illegal = [
            (f"{name} = {word:#x}", partial(self._run, job, registers={name: word}))
            for job in self._layers
            for name, word in illegal_layer_words(self.params, job.settings[0])
        ]
        yield "linear layer's register out of range", ("bad_settings",), illegal
        yield from self._descriptors_of_norms()

    def _descriptors_of_norms(self):
        most, params = self.params.max_features, self.params
        shapes = [(2, 1), (most, 1), (2, params.max_seq_len), (most - 1, 3)]
        at_bounds = [(str(shape), LayerJob.of_norm(random_norm(self.numbers, params, *shape))) for shape in shapes]
        yield "norm at its bounds", ("none",), [(what, partial(self._run, job)) for what, job in at_bounds]
        job = self._norms[0]
        regions = JobLayout.of(job, params).regions
        fields, cases = norm_fields(job.norm, regions, self.bus.memory.address), {"bad_settings": [], "misaligned": []}
        for changes, bit in illegal_norm_fields(params):
            patch = {regions["norm"].offset: np.frombuffer(packed(NORM_FIELDS, fields | changes), np.uint8)}
            cases[bit].append((str(changes), partial(self._run, job, patches=patch)))
        for bit, attempts in cases.items():
            yield f"norm's descriptor: {bit}", (bit,), attempts

    def _run(self, job, **changed):
        self._begin(job, **changed)
        return self._end(job)

    def _layers_at_bounds(self):
        """Linear layers of one row and of as many as fit, of the fewest inputs and of more."""
        for k in (self.params.slice_width, self.params.lanes, 5 * self.params.lanes):
            for n in (1, min(self.params.max_rows(k), self.params.max_seq_len)):
                yield self._layer(n, k, n_heads=2)

    def _at_bounds(self):
        """``(what, LayerJob)`` with each setting at each of its bounds."""
        used_by = {"rho": Rule.ROW_THRESHOLD, "margin": Rule.MARGIN}
        for name, bounds in field_limits(replace(self.params, encoder=0)).items():
            for value in bounds:
                if name in ("n_q", "n_k"):
                    job = self._job(**{"n_k": 3, name: value})
                elif name == "head_dim":
                    job = self._job(d=max(value, self.params.slice_width))
                else:
                    job = self._job(rule=used_by.get(name, Rule.MASS))
                    settings = replace(job.settings[0], **{name: type(getattr(job.settings[0], name))(value)})
                    job = replace(job, settings=(settings,) * len(job.q))
                yield f"{name} = {value}", job
        for n in (1, 3):
            job = self._job(n_heads=3)
            yield f"n_kv_heads = {n}", replace(job, k=job.k[:n], v=job.v[:n])
        yield "n_heads = 1", self._job(n_heads=1)

    # -- faults at random moments -------------------------------------------------------------------------------------
    def _let_run(self, job, share, **changed):
        """Start the job and stop the clock before this share of its time with a memory that never stalls is over."""
        self._begin(job, **changed)
        self.bus.run(self.random.randrange(int(share * self._golden(job).counters["cycles"])))

    def _overfill(self):
        """One job runs and JOB_QUEUE wait; another one, which was not taken, leaves no trace."""
        long = self._long_job
        jobs = [long, *(self.random.choice(self.jobs) for _ in range(JOB_QUEUE))]
        for index, job in enumerate([*jobs, long]):
            self._begin(job, APART * index)
        seen = self._end(*jobs)
        output = JobLayout.of(long, self.params).regions["output"]
        untouched = self.bus.memory.read(APART * len(jobs) + output.offset, output.n_bytes) == UNTOUCHED
        return replace(seen, accepted=seen.accepted or not untouched.all())

    @cached_property
    def _long_job(self):
        """Longer than it takes to program a few."""
        return self._job(12 * self.params.tile, 4)

    def _scribble(self):
        """Everything that software may write, but commands and what an interrupt needs."""
        job = self.random.choice(self.jobs)
        self._let_run(job, 2.0)
        for register in REGISTERS:
            if register.group == "job":
                self._write(register.name, self.random.getrandbits(32))
        return self._end(job)

    def _stop(self, command):
        job = self.random.choice(self.jobs)
        self._let_run(job, 2.0)
        return command(job)

    def _at_the_end(self, command):
        """Tries of a command in each of the last clock cycles of a job, whose length does not vary."""
        job, self.bus.timing = self.jobs[0], FAST
        self._run(job)
        for cycle in range(self.bus.job_cycles - 20, self.bus.job_cycles + 6):
            yield f"cycle {cycle}", partial(self._strike, job, cycle, command)

    def _strike(self, job, cycle, command):
        self.bus.timing = FAST
        self._begin(job)
        self.bus.run(cycle)
        return command(job)

    def _abort(self, job):
        self._command(abort=1)
        return self._end(job)

    def _soft_reset(self, job):
        self._command(reset=1)
        return self._silent()

    def _hard_reset(self, job):
        self.bus.reset()
        return self._silent()

    def _silent(self):
        """Seen after a reset."""
        deadline = self.bus.cycle + LIMIT
        while self._busy():
            if self.bus.cycle > deadline:
                return Seen(None, False, False)
        names, high = self._events()
        return Seen(frozenset(names), not high, False)

    def _silence(self, stop, timeout=0):
        """The memory falls silent at some moment, or one of its channels is from the beginning."""
        job, channel = self.random.choice(self.jobs), self.random.choice([None, "ar", "r", "aw", "w", "b"])
        if channel:
            self.bus.timing = replace(self.bus.timing, **{channel: 1.0})
        self._let_run(job, 0.7, registers={"TIMEOUT": timeout})
        self.bus.timing = self.bus.timing if channel else SILENT
        return stop(job)

    # -- registers ----------------------------------------------------------------------------------------------------
    def _read(self, name):
        return BY_NAME[name].unpack(self.bus.read32(BY_NAME[name].address))

    def _write(self, name, word):
        self.bus.write32(BY_NAME[name].address, word)

    def _command(self, **fields):
        self._write("CONTROL", BY_NAME["CONTROL"].pack(**fields))

    def _busy(self):
        return self._read("STATUS")["busy"]

    def _events(self):
        """Names of the bits of IRQ_STATUS, which are cleared, and whether the interrupt was high until then."""
        names = {name for name, value in self._read("IRQ_STATUS").items() if value}
        high = self.bus.irq  # behind the read: the line rises two clock cycles later than the bits
        self._write("IRQ_STATUS", BY_NAME["IRQ_STATUS"].pack(**dict.fromkeys(names, 1)))
        return names, high
