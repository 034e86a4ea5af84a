"""PredictControl: heads go to the predictor in order, rows as golden.bits.pruning.geometry has them."""

from types import SimpleNamespace

import cocotb

from hdp_hw.golden.bits.pruning.geometry import existing_blocks
from hdp_hw.rtl.core.predict_control import PredictControl
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.settings import Verdict
from hdp_hw.spec.timing import BLOCK_ROWS_LATENCY, PREDICTOR_ROWS
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run
from tb.unit.core.control_bench import Script, entry_bits, flat, random_entry

MEANS_LATENCY = 5
TILE = PARAMS.tile


class Model:
    """The block, cycle by cycle, between a table, a sequencer and a predictor that take their time."""

    def __init__(self, rng, haste):
        self.rng, self.haste, self.script = rng, haste, Script()
        self.entries = [self._entry() for _ in range(HEADS_INSIDE)]
        self.head = self.loaded = self.left = self.unpredicted = self.predicted = 0
        self.inside = []  # entries whose I plane is there, the oldest first
        self.settings_before = None
        self.rows, self.row_at, self.in_flight = [], None, 0
        self.busy, self.stored, self.decided = False, [0] * MEANS_LATENCY, (0, 0, 0)
        self.verdicts = {"skipped": 0, "predicted": 0}

    def _entry(self):
        n_q, n_k = self.rng.integers(1, min(PARAMS.max_seq_len, 8 * TILE), 2).tolist()
        return random_entry(self.rng, n_q, n_k, causal=int(self.rng.integers(0, 2)))

    def _happens(self):
        return self.rng.random() < self.haste

    def _enters(self):
        """The I plane of a head ends."""
        if len(self.inside) == HEADS_INSIDE or not self._happens():
            return
        place = (self.inside[-1] + 1) % HEADS_INSIDE if self.inside else self.head
        self.inside.append(place)
        self.entries[place] = self._entry()
        self.loaded |= 1 << place
        self.unpredicted = self.unpredicted & ~(1 << place) | int(self.rng.random() < 0.3) << place

    def cycle(self):
        self._enters()
        rng, head, now = self.rng, self.head, self.script.now
        waiting = (self.loaded & ~self.left) >> head & 1 and not self.busy
        skips = waiting and self.unpredicted >> head & 1
        starts = waiting and not skips
        valid = self.row_at is not None and now >= self.row_at
        offered = valid and self.in_flight < PREDICTOR_ROWS
        ready = self._happens()
        done = self.busy and not self.rows and not self.in_flight and self._happens()
        row_done = self.in_flight > 0 and self._happens()
        verdict, theta = int(rng.integers(0, 3)), int(rng.integers(0, 1 << 16))
        oldest = 1 << self.inside[0] if self.inside else 0
        retired = oldest if self.predicted & oldest and self._happens() else 0
        inputs = {"i_entries": entry_bits(self.entries), "i_loaded": self.loaded, "i_unpredicted": self.unpredicted}
        inputs |= {"i_retired": retired, "i_row_done": int(row_done), "i_done": int(done), "i_verdict": verdict}
        inputs |= {"i_theta_head": theta, "o_ready": int(ready)}

        ends = skips or done
        said = verdict if done else int(Verdict.DENSE)
        leaves = 1 << head if ends else 0
        self.stored.append(leaves if done else 0)
        stored = self.stored.pop(0) if MEANS_LATENCY else 0
        self.predicted = (self.predicted | stored | (leaves if skips else 0)) & ~retired
        outputs = {"o_valid": int(offered), "o_at_head": head, "o_predicted": self.predicted}
        outputs |= {"o_verdict_valid": int(ends), "o_decided": self.decided[0]}
        outputs |= flat("o_settings", self.settings_before) if self.settings_before else {}
        outputs |= {"o_verdict_verdict": said} if ends else {}
        if self.decided[0]:
            outputs |= {"o_decided_verdict": self.decided[1], "o_decided_theta": self.decided[2]}
        if offered:
            row, n_blocks, last = self.rows[0]
            outputs |= {"o_head": head, "o_row": row, "o_n_tiles": max(1, n_blocks), "o_last": int(last)}
            outputs |= {"o_empty": 0, "o_full": 0, "o_error": 0}
        self.script.cycle(inputs, outputs)

        self.settings_before = self.entries[head]["settings"]
        if starts:
            blocks = existing_blocks(SimpleNamespace(**self.entries[head]["settings"]), TILE).tolist()
            self.rows = [(row, n, row == len(blocks) - 1) for row, n in enumerate(blocks)]
            self.busy, self.row_at = True, now + BLOCK_ROWS_LATENCY
        if offered and ready:
            self.rows.pop(0)
            self.row_at = now + BLOCK_ROWS_LATENCY if self.rows else None
        self.in_flight += bool(offered and ready) - row_done
        self.decided = (leaves, said, theta if done else 0)
        self.left = (self.left | leaves) & ~retired
        if ends:
            self.head = (head + 1) % HEADS_INSIDE
            self.busy = False
            self.verdicts["predicted" if done else "skipped"] += 1
        if retired:
            self.loaded &= ~retired
            self.inside.pop(0)


@cocotb.test()
@cocotb.parametrize(haste=[1, 0.5, 0.15])
async def heads(dut, haste):
    """What can happen in a clock cycle does so with this probability."""
    model = Model(bench_rng(), haste)
    for _ in range(1500):
        model.cycle()
    assert min(model.verdicts.values()) > 3, model.verdicts
    await model.script.play(dut)


@on_cores()
def test_predict_control(simulator, core):
    run(PredictControl(CORES[core], MEANS_LATENCY), __name__, simulator, core)
