"""PlaneLoader against its golden twins: what it writes is golden.bits', when it is golden.cycles'."""

import os
from collections import deque

import cocotb
import pytest

from hdp_hw.golden.bits.core.plane_loader import load, places
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.core import plane_loader as cycles
from hdp_hw.golden.cycles.core.jobs import Head
from hdp_hw.rtl.core.plane_loader import PlaneLoader
from hdp_hw.spec.settings import HeadError
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run

KEYED = os.environ.get("HDP_KEYED", "1") == "1"
PLANE = "integer"  #: that golden.cycles loads; of the three the one whose heads wait for no half
ERRORS = [HeadError.NONE, HeadError.SHORT, HeadError.LONG, *([HeadError.ORDER] if KEYED else [])]


def loader(params, keyed):
    """The block as the core uses it: for the I and F planes, or for V."""
    n_words = params.max_words if keyed else params.max_value_words
    return PlaneLoader(params, n_words, params.lanes * params.digit_width, keyed)


def plane(rng, n_q, n_k, words, error):
    """``[(key, last)]`` of a plane that is well-formed, or wrong at a random beat; then it goes on for a while."""
    keys = [key for key, _, _ in places(n_q, n_k, words)]
    position = int(rng.choice([0, max(0, len(keys) - 2), rng.integers(0, max(1, len(keys) - 1))]))
    if error == HeadError.SHORT:
        keys = keys[: position + 1]
    elif error == HeadError.LONG:
        keys += [1 - int(KEYED and rng.integers(0, 2))] * int(rng.integers(1, 3 * words))
    elif error == HeadError.ORDER:
        wrong = rng.choice([0, n_q * words, position])
        keys = [key ^ (index == wrong) for index, key in enumerate(keys)]
    return [(key, index == len(keys) - 1) for index, key in enumerate(keys)]


class Plane:
    """A plane of random rows: ``content``, and where golden.bits writes it; with ``discard`` it is only read."""

    def __init__(self, rng, n_k, words, error, discard):
        self.n_q, self.n_k, self.words, self.discard = (
            int(rng.integers(1, 3 * PARAMS.tile)) * KEYED,
            n_k,
            words,
            discard,
        )
        self.content = plane(rng, self.n_q, n_k, words, error)
        self.beats = {PLANE: len(self.content)}
        written, found = load(self.content, self.n_q, n_k, words)
        assert found == error
        self.written, self.error = ([], HeadError.NONE) if discard else (written, found)


class Schedule:
    """Planes that follow one another in golden.cycles' loader, and all ports, cycle by cycle.

    A plane begins as soon as it may, or a little later. Its first beat may have been waiting; others come with
    ``gaps``.
    """

    def __init__(self, rng, planes, gaps):
        self.rng, self.gaps, self.to_come = rng, gaps, deque(planes)
        self.beats = {"i_start": {}, "i_valid": {}}
        self.held, self.expected = {}, {"o_write": {}, "o_done": {}, "o_busy": {}, "i_ready": {}}
        self.clock, self.head = Clock(), None
        self.loader = cycles.PlaneLoader(self.clock, PLANE, self)
        self.clock.blocks = [self]
        self.clock.run()

    def look(self):
        """One clock cycle."""
        cycle = self.clock.now
        if self.head and self.head.loaded:
            self.expected["o_done"][cycle - 1] = {"o_error": self.head.plan.error}
            self.head = None
        if not self.head and self.to_come and self.rng.random() < 0.5:
            self.head = Head(0, self.to_come.popleft(), 0, set())
            self.loader.heads.append(self.head)
        self.loader.look()
        if self.loader.takes_beats:
            for name in ("o_busy", "i_ready"):
                self.expected[name][cycle] = {}
        if self.head or self.to_come:
            self.clock.wake(1)

    def plane_begins(self, loader, plane):
        """Its beats, from the next cycle on."""
        start = cycle = self.clock.now
        self.beats["i_start"][start] = {"i_discard": int(plane.discard)}
        self.held[start] = {"i_n_q": plane.n_q, "i_n_k": plane.n_k, "i_words": plane.words}
        for index, (key, last) in enumerate(plane.content):
            data = int.from_bytes(self.rng.bytes(PARAMS.lanes * PARAMS.digit_width // 8), "little")
            ports = {"i_data": data, "i_last": last} | ({"i_key": key} if KEYED else {})
            if index == 0 and self.rng.random() < 0.5:
                self.beats["i_valid"][start] = ports
            elif self.gaps:
                cycle += int(self.rng.integers(0, 3))
            cycle += 1
            self.beats["i_valid"][cycle] = ports
            if index < len(plane.written):
                _, row, word = plane.written[index]
                self.expected["o_write"][cycle + PlaneLoader.latency] = {
                    "o_write": 1 << row % PARAMS.tile,
                    "o_key": key,
                    "o_block": row // PARAMS.tile,
                    "o_word": word,
                    "o_data": data,
                }
        self.clock.at(cycle - start, loader.ends)


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def planes(dut, gaps):
    """Well-formed planes of all sizes between malformed ones, and some that are only read."""
    rng = bench_rng()
    max_words = PARAMS.max_words if KEYED else PARAMS.max_value_words
    to_come = []
    for index in range(60):
        error = ERRORS[index // 2 % len(ERRORS)] if index % 2 else HeadError.NONE
        n_k = PARAMS.max_seq_len if index == 0 else int(rng.integers(1, 3 * PARAMS.tile)) + (error == HeadError.SHORT)
        words = max_words if index == 0 else int(rng.integers(1, max_words + 1))
        to_come.append(Plane(rng, n_k, words, error, index % 9 == 8))
    schedule = Schedule(rng, to_come, gaps)
    await play(dut, schedule.beats, schedule.held, schedule.expected)


@on_cores("encoder")
@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "value"])
def test_plane_loader(simulator, core, keyed):
    variant = "_keyed" if keyed else "_value"
    run(loader(CORES[core], keyed), __name__, simulator, core, variant, HDP_KEYED=str(int(keyed)))
