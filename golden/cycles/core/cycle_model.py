"""Clock cycles of the core, exact.

The schedule is simulated row by row, on a :class:`golden.cycles.clock.Clock`. Engines carry the names of the hardware's
blocks.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.bits.pruning.geometry import existing_blocks, visited_blocks
from hdp_hw.golden.cycles.clock import Clock, Queue
from hdp_hw.spec.formats import HEADS_INSIDE, STREAMS
from hdp_hw.spec.params import ArrayMode, ceil_div
from hdp_hw.spec.settings import HeadSettings, Rule, Verdict
from hdp_hw.spec.timing import (
    BLOCK_ROWS_LATENCY,
    PREDICTOR_LATENCY_A,
    PREDICTOR_LATENCY_B,
    PREDICTOR_LATENCY_C,
    PREDICTOR_ROWS,
    QUEUE_DEPTH,
    ROW_CYCLES_MIN,
    core_latencies,
)

HALVES = 2  #: heads in the F and V buffers


@dataclass(frozen=True, eq=False)
class HeadPlan:
    """What the schedule needs to know of a head.

    settings : HeadSettings; verdict : Verdict; visited, existing : blocks of each block row that are visited and that
    hold a valid element; executed : bool [blocks_q, blocks_k]; beats : number of beats of each plane, I, F, V.
    """

    settings: HeadSettings
    verdict: Verdict
    visited: list
    existing: list
    executed: np.ndarray
    beats: dict

    @classmethod
    def of(cls, settings, result, params):
        """Plan of a head and its ``golden.bits.core.attention_core.HeadResult``."""
        slices = params.slices(settings.head_dim)
        rows = settings.n_q + settings.n_k
        beats = {"integer": rows * ceil_div(slices, 4), "fraction": rows * ceil_div(slices, 4)}
        beats["value"] = settings.n_k * ceil_div(slices, 2)
        visited, existing = (f(settings, params.tile).tolist() for f in (visited_blocks, existing_blocks))
        return cls(settings, result.verdict, visited, existing, result.executed, beats)

    def malformed(self, beats, predicted):
        """Plan of the head when a plane of its is malformed: it executes nothing, and is ``predicted`` unless that
        is the I plane."""
        visited = self.visited if predicted else []
        nothing = np.zeros_like(self.executed)
        return HeadPlan(self.settings, Verdict.ERROR, visited, self.existing, nothing, self.beats | beats)

    @classmethod
    def refused(cls, settings, beats):
        """Plan of a head whose settings are refused; its planes have ``beats``."""
        return cls(settings, Verdict.ERROR, [], [], np.zeros((0, 0), bool), beats)

    @property
    def predicted(self):
        """The head goes through the predictor."""
        return self.settings.rule != Rule.DENSE and bool(self.visited)

    def mode_cycles(self, params):
        """``{ArrayMode: cycles}`` that the head's micro-operations take."""
        cycles = mode_cycles(self.settings, self.verdict, sum(self.visited), self.executed.sum(), params)
        return {mode: int(count) for mode, count in cycles.items()}


def mode_cycles(settings, verdict, n_visited, n_kept, params):
    """``{ArrayMode: cycles}`` that micro-operations take: of a head, or of several, given arrays but for ``n_visited``.

    settings : HeadSettings, of which rule and head dimension count; n_kept : blocks that are executed.
    """
    d, full = settings.head_dim, (verdict == Verdict.DENSE) | (verdict == Verdict.FALLBACK)
    n_full, n_sparse = n_kept * full, n_kept * (1 - full)
    predicted = 0 if settings.rule == Rule.DENSE else n_visited
    return {
        ArrayMode.INTEGER: (predicted + n_sparse) * params.integer_cycles(d),
        ArrayMode.CROSS: n_sparse * params.cross_cycles(d),
        ArrayMode.FULL: n_full * params.slices(d),
        ArrayMode.CONTEXT: n_kept * params.slices(d),
    }


@dataclass(frozen=True)
class CoreCycles:
    """When things happen, in clock cycles; 0 is the one in which the first settings are offered.

    done : of each head, the cycle in which its status is taken; busy : array cycles by kind of row operation
    (``predict``, ``score``, ``context``); first_busy, last_busy : of the array, None if it never worked;
    operations : ``(kind, head, row, begin, end)`` of each, in order, end exclusive.
    """

    done: list
    busy: dict
    first_busy: int | None
    last_busy: int | None
    operations: list

    @property
    def array_time(self):
        """Cycles from the array's first to its last."""
        return 0 if self.first_busy is None else self.last_busy - self.first_busy + 1

    @property
    def total_busy(self):
        """Cycles in which the array worked."""
        return sum(self.busy.values())


def core_cycles(plans, params):
    """CoreCycles of ``plans`` (HeadPlan) that follow each other without a stall on any stream."""
    clock = Clock()
    core = CoreSchedule(clock, params, FreeStreams(plans))
    clock.blocks = [core]
    clock.run()
    return core.cycles()


def ideal_cycles(plan, params):
    """Array cycles of a head on an array without bubbles."""
    return sum(plan.mode_cycles(params).values())


def standard_head_cycles(n, head_dim, params):
    """``{"latency": cycles, "cycles": cycles}`` of a dense head: alone, and each of several in a row."""
    settings = HeadSettings(n, n, head_dim, Rule.DENSE).validate(params)
    zeros = np.zeros((n, head_dim), np.int64)
    plan = HeadPlan.of(settings, attend(zeros, zeros, zeros, settings, params), params)
    done = core_cycles([plan] * 4, params).done
    return {"latency": done[0] + 1, "cycles": done[3] - done[2]}


@dataclass(eq=False)
class _Head:
    """A head inside the core."""

    index: int
    plan: HeadPlan
    half: int
    loaded: set
    predict_taken: bool = False
    predicted: bool = False
    scan_taken: bool = False


@dataclass(frozen=True, eq=False)
class _Row:
    """A row job."""

    head: _Head
    row: int
    n_tiles: int
    last: bool


@dataclass(eq=False)
class _Run:
    """Beats of a row on their way through the drain: so many, the first of which is at the output in a cycle."""

    row: _Row
    cycle: int
    beats: int


class _BlockRows:
    """The rows of a head, one ``BLOCK_ROWS_LATENCY`` cycles after the start or its predecessor."""

    def __init__(self, clock):
        self.clock, self.valid = clock, None
        self.rows = deque()

    def start(self, n_rows):
        self.rows = deque(range(n_rows))
        self._next()

    def take(self):
        row, self.valid = self.valid, None
        if self.rows:
            self._next()
        return row, not self.rows

    def _next(self):
        def arrive():
            self.valid = self.rows.popleft()

        self.clock.at(BLOCK_ROWS_LATENCY, arrive)


class FreeStreams:
    """What is around a core whose streams never stall: the settings of ``plans`` and all their beats, at once."""

    stalls = False  #: the output may be refused

    def __init__(self, plans):
        self.pending = deque(plans)

    def settings(self):
        """The HeadPlan that is offered in this cycle, or None; :meth:`settings_taken` says that it is taken."""
        return self.pending[0] if self.pending else None

    def settings_taken(self):
        self.pending.popleft()

    def plane_begins(self, core, plane, plan):
        """The core takes the beats of a plane from the next cycle on, until :meth:`CoreSchedule.plane_ends`."""
        core.clock.at(plan.beats[plane], lambda: core.plane_ends(plane))

    def verdict(self, plan):
        """A head's verdict falls in this cycle."""

    def beat_taken(self):
        """Whether the output beat that is offered in this cycle is taken."""
        return True

    def status_taken(self, plan):
        """Whether the status that is offered in this cycle is taken."""
        return True


class CoreSchedule:
    """State of the core's control. ``streams`` is what is around the core, see FreeStreams."""

    def __init__(self, clock, params, streams):
        self.clock, self.params, self.streams, self.latencies = clock, params, streams, core_latencies(params)
        self.at = clock.at
        # Head table and loaders. Lists of heads in their order; what is done with a head moves to the next.
        self.table, self.staged, self.n_entered = [], False, 0
        self.to_load = {plane: deque() for plane in STREAMS}
        self.loading = dict.fromkeys(STREAMS, False)
        self.takes_beats = dict.fromkeys(STREAMS, False)
        self.halves = {plane: set() for plane in STREAMS}
        self.to_predict, self.to_scan = deque(), deque()
        # Predictor.
        self.predicting, self.predict_rows, self.in_flight = None, _BlockRows(clock), 0
        self.stage_b_free = 0
        # Execution.
        self.scanning, self.scan_rows, self.scan_busy = None, _BlockRows(clock), False
        self.offer, self.used_slots = None, 0
        self.score, self.softmax, self.context, self.drain = (Queue(clock, QUEUE_DEPTH) for _ in range(4))
        self.array_free = self.softmax_free = self.drain_free = 0
        self.maxima = self.finished = self.sums = self.waiting = 0
        self.stores = 2
        self.draining, self.leaving, self.refused, self.status = None, deque(), False, None
        self.done, self.operations = [], []

    @property
    def now(self):
        """The clock cycle."""
        return self.clock.now

    def look(self):
        """See :class:`golden.cycles.clock.Clock`."""
        self._settings()
        for plane in STREAMS:
            self._load(plane)
        self._predict()
        self._survivors()
        self._sequence()
        self._softmax_row()
        self._drain_row()
        self._status()

    def cycles(self):
        """CoreCycles of what has happened."""
        assert len(self.done) == self.n_entered and not self.table, f"{len(self.table)} heads never ended"
        busy = dict.fromkeys(("predict", "score", "context"), 0)
        for kind, _, _, begin, end in self.operations:
            busy[kind] += end - begin
        first = self.operations[0][3] if self.operations else None
        last = self.operations[-1][4] - 1 if self.operations else None
        return CoreCycles(self.done, busy, first, last, self.operations)

    # -- loading ----------------------------------------------------------------------------------------------------
    def _settings(self):
        plan = self.streams.settings()
        if plan is None or self.staged or len(self.table) == HEADS_INSIDE:
            return
        self.streams.settings_taken()
        self.staged = True
        head = _Head(self.n_entered, plan, self.n_entered % HALVES, set())
        self.n_entered += 1

        def enter():
            self.staged = False
            self.table.append(head)
            for plane in STREAMS:
                self.to_load[plane].append(head)
            self.to_predict.append(head)
            self.to_scan.append(head)

        self.at(2, enter)

    def _load(self, plane):
        if self.loading[plane] or not self.to_load[plane]:
            return
        head = self.to_load[plane][0]
        if plane != "integer" and head.half in self.halves[plane]:
            return
        self.loading[plane] = True
        if plane != "integer":
            self.at(1, lambda: self.halves[plane].add(head.half))

        def begin():
            self.takes_beats[plane] = True

        self.at(1, begin)
        self.streams.plane_begins(self, plane, head.plan)

    def plane_ends(self, plane):
        """The last beat of the plane that is loaded is taken in this cycle."""

        def last():
            self.takes_beats[plane] = False

        def loaded():
            self.to_load[plane].popleft().loaded.add(plane)
            self.loading[plane] = False

        self.at(1, last)
        self.at(2, loaded)

    # -- prediction -------------------------------------------------------------------------------------------------
    def _predict(self):
        if self.predicting or not self.to_predict or "integer" not in self.to_predict[0].loaded:
            return
        head = self.to_predict[0]

        def leave():
            self.to_predict.popleft()

        if not head.plan.predicted:
            self.streams.verdict(head.plan)
            self.at(1, leave)
            self.at(1, lambda: setattr(head, "predicted", True))
            self.predicting = True  # until the next cycle
            self.at(1, lambda: setattr(self, "predicting", None))
            return
        self.predicting = head
        self.stage_b_free = 0
        self.predict_rows.start(len(head.plan.visited))

    def _row_predicted(self, head, n_tiles, last, arrival):
        """A row's last tile reaches the predictor in cycle ``arrival``; see golden.cycles.pruning.predictor."""
        begin = max(arrival + PREDICTOR_LATENCY_A, self.stage_b_free)
        self.stage_b_free = begin + max(n_tiles, ROW_CYCLES_MIN)

        def row_done():
            self.in_flight -= 1

        self.at(begin + n_tiles + 1 - self.now, row_done)
        if not last:
            return
        done = self.stage_b_free + PREDICTOR_LATENCY_B + n_tiles + PREDICTOR_LATENCY_C

        self.at(done - self.now, lambda: self.streams.verdict(head.plan))

        def decided():
            self.predicting = None
            self.to_predict.popleft()

        self.at(done + 1 - self.now, decided)
        self.at(done + 1 + self.latencies.means - self.now, lambda: setattr(head, "predicted", True))

    # -- survivors --------------------------------------------------------------------------------------------------
    def _survivors(self):
        if self.offer and not self.score.full:
            row, self.offer = self.offer, None
            self.score.push(row)
            if row.last:
                self.at(1, self._scanned)
            else:
                self.at(1, lambda: setattr(self, "scan_busy", False))
        elif not self.scanning and self.to_scan:
            head = self.to_scan[0]
            if head.predicted and head.loaded == set(STREAMS):
                if head.plan.verdict != Verdict.ERROR:
                    self.scanning = head
                    self.scan_rows.start(len(head.plan.visited))
                elif not self.score.full:
                    self.scanning = head
                    self.score.push(_Row(head, 0, 0, True))
                    self.at(1, self._scanned)
        elif self.scanning and not self.scan_busy and self.scan_rows.valid is not None:
            self._scan_row()

    def _scan_row(self):
        head, plan = self.scanning, self.scanning.plan
        n_blocks = plan.existing[self.scan_rows.valid]
        if self.used_slots + n_blocks > self.params.score_slots:
            return
        row, last = self.scan_rows.take()
        executed = plan.executed[row, :n_blocks]
        n_tiles = int(executed.sum())
        if plan.verdict == Verdict.PRUNED or n_blocks == 0:
            listing = 0
        elif plan.verdict in (Verdict.DENSE, Verdict.FALLBACK):
            listing = n_blocks
        else:
            starts = range(0, n_blocks, self.params.mask_word)
            words = np.add.reduceat(executed.astype(int), starts)
            listing = int((2 + np.maximum(words, 1)).sum())
        self.scan_busy = True

        def listed():
            self.used_slots += n_tiles
            self.offer = _Row(head, row, n_tiles, last)

        self.at(1 + listing, listed)

    def _scanned(self):
        self.to_scan.popleft()
        self.scanning, self.scan_busy = None, False

    # -- the array --------------------------------------------------------------------------------------------------
    def _sequence(self):
        # Rows without tiles pass, whatever the array does.
        score, context = self.score.head, self.context.head if self.finished else None
        if score and not score.n_tiles and not self.softmax.full:
            self.softmax.push(self.score.pop())
        if context and not context.n_tiles and not self.drain.full:
            self._pop_context()
        if self.now < self.array_free:
            return
        if self.predict_rows.valid is not None and self.in_flight < PREDICTOR_ROWS:
            self._begin_predict()
        elif context and context.n_tiles and not self.drain.full and self.stores:
            self._begin_context()
        elif score and score.n_tiles and not self.softmax.full:
            self._begin_score()

    def _begin(self, kind, head, row, cycles):
        """An array operation taken in this cycle; returns the cycle of its last micro-operation."""
        begin = self.now + 2
        self.operations.append((kind, head.index, row, begin, begin + cycles))
        self.array_free = self.now + cycles
        self.at(cycles, lambda: None)
        return begin + cycles - 1

    def _begin_predict(self):
        head = self.predicting
        row, last = self.predict_rows.take()
        n_tiles = head.plan.visited[row]
        end = self._begin("predict", head, row, n_tiles * self.params.integer_cycles(head.plan.settings.head_dim))
        self.at(1, lambda: setattr(self, "in_flight", self.in_flight + 1))
        self._row_predicted(head, n_tiles, last, end + self.latencies.score)

    def _begin_score(self):
        row = self.score.pop()
        self.softmax.push(row)
        params, d = self.params, row.head.plan.settings.head_dim
        cycles = params.integer_cycles(d) + params.cross_cycles(d)
        if row.head.plan.verdict in (Verdict.DENSE, Verdict.FALLBACK):
            cycles = params.slices(d)
        end = self._begin("score", row.head, row.row, row.n_tiles * cycles)

        def maxima():
            self.maxima += 1

        self.at(end + self.latencies.score + self.latencies.row_max + 1 - self.now, maxima)

    def _begin_context(self):
        row = self._pop_context()
        cycles = row.n_tiles * self.params.slices(row.head.plan.settings.head_dim)
        end = self._begin("context", row.head, row.row, cycles)

        def begun():
            self.stores -= 1

        def freed():
            self.used_slots -= row.n_tiles

        def complete():
            self.waiting += 1

        self.at(1, begun)
        self.at(end + 1 - self.now, freed)
        self.at(end + self.latencies.context + 1 - self.now, complete)

    def _pop_context(self):
        row = self.context.pop()
        self.drain.push(row)

        def popped():
            self.finished -= 1

        self.at(1, popped)
        return row

    # -- softmax ----------------------------------------------------------------------------------------------------
    def _softmax_row(self):
        row = self.softmax.head
        if self.now < self.softmax_free or not row or self.context.full or (row.n_tiles and not self.maxima):
            return
        self.softmax.pop()
        self.context.push(row)
        settings = row.head.plan.settings
        stand_in = row.head.plan.verdict == Verdict.SPARSE and settings.compensate
        steps = row.n_tiles * (self.params.tile // self.params.softmax_rows) + stand_in if row.n_tiles else 1
        self.softmax_free = self.now + steps
        if row.n_tiles:
            self.at(1, lambda: setattr(self, "maxima", self.maxima - 1))

        def finished():
            self.finished += 1
            self.sums += 1

        self.at(steps, lambda: None)
        self.at(steps + self.latencies.softmax + 1, finished)

    # -- drain ------------------------------------------------------------------------------------------------------
    def _drain_row(self):
        if self.refused:  # behind the beat that waits, all has stood still in this cycle
            for run in self.leaving:
                run.cycle += 1
            self.drain_free += self.now <= self.drain_free
            for cycle in (self.drain_free, *(run.cycle for run in self.leaving)):
                if cycle > self.now:
                    self.at(cycle - self.now, lambda: None)
        self.refused = False
        if self.leaving and self.leaving[0].cycle == self.now:
            self._offer_beat(self.leaving[0])
        if self.draining and self.now == self.drain_free:
            if self.draining.n_tiles:
                self.at(1, lambda: setattr(self, "stores", self.stores + 1))
            self.draining = None
        row = self.drain.head
        if self.draining or not row or not self.sums or (row.n_tiles and not self.waiting):
            return

        def taken():
            self.sums -= 1
            self.waiting -= row.n_tiles != 0

        self.drain.pop()
        self.at(1, taken)
        settings, beats = row.head.plan.settings, 1
        if row.head.plan.verdict != Verdict.ERROR:
            n_rows = min(self.params.tile, settings.n_q - row.row * self.params.tile)
            beats = n_rows * settings.head_dim // self.params.out_lanes
        self.draining, self.drain_free = row, self.now + beats
        self.at(beats, lambda: None)
        run = _Run(row, self.now + 1 + self.latencies.drain, beats)
        if not self.streams.stalls:  # nobody looks at beats before the last
            run = _Run(row, run.cycle + beats - 1, 1)
        self.leaving.append(run)
        self.at(run.cycle - self.now, lambda: None)

    def _offer_beat(self, run):
        """The next beat of a row is at the output, or what stands for the output of a refused head."""
        head, ends = run.row.head, run.row.last and run.beats == 1
        free = not (ends and self.status)
        if not free or (head.plan.verdict != Verdict.ERROR and not self.streams.beat_taken()):
            self.refused = True
            self.at(1, lambda: None)
            return
        run.beats -= 1
        run.cycle += 1
        if run.beats:
            self.at(1, lambda: None)
        else:
            self.leaving.popleft()
        if ends:
            self.at(1, lambda: self._report(head))

    def _report(self, head):
        """The status of a head that has ended is offered from now on."""
        self.status = head
        self.table.remove(head)
        for plane in STREAMS:
            self.halves[plane].discard(head.half)

    def _status(self):
        if self.status and self.streams.status_taken(self.status.plan):
            self.done.append(self.now)
            self.at(1, lambda: setattr(self, "status", None))
