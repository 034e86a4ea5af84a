"""When a memory answers that never stalls."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hdp_hw.golden.cycles.clock import Clock

if TYPE_CHECKING:
    from hdp_hw.golden.cycles.shell.row_writer import RowWriter


class Memory:
    """Clock cycles of a memory that takes requests and words at once and answers in their order.

    read_latency : from a burst's request to its first word, which the others follow one a cycle; write_latency : from
    a burst's last word to its response.
    """

    def __init__(self, clock: Clock, read_latency: int, write_latency: int) -> None:
        self.clock, self.read_latency, self.write_latency = clock, read_latency, write_latency
        self._read_free = 0
        self._responses: deque[tuple[int, RowWriter]] = deque()  # (cycle from which on it is offered, whose)

    def read(self, beats: int) -> int:
        """A burst is asked for in this cycle; returns the cycles until its first word is there."""
        begin = max(self.clock.now + self.read_latency, self._read_free)
        self._read_free = begin + beats
        return begin - self.clock.now

    def written(self, writer: RowWriter) -> None:
        """A burst's last word comes in this cycle, and its request is there."""
        self._responses.append((self.clock.now + self.write_latency, writer))
        self.clock.at(self.write_latency, lambda: None)

    @property
    def responds(self) -> bool:
        """A response is offered in this cycle."""
        return bool(self._responses) and self._responses[0][0] <= self.clock.now

    def pop_response(self) -> RowWriter:
        """The response is taken; returns whose it is."""
        self.clock.at(1, self._responses.popleft)
        return self._responses[0][1]
