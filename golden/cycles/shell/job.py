"""When an attention layer is through the co-processor."""

from collections.abc import Sequence
from dataclasses import dataclass

from hdp_hw.golden.bits.core.attention_core import HeadResult
from hdp_hw.golden.bits.shell.fetch import head_segments
from hdp_hw.golden.bits.shell.job import kv_head
from hdp_hw.golden.bits.shell.write_traffic import Output, Target
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.core.attention_core import CoreCycles
from hdp_hw.golden.cycles.core.drain import row_beats
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.cycles.shell.core_lane import CoreLane, LaneHead
from hdp_hw.golden.cycles.shell.job_engine import JobEngine
from hdp_hw.golden.cycles.shell.memory import Memory
from hdp_hw.golden.cycles.shell.norm_lane import NormLane, NormPlan
from hdp_hw.golden.cycles.shell.read_arbiter import ReadArbiter
from hdp_hw.golden.cycles.shell.write_arbiter import WriteArbiter
from hdp_hw.spec.encoder import Activation
from hdp_hw.spec.formats import PLANES, RECORD_BYTES, SHARED_PLANES
from hdp_hw.spec.params import ArrayMode, HdpParams, ceil_div
from hdp_hw.spec.settings import HeadSettings

START_LATENCY = 3  #: from the clock cycle in which the start bit is accepted to the one in which the engine has the job
INTERRUPT_LATENCY = 2  #: from the job's end to irq


@dataclass(frozen=True)
class JobCycles:
    """When a job happens, in clock cycles; 0 is the one in which its start bit is accepted.

    interrupt : irq rises; counters : ``{counter: clock cycles}`` of the register map; cores : CoreCycles of each core,
    whose cycle 0 is the one in which the job engine has the job; served : cores that had a head.
    """

    interrupt: int
    counters: dict[str, int]
    cores: list[CoreCycles]
    served: int


def cycles(
    results: Sequence[HeadResult],
    settings: Sequence[HeadSettings],
    places: dict[str, tuple[int, int, int]],
    params: HdpParams,
    latencies: tuple[int, int] = (1, 1),
    n_kv_heads: int | None = None,
    table: bool = False,
    records: bool = True,
    planes: bool = False,
    chain: int = 0,
    norm: NormPlan | None = None,
) -> JobCycles:
    """JobCycles of a job, exact for an idle co-processor and a memory that never stalls: golden.cycles.shell.memory.

    results, settings : HeadResult and HeadSettings of each query head.
    places : ``{matrix: (address, bytes between rows, bytes between heads)}`` of all planes, output, table, record; with
    ``planes``, of digits, the output goes to output and output_fraction. chain : address of a descriptor, or 0.
    latencies : of the memory, read and write.
    n_kv_heads : as many as query heads, unless given; table, records : as for :func:`golden.bits.shell.job.traffic`.
    norm : NormPlan of the job's norm; with it there may be no heads.
    """
    plans = [HeadPlan.of(of_head, result, params) for of_head, result in zip(settings, results, strict=True)]
    heads = []
    for head, (plan, result) in enumerate(zip(plans, results)):
        kv = kv_head(head, len(results), n_kv_heads or len(results))
        at = {
            name: (address + (kv if name in SHARED_PLANES else head) * head_stride, row_stride)
            for name, (address, row_stride, head_stride) in places.items()
        }
        segments = head_segments(result, plan.settings, {name: at[name] for name in PLANES}, params)
        beats = row_beats(plan.settings, params)
        of_planes = [at["output"], at["output_fraction"]] if planes else [at["output"]]
        output = Output(tuple(Target(*each, ceil_div(beats, len(of_planes))) for each in of_planes), plan.settings.n_q)
        record = places["record"][0] + head * RECORD_BYTES if records else None
        heads.append(LaneHead(plan, segments, output, beats, record))

    clock = Clock()
    memory, lanes = Memory(clock, *latencies), [CoreLane(clock, params) for _ in range(params.n_cores)]
    norms = [NormLane(clock, params, norm)] if norm else []
    same_rows = bool(settings) and settings[0].linear and not places["q_integer"][2]
    activation = places["table"][0] if settings and settings[0].activation == Activation.TABLE else None
    entries = places["table"][0] if table else None
    engine = JobEngine(clock, params, lanes, heads, entries, activation, chain or None, same_rows, *norms)
    readers = [each.reader for lane in lanes for each in lane.loader.readers]
    reads = ReadArbiter(clock, [*readers, engine.reader, *(lane.reader for lane in norms)], memory)
    writes = WriteArbiter(clock, [*(lane.writer for lane in lanes), *(lane.writer for lane in norms)], memory)
    clock.blocks = [engine, *lanes, *norms, reads, writes]
    clock.run()
    assert engine.end is not None, "the job never ended"
    array = [plan.mode_cycles(params) for plan in plans]
    counters = {"cycles": engine.end + 1}
    counters |= {f"busy_{mode.name.lower()}": sum(of_head[mode] for of_head in array) for mode in ArrayMode}
    interrupt = START_LATENCY + engine.end + INTERRUPT_LATENCY
    return JobCycles(interrupt, counters, [lane.core.cycles() for lane in lanes], len(engine.served))
