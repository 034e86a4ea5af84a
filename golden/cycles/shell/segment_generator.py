"""When a matrix is cut into segments."""

from itertools import pairwise

from hdp_hw.golden.bits.shell.plane_reader import Segment
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.spec.params import HdpParams, ceil_div


class SegmentGenerator:
    """Clock cycles of a matrix to its segments."""

    def __init__(self, clock: Clock, params: HdpParams) -> None:
        self.clock, self.params = clock, params
        self.segment, self.ready = None, True  # on offer; takes a matrix in this cycle
        # Segments that are not yet on offer, and after how many cycles they are; the last first.
        self._following: list[tuple[Segment, int]] = []

    def push(self, segments: list[Segment], masked: bool) -> None:
        """A matrix comes in this cycle; ``masked``: its segments are runs of key blocks that must be found."""
        waits = [1] * len(segments)
        if masked:
            found = self._found(segments)
            waits = [3 + found[0], *(1 + after - before for before, after in pairwise(found))]
        self._following = list(zip(segments, waits))[::-1]
        self.clock.set(self, ready=False)
        self._offer()

    def segment_taken(self) -> None:
        """In this cycle."""
        self.clock.set(self, segment=None, ready=not self._following)
        if self._following:
            self._offer()

    def _offer(self) -> None:
        segment, wait = self._following.pop()
        self.clock.at(wait, lambda: setattr(self, "segment", segment))

    def _found(self, segments: list[Segment]) -> list[int]:
        """Cycles from looking at the first block to finding the end of each segment: 2 more for each further word."""
        found, block = [], 0
        for segment in segments:
            block += ceil_div(segment.n_rows, self.params.tile)
            last_looked_at = block - (segment is segments[-1])  # of the last one, that is its own last block
            found.append(block + 2 * (last_looked_at // self.params.mask_word))
        return found
