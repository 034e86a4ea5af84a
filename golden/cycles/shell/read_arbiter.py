"""Whose burst is read next."""

from collections.abc import Sequence

from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.shell.burst_reader import BurstReader
from hdp_hw.golden.cycles.shell.memory import Memory


class ReadArbiter:
    """Clock cycles of the bursts of several BurstReaders at one Memory that takes a burst in each cycle."""

    response_latency = 1

    def __init__(self, clock: Clock, readers: Sequence[BurstReader], memory: Memory) -> None:
        self.clock, self.readers, self.memory = clock, readers, memory
        self.turn = self.after = 0  # a bit a reader, as in the hardware

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        asks = sum(1 << index for index, reader in enumerate(self.readers) if reader.requests.readable)
        if not asks and not self.turn:
            return
        if asks & self.turn:
            reader = self.readers[self.turn.bit_length() - 1]
            beats = reader.requests.pop()
            self.clock.at(1, lambda: self._read(reader, beats))
        candidates = asks & self.after or asks
        turn = candidates & -candidates
        after = ~(turn | turn - 1) if turn else 0
        if (turn, after) != (self.turn, self.after):
            self.clock.set(self, turn=turn, after=after)

    def _read(self, reader: BurstReader, beats: int) -> None:
        """A burst is at the memory's port."""
        delay = self.memory.read(beats) + self.response_latency + reader.latency
        for beat in range(beats):
            self.clock.at(delay + beat, reader.arrive)
