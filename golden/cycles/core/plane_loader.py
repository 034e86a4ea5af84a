"""When the planes of heads are loaded."""

from collections import deque

from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.core.jobs import Head, Work
from hdp_hw.golden.cycles.core.streams import FreeStreams


class PlaneLoader:
    """Clock cycles of one plane of heads that follow each other: "integer", "fraction" or "value".

    The I plane has a place for each head inside; F and V wait until the half that they go to is free.
    """

    def __init__(self, clock: Clock, plane: str, streams: FreeStreams) -> None:
        self.clock, self.plane, self.streams = clock, plane, streams
        self.heads: deque[Head] = deque()
        self.loading = self.takes_beats = False
        self.halves: set[int] = set()  # in use
        self.work: list[Work] = []

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        if self.loading or not self.heads:
            return
        head, halves = self.heads[0], self.plane != "integer"
        if halves and head.half in self.halves:
            return
        self.loading = True
        if halves:
            self.clock.at(1, lambda: self.halves.add(head.half))
        self.clock.set(self, takes_beats=True)
        begin = self.clock.now + 1
        self.work.append((self.plane, head.index, None, begin, begin + head.plan.beats[self.plane]))
        self.streams.plane_begins(self, head.plan)

    def ends(self) -> None:
        """The last beat of the plane is taken in this cycle."""
        self.clock.set(self, takes_beats=False)
        self.clock.at(2, self._loaded)

    def free(self, head: Head) -> None:
        """A head has left the core."""
        self.halves.discard(head.half)

    def _loaded(self) -> None:
        self.heads.popleft().loaded.add(self.plane)
        self.loading = False
