"""When the block rows of a head are offered."""

from collections import deque

from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.spec.timing import BLOCK_ROWS_LATENCY


class BlockRows:
    """The rows of a head, one ``BLOCK_ROWS_LATENCY`` cycles after the start or its predecessor."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.row: int | None = None  # on offer
        self._rows: deque[int] = deque()

    def start(self, n_rows: int) -> None:
        """A head begins in this cycle."""
        self._rows = deque(range(n_rows))
        self._next()

    def take(self) -> tuple[int, bool]:
        """``(row, last)`` that is taken in this cycle."""
        assert self.row is not None
        row, self.row = self.row, None
        if self._rows:
            self._next()
        return row, not self._rows

    def _next(self) -> None:
        self.clock.at(BLOCK_ROWS_LATENCY, self._arrive)

    def _arrive(self) -> None:
        self.row = self._rows.popleft()
