"""Clock cycles of a row in Norm."""

from collections import deque
from collections.abc import Sequence
from functools import partial

from hdp_hw.golden.cycles.clock import Clock

MOMENTS = 47  #: from a row's last beat to its mean and variance: residual, square, sums, RowMoments
ROOT = 12  #: of InverseRoot, beside its exponent
SCALED = 7  #: from a row's last read to the first beat of the next row
RESULT = 13  #: from a read to its result in the queue
PLACES = 15  #: results on their way or in the queue


def first_result(n: int, e: int) -> int:
    """From a row's first beat to its first result; n elements, e of the row's ``inverse_root``."""
    return n - 1 + MOMENTS + ROOT + e + 1 + RESULT


def row(n: int, e: int) -> int:
    """From a row's first beat to that of the next row, without stalls."""
    return first_result(n, e) - RESULT + n - 1 + SCALED


class Norm:
    """Clock cycles of rows of n elements, with stalls; exponents : e of each row's ``inverse_root``."""

    def __init__(self, clock: Clock, n: int, exponents: Sequence[int]) -> None:
        self.clock, self.n, self.exponents = clock, n, deque(exponents)
        self.state, self.index = "load", 0  # of a row's next element, in "load" and "read"
        self.places = 0  # that are taken
        self.results: deque[bool] = deque()  # that can be taken: whether each is the last of its row

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        if self.state == "read" and self.places < PLACES:
            last = self.index == self.n - 1
            self.clock.at(RESULT, partial(self.results.append, last))
            self.clock.set(self, index=0 if last else self.index + 1, state="scale" if last else "read")
            self.clock.at(1, partial(self._occupy, 1))
            if last:
                self.clock.at(SCALED, partial(self._go, "load"))

    @property
    def ready(self) -> bool:
        """Takes an element in this cycle."""
        return self.state == "load"

    def push(self, n: int) -> None:
        """An element comes in each of n cycles, this one the first."""
        self.clock.at(n, partial(self._loaded, self.index + n))

    def pop(self) -> bool:
        """The result that is taken in this cycle: whether it is the last of its row."""
        self.clock.at(1, self.results.popleft)
        self.clock.at(2, partial(self._occupy, -1))
        return self.results[0]

    def _loaded(self, index: int) -> None:
        self.index = index
        if index == self.n:
            self.index, self.state = 0, "root"
            self.clock.at(MOMENTS + ROOT + self.exponents.popleft(), partial(self._go, "read"))

    def _go(self, state: str) -> None:
        self.state = state

    def _occupy(self, n: int) -> None:
        self.places += n
