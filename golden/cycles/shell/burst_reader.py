"""When the words of a region come."""

from hdp_hw.golden.bits.shell.burst_reader import bursts
from hdp_hw.golden.cycles.clock import Clock, Queue
from hdp_hw.spec.depths import FIFO_WORDS, MAX_BURST_BEATS
from hdp_hw.spec.params import HdpParams


class BurstReader:
    """Clock cycles of regions to bursts, and of the words that come back."""

    latency = 3  #: from a word's coming to when it can be taken

    def __init__(self, clock: Clock, params: HdpParams) -> None:
        self.clock, self.params = clock, params
        self.left: tuple[int, ...] = ()  # beats of the region's bursts that are still to be asked for
        self.requests: Queue[int] = Queue(clock, 2)  # beats of bursts
        self.free = FIFO_WORDS
        self.words, self.counted = 0, False  # that can be taken; the place of the first of them is free again

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        if self._issues:
            beats = self.left[0]
            self.requests.push(beats)
            self.clock.at(2, lambda: self._gain(-beats))
            self.clock.set(self, left=self.left[1:])
        if self.words and not self.counted:
            self.counted = True
            self.clock.at(1, lambda: self._gain(1))

    @property
    def _issues(self) -> bool:
        return bool(self.left) and not self.requests.full and self.free >= 2 * MAX_BURST_BEATS

    @property
    def ready(self) -> bool:
        """Takes a region in this cycle."""
        return not self.left or (len(self.left) == 1 and self._issues)

    def push(self, region: tuple[int, int]) -> None:
        """A region, ``(address, bus words)``, comes in this cycle, after :meth:`look`."""
        self.clock.set(self, left=tuple(beats for _, beats in bursts(*region, MAX_BURST_BEATS, self.params)))

    def arrive(self) -> None:
        """A word can be taken from this cycle on."""
        self.words += 1

    def pop(self) -> None:
        """A word is taken in this cycle."""

        def leave() -> None:
            self.words -= 1
            self.counted = False

        self.clock.at(1, leave)

    def _gain(self, n: int) -> None:
        self.free += n
