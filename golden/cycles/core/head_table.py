"""When heads enter and leave the core."""

from collections.abc import Callable, Iterable

from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.core.jobs import Head
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.cycles.core.streams import FreeStreams
from hdp_hw.spec.formats import HEADS_INSIDE

HALVES = 2  #: heads in the F and V buffers


class HeadTable:
    """Clock cycles of settings and status.

    entered, left : called with a Head that enters, and that leaves.
    """

    latency = 2  #: from taking settings to the head being inside

    def __init__(
        self,
        clock: Clock,
        streams: FreeStreams,
        entered: Iterable[Callable[[Head], None]] = (),
        left: Iterable[Callable[[Head], None]] = (),
    ) -> None:
        self.clock, self.streams, self.entered, self.left = clock, streams, tuple(entered), tuple(left)
        self.inside: list[Head] = []
        self.staged, self.n_entered = False, 0
        self.status: Head | None = None  # whose status is offered
        self.done: list[int] = []  # cycles in which a status was taken

    @property
    def has_place(self) -> bool:
        """There is a place for a head."""
        return not self.staged and len(self.inside) < HEADS_INSIDE

    def joins(self, plan: HeadPlan) -> bool:
        """Whether a head may be beside those inside.

        Heads of attention and linear layers take turns, and so do linear layers that bring rows and that reuse them.
        """
        if not self.inside:
            return True
        last, new = self.inside[-1].plan.settings, plan.settings
        return last.linear == new.linear and (new.reuse or not last.reuse)

    def look(self) -> None:
        """Takes settings; see :class:`golden.cycles.clock.Clock`."""
        plan = self.streams.settings()
        if plan is None or not self.has_place or not self.joins(plan):
            return
        self.streams.settings_taken()
        self.staged = True
        head = Head(self.n_entered, plan, self.n_entered % HALVES, set())
        self.n_entered += 1
        self.clock.at(self.latency, lambda: self._enter(head))

    def look_at_status(self) -> None:
        """Gives a status away."""
        if self.status and self.streams.status_taken(self.status.plan):
            self.done.append(self.clock.now)
            self.clock.set(self, status=None)

    def report(self, head: Head) -> None:
        """The status of a head that has ended is offered from now on."""
        self.status = head
        self.inside.remove(head)
        for leave in self.left:
            leave(head)

    def _enter(self, head: Head) -> None:
        self.staged = False
        self.inside.append(head)
        for enter in self.entered:
            enter(head)
