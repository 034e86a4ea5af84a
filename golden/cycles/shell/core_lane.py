"""A core with its own loader and writer."""

from dataclasses import dataclass, replace

from hdp_hw.golden.bits.shell.plane_reader import Segment
from hdp_hw.golden.bits.shell.write_traffic import Output
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.core.attention_core import AttentionCore
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.cycles.core.plane_loader import PlaneLoader
from hdp_hw.golden.cycles.core.streams import FreeStreams
from hdp_hw.golden.cycles.shell.head_loader import HeadLoader
from hdp_hw.golden.cycles.shell.plane_splitter import PlaneSplitter
from hdp_hw.golden.cycles.shell.row_writer import RowWriter
from hdp_hw.spec.params import HdpParams


@dataclass(frozen=True, eq=False)
class LaneHead:
    """A head on its way to a lane.

    plan : HeadPlan; segments : ``{plane: [Segment]}`` of golden.bits.shell.fetch; beats : of an output row of operands;
    record : address, None if it is not written.
    """

    plan: HeadPlan
    segments: dict[str, list[Segment]]
    output: Output
    beats: int
    record: int | None

    def reusing(self) -> "LaneHead":
        """The head where the lane has its rows from the head before."""
        segments = self.segments | {"q_integer": [], "q_fraction": []}
        return replace(self, plan=self.plan.reusing(), segments=segments)


class CoreLane(FreeStreams):
    """Clock cycles of heads from memory to memory: what is around an AttentionCore."""

    stalls = True

    def __init__(self, clock: Clock, params: HdpParams) -> None:
        self.clock = clock
        self.core, self.writer = AttentionCore(clock, params, self), RowWriter(clock, params, self)
        self.splitter = PlaneSplitter(clock, params, self.writer)
        self.loader = HeadLoader(clock, params, self.core)
        self.heads: list[LaneHead] = []
        self.state = "record"  # of the oldest head: "record", "written" or "result"

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        self.writer.look()
        self.splitter.look()
        self.core.look()
        self.loader.look()

    # -- to and from the job engine -----------------------------------------------------------------------------------
    @property
    def ready(self) -> bool:
        """Takes a head in this cycle."""
        return self.loader.ready

    def push(self, head: LaneHead) -> None:
        """A head comes in this cycle."""
        self.heads.append(head)
        self.loader.push(head)
        self.writer.outputs.push(head.output)
        self.splitter.heads.append((len(head.output.targets) > 1, head.beats, head.output.n_rows))

    @property
    def has_result(self) -> bool:
        """A head has ended, and its result is offered."""
        return self.state == "result"

    def pop_result(self) -> None:
        """The result is taken."""

        def leave() -> None:
            self.heads.pop(0)
            self.state = "record"

        self.clock.at(1, leave)

    # -- from the core to loader and writer ---------------------------------------------------------------------------
    def settings(self) -> HeadPlan | None:
        """From the loader."""
        return self.loader.settings()

    def settings_taken(self) -> None:
        """To the loader."""
        self.loader.settings_taken()

    def plane_begins(self, loader: PlaneLoader, plan: HeadPlan) -> None:
        """The readers see it by themselves."""

    def verdict(self, plan: HeadPlan) -> None:
        """To the loader."""
        self.loader.verdict(plan.verdict)

    def beat_taken(self) -> bool:
        """Towards the writer, but not while a status waits."""
        return not self.core.table.status and self.splitter.beat_taken()

    def status_taken(self, plan: HeadPlan) -> bool:
        """With the head's record."""
        taken = self.state == "record" and self.writer.record_taken
        if taken:
            self.clock.set(self, state="written")
        return taken

    @property
    def record_offered(self) -> bool:
        """To the writer."""
        return self.state == "record" and self.core.table.status is not None

    @property
    def record(self) -> int | None:
        """Address of the oldest head's record, None if it is not written."""
        return self.heads[0].record

    def head_written(self) -> None:
        """The responses of the oldest head have come."""
        self.clock.set(self, state="result")
