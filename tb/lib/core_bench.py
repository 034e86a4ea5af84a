"""Drives whole heads through the core's streams and collects all that it says."""

import random
from collections import deque
from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.cycles.core.attention_core import core_cycles
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.spec.formats import STREAMS
from hdp_hw.spec.params import ArrayMode
from hdp_hw.spec.settings import HeadError, Verdict
from tb.lib.lockstep import pack, read

INPUTS = ("settings", *STREAMS)


@dataclass
class Observed:
    """What came out for one head: data of its beats, fields of its status, the cycle in which that was taken."""

    output: list
    status: dict
    done: int


@dataclass
class Stalls:
    """When streams hold back: probability that an idle input stays idle, and that an output is not ready.

    ``blocks`` makes the output refuse for long stretches, as a memory that is busy elsewhere does.
    """

    idle: float = 0.0
    busy: float = 0.0
    blocks: int = 0


NO_STALLS = Stalls()
RANDOM_STALLS = Stalls(idle=0.3, busy=0.3)
ADVERSARIAL_STALLS = Stalls(idle=0.05, busy=0.1, blocks=700)


class CoreBench:
    """The streams of one AttentionCore under test.

    After :meth:`run`, ``busy`` holds the first and the last cycle in which the array worked and the number of cycles
    in which it did; cycles count from the edge at which the first settings were offered.
    """

    def __init__(self, dut, params, seed, stalls=NO_STALLS):
        self.dut, self.params, self.stalls = dut, params, stalls
        self.rng = random.Random(seed)
        self.busy = None

    def beats(self, jobs):
        """``{stream: [{field: bits}]}`` of all jobs (HeadJob)."""
        streams = {name: [] for name in INPUTS}
        for job in jobs:
            streams["settings"].append(job.settings.carried(self.params))
            for name, beats in job.planes(self.params).items():
                fields = ("data", "last") if name == "value" else ("data", "key", "last")
                streams[name] += [dict(zip(fields, beat)) for beat in beats]
        return {name: deque(self._encode(name, beats)) for name, beats in streams.items()}

    def _encode(self, name, beats):
        signals = {key: getattr(self.dut, f"i_{name}_{key}") for key in beats[0]}
        widths = {key: len(signal) for key, signal in signals.items()}
        return [[(signals[key], pack(item, widths[key])) for key, item in beat.items()] for beat in beats]

    async def run(self, jobs, timeout):
        """Offer all of ``jobs``; returns their ``Observed``. AssertionError after ``timeout`` cycles without an end."""
        dut, rng, stalls = self.dut, self.rng, self.stalls
        queues = self.beats(jobs)
        driven = dict.fromkeys(INPUTS, False)
        valids = {name: getattr(dut, f"i_{name}_valid") for name in INPUTS}
        readies = {name: getattr(dut, f"i_{name}_ready") for name in INPUTS}
        seen, outputs, self.masks = [], [[]], []
        first_busy = last_busy = n_busy = None
        held = {}
        block = 0
        ready, status_ready = False, False
        for cycle in range(timeout):
            # Values at this edge: what was accepted in the cycle that ends here.
            for name in INPUTS:
                if driven[name] and read(readies[name], f"i_{name}_ready"):
                    driven[name] = False
                if not driven[name] and queues[name] and rng.random() >= stalls.idle:
                    for signal, bits in queues[name].popleft():
                        signal.value = bits
                    driven[name] = True
                    valids[name].value = 1
                elif not driven[name]:
                    valids[name].value = 0
            block = block - 1 if block > 0 else (stalls.blocks if stalls.blocks and rng.random() < 0.005 else 0)
            ready = not block and rng.random() >= stalls.busy
            status_ready = not block and rng.random() >= stalls.busy
            dut.o_ready.value, dut.o_status_ready.value = int(ready), int(status_ready)
            await RisingEdge(dut.aclk)
            if read(dut.o_busy, "o_busy"):
                first_busy = cycle if first_busy is None else first_busy
                last_busy, n_busy = cycle, (n_busy or 0) + 1
            if dut.o_mask_valid.value == 1:
                fields = ("row", "index", "word", "last")
                self.masks.append(tuple(read(getattr(dut, f"o_mask_{key}"), key) for key in fields))
            self._stable(held, "o", ("data", "last"), ready)
            self._stable(held, "o_status", ("verdict", "error", "n_visited", "n_kept", "theta_head"), status_ready)
            if ready and read(dut.o_valid, "o_valid"):
                outputs[-1].append(int(dut.o_data.value))
                if dut.o_last.value == 1:
                    outputs.append([])
            if status_ready and read(dut.o_status_valid, "o_status_valid"):
                fields = ("verdict", "error", "n_visited", "n_kept", "theta_head")
                status = {key: read(getattr(dut, f"o_status_{key}"), key) for key in fields}
                failed = status["verdict"] == Verdict.ERROR
                seen.append(Observed([] if failed else outputs.pop(0), status, cycle))
                if len(seen) == len(jobs):
                    break
        else:
            left = {name: len(queue) for name, queue in queues.items()}
            raise AssertionError(f"{len(seen)} of {len(jobs)} heads after {timeout} cycles; beats left: {left}")
        for name in INPUTS:
            assert not queues[name] and not driven[name], f"{len(queues[name])} beats of i_{name} were not taken"
            valids[name].value = 0
        assert outputs == [[]], "output that belongs to no head"
        self.busy = (first_busy, last_busy, n_busy or 0)
        return seen

    def _stable(self, held, name, fields, ready):
        """A valid beat that was not taken stays as it is."""
        valid = read(getattr(self.dut, f"{name}_valid"), f"{name}_valid")
        if not valid and name not in held:
            return
        payload = [int(getattr(self.dut, f"{name}_{key}").value) for key in fields]
        if name in held:
            assert valid and payload == held.pop(name), f"{name} changed while it was stalled"
        if valid and not ready:
            held[name] = payload


def output_matrix(observed, n_q, d, params):
    """Output [n_q, d] of one head's beats; AssertionError unless their number fits."""
    width, lanes = params.operand_width, params.out_lanes
    assert len(observed.output) == n_q * d // lanes, f"{len(observed.output)} beats for {n_q} x {d} elements"
    elements = [data >> (width * lane) for data in observed.output for lane in range(lanes)]
    unsigned = np.array([element & ((1 << width) - 1) for element in elements], np.int64).reshape(n_q, d)
    return unsigned - ((unsigned >> (width - 1)) << width)


def mask_words(mask, n_visited, params):
    """The words of ``o_mask`` for bool [blocks_q, blocks_k], row by row, ``n_visited`` blocks in each."""
    words = []
    for row, (bits, n) in enumerate(zip(mask, n_visited)):
        n_words = -(-n // params.mask_word)
        for index in range(n_words):
            chunk = bits[index * params.mask_word : (index + 1) * params.mask_word]
            word = sum(int(bit) << k for k, bit in enumerate(chunk))
            words.append((row, index, word, int(index == n_words - 1)))
    return words


async def check_heads(dut, params, jobs, stalls=NO_STALLS):
    """Run ``jobs`` back to back and compare all that the core says with the golden models, bit for bit.

    Without stalls, cycles too: of every status, of the array, of the counters.
    """
    results = [attend(job.q, job.k, job.v, job.settings, params) for job in jobs]
    plans = [HeadPlan.of(job.settings, result, params) for job, result in zip(jobs, results)]
    predicted = core_cycles(plans, params)
    counters = read_counters(dut)
    bench = CoreBench(dut, params, cocotb.RANDOM_SEED, stalls)
    seen = await bench.run(jobs, timeout=4 * predicted.done[-1] + 20_000)
    words = []
    for index, (job, result, plan, observed) in enumerate(zip(jobs, results, plans, seen, strict=True)):
        status = {"verdict": result.verdict, "error": HeadError.NONE, "theta_head": result.theta_head}
        status |= {"n_visited": result.n_visited, "n_kept": result.n_kept}
        assert observed.status == status, f"head {index}: status {observed.status}, not {status}"
        output = output_matrix(observed, *job.q.shape, params)
        wrong = np.argwhere(output != result.output)
        assert not len(wrong), f"head {index}, {job.settings}: {len(wrong)} elements differ, the first at {wrong[0]}"
        if plan.predicted:
            words += mask_words(result.mask, plan.visited, params)
    assert bench.masks == words, "masks differ"
    for mode in ArrayMode:
        cycles = sum(plan.mode_cycles(params)[mode] for plan in plans)
        counted = read_counters(dut)[mode.name.lower()] - counters[mode.name.lower()]
        assert counted == cycles, f"the counter of {mode.name} says {counted}, not {cycles}"
    if stalls == NO_STALLS:
        assert [observed.done for observed in seen] == predicted.done, "cycles of the statuses"
        busy = (predicted.first_busy, predicted.last_busy, predicted.total_busy)
        assert bench.busy == busy, f"the array worked in {bench.busy}, not {busy}"
        inside = read_counters(dut)["cycles"] - counters["cycles"]
        assert inside == predicted.done[-1] - 2, f"{inside} cycles with a head inside, not {predicted.done[-1] - 2}"
    return predicted


def read_counters(dut):
    """``{name: count}`` of ``o_counters``."""
    names = ("cycles", *(mode.name.lower() for mode in ArrayMode))
    return {name: read(getattr(dut, f"o_counters_{name}"), name) for name in names}
