"""One attention layer through the co-processor: its heads, what they cost on the bus, and how long the cores work."""

from golden.core.attention_core import attend_many
from golden.core.cycle_model import HeadPlan, core_cycles, ideal_cycles
from golden.shell.fetch import PLANES, head_segments
from golden.shell.read_traffic import bytes_read, bytes_skipped
from hdp_hw.params import ArrayMode

ENTRY_BYTES = 32  #: of a head in the table of scales and thresholds
RECORD_BYTES = 32  #: of a head's record


def kv_head(head, n_heads, n_kv_heads):
    """Number of the K and V that query head ``head`` reads."""
    return head * n_kv_heads // n_heads


def attend_heads(q, k, v, settings, params):
    """HeadResult of each query head: q [n_heads, n_q, d], k and v [n_kv_heads, n_k, d], HeadSettings of each head."""
    shared = [kv_head(head, len(q), len(k)) for head in range(len(q))]
    results = attend_many(q, k[shared], v[shared], settings, params)
    return [results[head] for head in range(len(q))]


def traffic(results, settings, params, table=False, records=True):
    """``{counter: bytes}`` of the heads with these HeadResults.

    table : scales and thresholds are read from a table; records : a record of each head is written.
    """
    segments = []
    for result, of_head in zip(results, settings):
        planes = head_segments(result, of_head, dict.fromkeys(PLANES, (0, 0)), params)
        segments += [segment for of_plane in planes.values() for segment in of_plane]
    read = bytes_read(segments, params) + ENTRY_BYTES * table * len(settings)
    written = sum(result.output.size for result in results) * params.operand_width // 8
    return {
        "bytes_read": read,
        "bytes_unmasked": read + bytes_skipped(segments, params),
        "bytes_written": written + RECORD_BYTES * records * len(settings),
    }


def cycles(results, settings, params):
    """``{counter: clock cycles}`` of the cores, as if operands were always there and outputs always taken.

    Exact for one core. Several take the next head as soon as they have worked off their array cycles, which the
    co-processor can't foresee: it gives the next head to the core with the fewest.
    """
    lanes = [[] for _ in range(params.n_cores)]
    work, busy = [0] * params.n_cores, dict.fromkeys(ArrayMode, 0)
    for result, of_head in zip(results, settings):
        plan = HeadPlan.of(of_head, result, params)
        lane = work.index(min(work))
        lanes[lane].append(plan)
        work[lane] += ideal_cycles(plan, params)
        busy = {mode: busy[mode] + more for mode, more in plan.mode_cycles(params).items()}
    ends = [core_cycles(plans, params).done[-1] + 1 for plans in lanes if plans]
    return {"cycles": max(ends), **{f"busy_{mode.name.lower()}": count for mode, count in busy.items()}}
