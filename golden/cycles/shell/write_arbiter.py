"""Whose burst is written next."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.shell.memory import Memory
from hdp_hw.spec.depths import ARBITER_WORDS, MAX_BURST_BEATS, MAX_OUTSTANDING_WRITES

if TYPE_CHECKING:
    from hdp_hw.golden.cycles.shell.row_writer import RowWriter


class WriteArbiter:
    """Clock cycles of the bursts of several RowWriters at one Memory that takes a request and a word in each cycle."""

    latency = 2  #: from taking a word to the memory

    def __init__(self, clock: Clock, writers: Sequence[RowWriter], memory: Memory) -> None:
        self.clock, self.writers, self.memory = clock, writers, memory
        self.chosen = self.after = 0  # a bit a writer, as in the hardware
        self.room, self.words_due, self.outstanding = True, 0, 0
        self.source: RowWriter | None = None  # whose words are taken
        self.left = 0  # so many
        self.slot: tuple[RowWriter, int] | None = None  # the next of these
        self.held: RowWriter | None = None
        self.passes: RowWriter | None = None  # whose response is in the first and in the second register

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        room = self.words_due <= ARBITER_WORDS - MAX_BURST_BEATS and self.outstanding != MAX_OUTSTANDING_WRITES
        if room != self.room:
            self.clock.set(self, room=room)
        self._words()
        self._requests()
        self._responses()

    def _requests(self) -> None:
        offered = sum(1 << index for index, writer in enumerate(self.writers) if writer.requests.readable)
        if self.room and not self.slot and offered & self.chosen:
            writer = self.writers[self.chosen.bit_length() - 1]
            n_words = writer.requests.pop()
            self.clock.set(self, chosen=0, after=~(self.chosen | self.chosen - 1), slot=(writer, n_words))
            self.clock.at(1, lambda: self._count(n_words, 1))
        elif offered and not self.chosen:
            candidates = offered & self.after or offered
            self.clock.set(self, chosen=candidates & -candidates)

    def _words(self) -> None:
        writer = self.source
        given = writer is not None and writer.offers_word
        last = given and self.left == 1
        if writer and given:
            writer.pop_word()
            self.clock.at(self.latency + 1, lambda: self._count(-1, 0))
        if writer and last:
            self.clock.at(self.latency, partial(self.memory.written, writer))
        if last or (self.slot and not self.source):
            source, left = self.slot or (None, 0)
            self.clock.set(self, source=source, left=left, slot=None)
        elif given:
            self.clock.set(self, left=self.left - 1)

    def _responses(self) -> None:
        if not self.held and self.memory.responds:
            self.clock.set(self, held=self.memory.pop_response())
        if not self.passes:
            if self.held:
                self.clock.set(self, passes=self.held, held=None)
        elif self.passes.takes_response:
            self.passes.pop_response()
            self.clock.set(self, passes=None)
            self.clock.at(1, lambda: self._count(0, -1))

    def _count(self, words: int, bursts: int) -> None:
        self.words_due += words
        self.outstanding += bursts
