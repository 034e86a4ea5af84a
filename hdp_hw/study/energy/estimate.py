"""An estimate of the energy of attention heads: how often things happen, and what each of them takes.

Energies are those of M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, for 45 nm and
0.9 V: a multiplication of 8 bits 0.2 pJ, an addition of 32 bits 0.1 pJ; 64 bits from a memory of 8 KB 10 pJ, from DRAM
1.3 to 2.6 nJ, of which the lower end is taken, as bursts read whole pages. An FPGA takes several times as much; what is
meant to last is the ratio of two counts on one array. Registers, clock tree, control and leakage are not counted.

Counts are those of the golden models:

- *arithmetic*, of QK^T, PV and compensation, and *decision*: work in units of :mod:`hdp_hw.study.peers.cost`, of a
  multiplication of 8 x 8 bits each. Additions, b / 64 of it, agree with Horowitz': 0.1 pJ for 32 bits.
- *softmax*: an exponential for each element that is executed, in the same units.
- *memory bits*: read and written in the core: planes as they come; operands as the array takes them, words of both
  operands in each of its cycles, of both digits unless it is INTEGER; weights; scores, there and back; sums of the
  context, there and back; scores of the predictor, there and twice back.
- *bus bytes*: read and written at the memory port.
"""

import numpy as np

from hdp_hw.golden.bits.shell.job import traffic
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.spec.params import ArrayMode
from hdp_hw.study.peers.cost import EXPONENTIAL
from hdp_hw.study.peers.hdp import work_of

#: Picojoules of an event.
ENERGY_PJ = {
    "arithmetic": 0.2,
    "decision": 0.2,
    "softmax": 0.2,
    "memory bits": 10 / 64,
    "bus bytes": 1300 / 8,
}


def event_counts(results, settings, params):
    """``{event: count}`` of ENERGY_PJ, of a layer: HeadResults [n_heads], and HeadSettings of each head."""
    heads = [results[head] for head in range(len(settings))]
    cost, decision = work_of(results, settings[0], params)
    moved = traffic(heads, settings, params, table=len(set(settings)) > 1)
    executed = results.n_kept.sum() * params.tile**2
    return {
        "arithmetic": float(np.sum(cost)),
        "decision": float(np.sum(np.broadcast_to(decision, len(heads)))),
        "softmax": EXPONENTIAL * float(executed),
        "memory bits": sum(memory_bits_moved(head, of_head, params) for head, of_head in zip(heads, settings)),
        "bus bytes": moved["bytes_read"] + moved["bytes_written"],
    }


def memory_bits_moved(result, settings, params):
    """Bits that a head reads and writes in the memories of its core."""
    plan, tile = HeadPlan.of(settings, result, params), params.tile
    cycles = plan.mode_cycles(params)
    planes = sum(plan.beats.values()) * params.word_width
    words = 2 * cycles[ArrayMode.INTEGER] + 4 * (cycles[ArrayMode.CROSS] + cycles[ArrayMode.FULL])
    operands = (words + cycles[ArrayMode.CONTEXT]) * tile * params.word_width
    weights = (cycles[ArrayMode.CONTEXT] + result.n_kept) * tile**2 * params.operand_width
    scores = 2 * result.n_kept * tile**2 * params.s_width
    rows = int(result.executed.any(1).sum())
    sums = 2 * rows * tile * settings.head_dim * params.context_width
    predictor = 3 * plan.predicted * sum(plan.visited) * tile**2 * params.a_width
    return planes + operands + weights + scores + sums + predictor


def energy_pj(counts):
    """``{event: picojoules}`` of counts."""
    return {event: count * ENERGY_PJ[event] for event, count in counts.items()}
