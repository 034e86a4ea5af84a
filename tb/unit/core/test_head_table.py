"""HeadTable, every output in every cycle: when heads enter and leave is golden.cycles', counts are golden.bits'."""

from collections import deque

import cocotb

from hdp_hw.golden.bits.pruning.geometry import existing_blocks, visited_blocks
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.core import head_table as cycles
from hdp_hw.rtl.core.head_table import HeadTable
from hdp_hw.spec.formats import HEADS_INSIDE, STREAMS
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import HeadError, HeadSettings, Rule, Verdict, field_limits
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, bits, on_cores, run

N_PLANES = len(STREAMS)


class Head:
    """A head of random settings, and what is left to happen to it."""

    of_q: dict  #: place of the Q of the head that entered last

    def __init__(self, rng, index):
        self.place = index % HEADS_INSIDE
        self.settings = random_settings(rng)
        errors = [HeadError.NONE] * 8 + [HeadError.SHORT, HeadError.LONG, HeadError.ORDER]
        self.planes = dict(enumerate(rng.choice(errors, N_PLANES).tolist()))
        self.verdict = int(rng.choice([Verdict.SPARSE, Verdict.PRUNED, Verdict.FALLBACK, Verdict.DENSE]))
        self.theta_head = int(rng.choice([0, 1, (1 << PARAMS.theta_head_width) - 1, rng.integers(0, 1 << 16)]))
        self.error = next((error for error in self.planes.values() if error), HeadError.NONE)
        self.predicted = False
        try:
            self.settings.validate(PARAMS)
            self.settings_error = False
        except ParameterError:
            self.settings_error, self.error = True, HeadError.SETTINGS
        existing = [] if self.error else existing_blocks(self.settings, PARAMS.tile)
        self.rows = deque((int(n), int(rng.integers(0, n + 1))) for n in existing)
        self.status = {
            "o_status_verdict": Verdict.ERROR if self.error else self.verdict,
            "o_status_error": self.error,
            "o_status_n_visited": 0 if self.error else visited_blocks(self.settings, PARAMS.tile).sum(),
            "o_status_n_kept": sum(n_tiles for _, n_tiles in self.rows),
            "o_status_theta_head": self.theta_head,
        }

    @property
    def over(self):
        return self.predicted and not self.planes and not self.rows

    def _q_place(self, half):
        """Where Q is."""
        if not PARAMS.encoder:
            return {}
        if not self.settings.reuse:
            Head.of_q = {"q_head": self.place, "q_half": half}
        return Head.of_q

    def entry(self, half):
        """What the entry is set to when the head enters."""
        d = self.settings.head_dim
        integer, cross = PARAMS.integer_cycles(d), PARAMS.cross_cycles(d)
        return {
            "settings": self.settings.carried(PARAMS),
            "half": half,
            "cycles": {
                "integer": integer,
                "cross": cross,
                "slices": d // PARAMS.slice_width,
                "wait": PARAMS.predictor_wait(d),
            },
            "words": integer,
            "value_words": 1 if self.settings.linear else cross,
            **self._q_place(half),
            "settings_error": self.settings_error,
            "errors": [HeadError.NONE] * N_PLANES,
        }


def random_settings(rng):
    """Settings that are mostly legal, short so that their rows are few."""
    values = {name: int(rng.integers(low, high + 1)) for name, (low, high) in field_limits(PARAMS).items()}
    values |= {name: int(rng.integers(1, 5 * PARAMS.tile)) for name in ("n_q", "n_k")}
    values["head_dim"] = int(rng.integers(1, PARAMS.max_slices + 1)) * PARAMS.slice_width
    if values.get("linear") and rng.random() < 0.8:
        values |= {"n_k": PARAMS.channel_step, "rule": Rule.DENSE, "causal": 0, "compensate": 0, "mean_output": 0}
        values["head_dim"] = PARAMS.slice_width * int(rng.integers(1, PARAMS.max_row_slices + 1))
        return HeadSettings(**values)
    values |= dict.fromkeys(LAYER_ALONE & set(values), 0)
    values |= {"causal": 0} if rng.random() < 0.5 else {"compensate": 0, "mean_output": 0}
    if rng.random() < 0.15:
        values |= [{"n_q": 0}, {"head_dim": 0}, {"causal": 1, "compensate": 1}, {"min_keep": 257}][rng.integers(0, 4)]
    return HeadSettings(**values)


LAYER_ALONE = {"linear", "words", "activation", "reuse"}


class Schedule:
    """Heads through golden.cycles' table, whose streams this is; all inputs, at random, and outputs, cycle by cycle.

    haste : probability that what can happen in a cycle does.
    """

    def __init__(self, rng, n_heads, haste):
        self.rng, self.haste = rng, haste
        Head.of_q = {"q_head": 0, "q_half": 0}
        self.layout = HeadTable(PARAMS).o_entries.shape()
        names = [name for name, _ in HeadTable(PARAMS).entry_layout]
        empty = {name: {"settings": {}, "cycles": {}, "errors": []}.get(name, 0) for name in names}
        self.entries = [empty] * HEADS_INSIDE
        self.to_come = deque(Head(rng, index) for index in range(n_heads))
        self.offered = self.last_offered = None
        self.status_ready = False
        self.held, self.values = {}, {}
        self.strobes = {name: {} for name in ("i_settings_ready", "o_status_valid", "o_vacated", "o_retired")}
        self.clock = Clock()
        self.clock.blocks = [self]
        self.table = cycles.HeadTable(self.clock, self, [self._enter])
        self.clock.run()

    def look(self):
        """One clock cycle. What changes from here on shows in the next."""
        cycle, table = self.clock.now, self.table
        self.values[cycle] = {
            "o_used": sum(1 << head.plan.place for head in table.inside),
            "o_report_free": int(table.status is None),
            "o_entries": bits(self.layout, self.entries),
            **self._summary(),
        }
        self.held[cycle] = self._report() | self._progress() | self._settings()
        table.look()
        table.look_at_status()
        if self.to_come or self.offered or table.staged or table.inside or table.status:
            self.clock.wake(1)

    def _summary(self):
        """``o_unpredicted`` and ``o_failed``; an entry that was never used is neither."""
        unpredicted = failed = 0
        for place, entry in enumerate(self.entries):
            dense = entry["settings"].get("rule") == Rule.DENSE
            unpredicted |= (dense or entry["settings_error"] or any(entry["errors"][:1])) << place
            failed |= (entry["settings_error"] or any(entry["errors"])) << place
        return {"o_unpredicted": unpredicted, "o_failed": failed}

    def happens(self):
        return self.rng.random() < self.haste

    def choose(self, condition):
        """One of the heads inside that fulfil the condition, or none."""
        heads = [head.plan for head in self.table.inside if condition(head.plan)]
        return heads[self.rng.integers(len(heads))] if heads and self.happens() else None

    def _update(self, head, **fields):
        self.entries = [entry | (fields if place == head.place else {}) for place, entry in enumerate(self.entries)]

    def _progress(self):
        """Planes end, a verdict falls, a row is listed: each at most once a cycle, of any head."""
        loaded, errors = [0] * N_PLANES, self.rng.integers(0, 5, N_PLANES).tolist()
        for plane in range(N_PLANES):
            if head := self.choose(lambda head, plane=plane: plane in head.planes):
                loaded[plane], errors[plane] = 1 << head.place, head.planes.pop(plane)
                found = list(self.entries[head.place]["errors"])
                found[plane] = errors[plane]
                self._update(head, errors=found)
        inputs = {"i_loaded": loaded, "i_errors": errors, "i_predicted": 0, "i_row_head": 0}
        if head := self.choose(lambda head: not head.predicted):
            head.predicted = True
            self._update(head, verdict=head.verdict)
            inputs |= {"i_predicted": 1 << head.place, "i_verdict": head.verdict, "i_theta_head": head.theta_head}
        if head := self.choose(lambda head: head.rows):
            n_blocks, n_tiles = head.rows.popleft()
            inputs |= {"i_row_head": 1 << head.place, "i_row_blocks": n_blocks, "i_row_tiles": n_tiles}
        return inputs

    def _settings(self):
        """Settings are offered until they are taken."""
        inputs = {}
        if not self.offered and self.to_come and self.happens():
            self.offered = self.last_offered = self.to_come.popleft()
            inputs = {f"i_settings_{name}": int(value) for name, value in self.offered.settings.carried(PARAMS).items()}
        if self.table.has_place and (self.last_offered is None or self.table.joins(self.last_offered)):
            self.strobes["i_settings_ready"][self.clock.now] = {}
        return inputs | {"i_settings_valid": int(self.offered is not None)}

    def _enter(self, head):
        self._update(head.plan, **head.plan.entry(head.half))

    def _report(self):
        """The oldest head ends, when its status has a place."""
        cycle, table = self.clock.now, self.table
        self.status_ready, reports = self.happens(), False
        if table.status:
            self.strobes["o_status_valid"][cycle] = table.status.plan.status
        elif table.inside and table.inside[0].plan.over and self.happens():
            reports, head = True, table.inside[0]
            for later, name in enumerate(("o_vacated", "o_retired")):
                self.strobes[name][cycle + later] = {name: 1 << head.plan.place}
            self.clock.at(1, lambda: table.report(head))
        return {"o_status_ready": int(self.status_ready), "i_report": int(reports)}

    # -- the streams around golden.cycles' table
    def settings(self):
        return self.offered

    def settings_taken(self):
        self.offered = None

    def status_taken(self, head):
        return self.status_ready


@cocotb.test()
@cocotb.parametrize(haste=[1, 0.3])
async def heads(dut, haste):
    """Heads one after another, legal and refused, sound and malformed."""
    schedule = Schedule(bench_rng(), 60, haste)
    await play(dut, {}, schedule.held, schedule.strobes, schedule.values, idle=0)


@on_cores("narrow", "encoder")
def test_head_table(simulator, core):
    run(HeadTable(CORES[core]), __name__, simulator, core)
