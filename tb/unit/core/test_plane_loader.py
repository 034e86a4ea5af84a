"""PlaneLoader against golden.bits.core.plane_loader."""

import os

import cocotb
import pytest

from hdp_hw.golden.bits.core.plane_loader import load, places
from hdp_hw.rtl.core.plane_loader import PlaneLoader
from hdp_hw.spec.settings import HeadError
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run

KEYED = os.environ.get("HDP_KEYED", "1") == "1"
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


class Schedule:
    """Ports by clock cycle of planes that follow one another."""

    def __init__(self, rng):
        self.rng, self.cycle = rng, 3
        self.beats = {"i_start": {}, "i_valid": {}}
        self.held, self.expected = {}, {"o_write": {}, "o_done": {}, "o_busy": {}, "i_ready": {}}

    def add(self, n_k, words, error, discard, gaps):
        """One plane; its first beat may have been waiting."""
        rng, start, cycle = self.rng, self.cycle, self.cycle
        n_q = int(rng.integers(1, 3 * PARAMS.tile)) if KEYED else 0
        beats = plane(rng, n_q, n_k, words, error)
        written, found = load(beats, n_q, n_k, words)
        assert found == error
        self.beats["i_start"][start] = {"i_discard": int(discard)}
        self.held[start] = {"i_n_q": n_q, "i_n_k": n_k, "i_words": words}
        for index, (key, last) in enumerate(beats):
            data = int.from_bytes(rng.bytes(PARAMS.lanes * PARAMS.digit_width // 8), "little")
            ports = {"i_data": data, "i_last": last} | ({"i_key": key} if KEYED else {})
            if index == 0 and rng.random() < 0.5:
                self.beats["i_valid"][start] = ports
            elif gaps:
                cycle += int(rng.integers(0, 3))
            cycle += 1
            self.beats["i_valid"][cycle] = ports
            if index < len(written) and not discard:
                _, row, word = written[index]
                self.expected["o_write"][cycle + PlaneLoader.latency] = {
                    "o_write": 1 << row % PARAMS.tile,
                    "o_key": key,
                    "o_block": row // PARAMS.tile,
                    "o_word": word,
                    "o_data": data,
                }
        done = {"o_error": HeadError.NONE if discard else found}
        self.expected["o_done"][cycle + PlaneLoader.latency] = done
        for name in ("o_busy", "i_ready"):
            self.expected[name] |= {c: {} for c in range(start + 1, cycle + 1)}
        self.cycle = cycle + int(rng.integers(2, 4))


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def planes(dut, gaps):
    """Well-formed planes of all sizes between malformed ones, and some that are only read."""
    rng = bench_rng()
    schedule = Schedule(rng)
    max_words = PARAMS.max_words if KEYED else PARAMS.max_value_words
    for index in range(60):
        error = ERRORS[index // 2 % len(ERRORS)] if index % 2 else HeadError.NONE
        n_k = PARAMS.max_seq_len if index == 0 else int(rng.integers(1, 3 * PARAMS.tile)) + (error == HeadError.SHORT)
        words = max_words if index == 0 else int(rng.integers(1, max_words + 1))
        schedule.add(n_k, words, error, index % 9 == 8, gaps)
    await play(dut, schedule.beats, schedule.held, schedule.expected)


@on_cores()
@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "value"])
def test_plane_loader(simulator, core, keyed):
    variant = "_keyed" if keyed else "_value"
    run(loader(CORES[core], keyed), __name__, simulator, core, variant, HDP_KEYED=str(int(keyed)))
