"""One attention layer through the co-processor: its heads, what they cost on the bus, and how long it takes."""

from dataclasses import dataclass

from golden.clock import Clock
from golden.core.attention_core import attend_many
from golden.core.cycle_model import HeadPlan
from golden.shell.core_lane import CoreLane, LaneHead
from golden.shell.fetch import PLANES, head_segments
from golden.shell.job_engine import JobEngine
from golden.shell.memory import Memory
from golden.shell.read_arbiter import ReadArbiter
from golden.shell.read_traffic import ENTRY_BYTES, bytes_read, bytes_skipped
from golden.shell.write_arbiter import WriteArbiter
from golden.shell.write_traffic import RECORD_BYTES, Output
from hdp_hw.params import ArrayMode

START_LATENCY = 3  #: from the clock cycle in which the start bit is accepted to the one in which the engine has the job
INTERRUPT_LATENCY = 2  #: from the job's end to irq
KEYS_AND_VALUES = ("k_integer", "k_fraction", "value")  #: matrices that query heads may share


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


@dataclass(frozen=True)
class JobCycles:
    """When a job happens, in clock cycles; 0 is the one in which its start bit is accepted.

    interrupt : irq rises; counters : ``{counter: clock cycles}`` of the register map; cores : CoreCycles of each core,
    whose cycle 0 is the one in which the job engine has the job.
    """

    interrupt: int
    counters: dict
    cores: list


def cycles(results, settings, places, params, latencies=(1, 1), n_kv_heads=None, table=False, records=True):
    """JobCycles of a job, exact for an idle co-processor and a memory that never stalls: golden.shell.memory.

    results, settings : HeadResult and HeadSettings of each query head.
    places : ``{matrix: (address, bytes between rows, bytes between heads)}`` of all planes, output, table, record.
    latencies : of the memory, read and write.
    n_kv_heads : as many as query heads, unless given; table, records : as for :func:`traffic`.
    """
    plans = [HeadPlan.of(of_head, result, params) for of_head, result in zip(settings, results, strict=True)]
    heads = []
    for head, (plan, result) in enumerate(zip(plans, results)):
        kv = kv_head(head, len(results), n_kv_heads or len(results))
        at = {
            name: (address + (kv if name in KEYS_AND_VALUES else head) * head_stride, row_stride)
            for name, (address, row_stride, head_stride) in places.items()
        }
        segments = head_segments(result, plan.settings, {name: at[name] for name in PLANES}, params)
        output = Output(*at["output"], plan.settings.n_q, plan.settings.head_dim // params.out_lanes)
        heads.append(LaneHead(plan, segments, output, places["record"][0] + head * RECORD_BYTES if records else None))

    clock = Clock()
    memory, lanes = Memory(clock, *latencies), [CoreLane(clock, params) for _ in range(params.n_cores)]
    engine = JobEngine(clock, params, lanes, heads, places["table"][0] if table else None)
    readers = [each.reader for lane in lanes for each in lane.loader.readers]
    reads = ReadArbiter(clock, [*readers, engine.reader], memory)
    writes = WriteArbiter(clock, [lane.writer for lane in lanes], memory)
    clock.blocks = [engine, *lanes, reads, writes]
    clock.run()
    array = [plan.mode_cycles(params) for plan in plans]
    counters = {"cycles": engine.end + 1}
    counters |= {f"busy_{mode.name.lower()}": sum(of_head[mode] for of_head in array) for mode in ArrayMode}
    interrupt = START_LATENCY + engine.end + INTERRUPT_LATENCY
    return JobCycles(interrupt, counters, [lane.core.cycles() for lane in lanes])
