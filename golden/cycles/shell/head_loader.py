"""When a head's operands are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hdp_hw.golden.bits.shell.fetch import MASKED, fetch_plan
from hdp_hw.golden.bits.shell.plane_reader import Segment
from hdp_hw.golden.cycles.clock import Clock, Queue
from hdp_hw.golden.cycles.core.attention_core import AttentionCore
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.cycles.shell.plane_reader import PlaneReader
from hdp_hw.golden.cycles.shell.segment_generator import SegmentGenerator
from hdp_hw.spec.depths import HEADS_AHEAD
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import Rule, Verdict

if TYPE_CHECKING:
    from hdp_hw.golden.cycles.shell.core_lane import LaneHead

#: Of a head whose verdict is known: matrices in the order in which they are asked for, and the reader of each.
FOLLOWING = (("q_fraction", "fraction"), ("value", "value"), ("k_fraction", "fraction"))


class HeadLoader:
    """Clock cycles of heads (LaneHead) to the settings and planes that go to an AttentionCore."""

    def __init__(self, clock: Clock, params: HdpParams, core: AttentionCore) -> None:
        self.clock = clock
        self.head: LaneHead  # whose settings and I planes are offered
        self.to_do: tuple[Any, ...] = ()  # "settings", and segments
        self.followers: Queue[LaneHead] = Queue(clock, HEADS_AHEAD)
        self.verdicts: Queue[Verdict] = Queue(clock, HEADS_AHEAD)
        self.generators = {plane: SegmentGenerator(clock, params) for plane in ("fraction", "value")}
        sources: dict[str, Any] = {"integer": self} | self.generators
        self.readers = [PlaneReader(clock, params, core.loaders[plane], source) for plane, source in sources.items()]
        self.follower: LaneHead  # whose other planes are asked for
        self.planes: tuple[tuple[str, str], ...] = ()  # which are still to be

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        for reader in self.readers:
            reader.look()
        if self.planes:
            plane, generator = self.planes[0][0], self.generators[self.planes[0][1]]
            if generator.ready:
                how = fetch_plan(self.follower.plan.verdict, self.follower.plan.settings)[plane]
                generator.push(self.follower.segments[plane], how == MASKED)
                self.clock.set(self, planes=self.planes[1:])
        elif self.followers.readable and (self._dense or self.verdicts.readable):
            if not self._dense:
                self.verdicts.pop()
            follower = self.followers.pop()
            planes = tuple(each for each in FOLLOWING if follower.segments[each[0]])
            self.clock.set(self, follower=follower, planes=planes)

    @property
    def _dense(self) -> bool:
        """The oldest follower waits for no verdict."""
        return self.followers.readable[0].plan.settings.rule == Rule.DENSE

    def verdict(self, verdict: Verdict) -> None:
        """A head is decided in this cycle."""
        if verdict != Verdict.DENSE:
            self.verdicts.push(verdict)

    @property
    def ready(self) -> bool:
        """Takes a head in this cycle."""
        return not self.to_do and not self.followers.full

    def push(self, head: LaneHead) -> None:
        """A head comes in this cycle."""
        self.followers.push(head)
        segments = head.segments["q_integer"] + head.segments["k_integer"]
        self.clock.set(self, head=head, to_do=("settings", *segments))

    def settings(self) -> HeadPlan | None:
        """The HeadPlan that is offered to the core in this cycle, or None."""
        return self.head.plan if self.to_do and self.to_do[0] == "settings" else None

    def settings_taken(self) -> None:
        """In this cycle."""
        self.clock.set(self, to_do=self.to_do[1:])

    @property
    def segment(self) -> Segment | None:
        """Of an I plane, that is offered in this cycle, or None."""
        return None if not self.to_do or self.to_do[0] == "settings" else self.to_do[0]

    segment_taken = settings_taken
