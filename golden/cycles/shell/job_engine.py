"""When heads of a job are handed out, and when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.shell.burst_reader import BurstReader
from hdp_hw.spec.encoder import TABLE_BYTES
from hdp_hw.spec.formats import DESCRIPTOR_BYTES, ENTRY_BYTES, HEADS_INSIDE
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.registers import WORD_BYTES

if TYPE_CHECKING:
    from hdp_hw.golden.cycles.shell.core_lane import CoreLane, LaneHead
    from hdp_hw.golden.cycles.shell.norm_lane import NormLane


class JobEngine:
    """Clock cycles of a job's heads (LaneHead) to lanes (CoreLane); cycle 0 is the one in which the job is there.

    table : address of the table of scales and thresholds, or None; activation : of that of a linear layer's activation,
    or None; chain : of the descriptor of the job that follows, or None; same_rows : heads are of a linear layer and
    read the same rows, which a lane needs only once; norm : of the job's norm, or None; without heads there is one.
    ``end`` : the cycle in which all have ended; ``served`` : lanes that had a head.
    """

    def __init__(
        self,
        clock: Clock,
        params: HdpParams,
        lanes: Sequence[CoreLane],
        heads: Sequence[LaneHead],
        table: int | None,
        activation: int | None = None,
        chain: int | None = None,
        same_rows: bool = False,
        norm: NormLane | None = None,
    ) -> None:
        self.clock, self.params, self.lanes, self.heads, self.entry = clock, params, lanes, heads, table
        self.reader = BurstReader(clock, params)
        self.activation, self.chain = activation, chain
        self.same_rows, self.served = same_rows, set[int]()
        self.state, self.n_words = "idle", 0
        self.inside, self.n_issued, self.n_ended = [0] * len(lanes), 0, 0
        self.offered: int | None = None  # the lane that a head stays on offer to
        self.end: int | None = None
        self.norm = norm
        begin = ("activation" if params.encoder else "head") if heads else "chain"
        clock.at(3, lambda: self._go(begin))  # taken, begun, found well aligned
        if norm:
            clock.at(2, norm.start)

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        self.reader.look()
        getattr(self, f"_{self.state}")()
        for index, lane in enumerate(self.lanes):
            if lane.has_result:
                lane.pop_result()
                self.clock.at(1, partial(self._move, index, -1))
                self.clock.at(2, self._ended)
                break

    def _go(self, state: str) -> None:
        self.state = state

    def _idle(self) -> None:
        pass

    def _activation(self) -> None:
        self._begin_words(self.activation, TABLE_BYTES, "table", "head")

    def _table(self) -> None:
        self._next_word("head")

    def _chain(self) -> None:
        self._begin_words(self.chain, DESCRIPTOR_BYTES, "descriptor", "wait")

    def _descriptor(self) -> None:
        self._next_word("wait")

    def _begin_words(self, address: int | None, n_bytes: int, state: str, following: str) -> None:
        """Ask for the words of 4 bytes of a region, if there is one."""
        if address is None:
            self.clock.set(self, state=following)
        elif self.reader.ready:
            self.reader.push((address, n_bytes // self.params.bus_bytes))
            self.clock.set(self, state=state, n_words=n_bytes // WORD_BYTES)

    def _next_word(self, following: str) -> None:
        """One of them a cycle, once its bus word is there."""
        if not self.reader.words:
            return
        n_words = self.n_words - 1
        if n_words % (self.params.bus_bytes // WORD_BYTES) == 0:
            self.reader.pop()
        self.clock.set(self, n_words=n_words, state=self.state if n_words else following)

    def _head(self) -> None:
        if self.entry is None:
            self.clock.set(self, state="check")
        elif self.reader.ready:
            self.reader.push((self.entry, ENTRY_BYTES // self.params.bus_bytes))
            self.clock.set(self, state="words", n_words=ENTRY_BYTES // self.params.bus_bytes)

    def _words(self) -> None:
        if self.reader.words:
            self.reader.pop()
            self.clock.set(self, n_words=self.n_words - 1, state="words" if self.n_words > 1 else "check")

    def _check(self) -> None:
        self.clock.set(self, state="issue")

    def _issue(self) -> None:
        index, self.offered = self.offered, None
        if index is None:
            index = self.inside.index(min(self.inside))
        if self.inside[index] == HEADS_INSIDE:
            return
        if not self.lanes[index].ready:
            self.offered = index
            return
        head = self.heads[self.n_issued]
        self.lanes[index].push(head.reusing() if self.same_rows and index in self.served else head)
        self.served.add(index)
        self.clock.at(1, lambda: self._move(index, 1))
        self.clock.set(self, state="next", n_issued=self.n_issued + 1)

    def _next(self) -> None:
        entry = None if self.entry is None else self.entry + ENTRY_BYTES
        behind = "chain" if self.params.encoder else "wait"
        self.clock.set(self, entry=entry, state=behind if self.n_issued == len(self.heads) else "head")

    def _wait(self) -> None:
        if self.n_ended == len(self.heads) and (self.norm is None or self.norm.ended):
            self.end = self.clock.now + 1
            self.clock.set(self, state="idle")

    def _move(self, index: int, n: int) -> None:
        self.inside[index] += n

    def _ended(self) -> None:
        self.n_ended += 1
