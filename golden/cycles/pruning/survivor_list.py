"""When the surviving blocks of rows are listed."""

from collections import deque

import numpy as np

from hdp_hw.golden.cycles.clock import Clock, Queue
from hdp_hw.golden.cycles.core.jobs import Head, RowJob
from hdp_hw.golden.cycles.pruning.block_rows import BlockRows
from hdp_hw.spec.formats import STREAMS
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import Verdict


def listed_after(executed: np.ndarray, read_mask: bool, params: HdpParams) -> list[int]:
    """Clock cycles from the beginning of a row, of existing blocks ``executed``, to each survivor being chosen.

    read_mask : whether the mask has to be read, word by word (neither all blocks nor none).
    """
    if not read_mask:
        return list(range(1, np.count_nonzero(executed) + 1))
    counts, ends = _words(executed, params)
    return [end - max(n, 1) + k for n, end in zip(counts.tolist(), ends.tolist()) for k in range(n)]


def offered_after(executed: np.ndarray, read_mask: bool, params: HdpParams) -> int:
    """Clock cycles from the beginning of the row to its offer."""
    if not read_mask or not len(executed):
        return 1 + int(np.count_nonzero(executed))
    return int(_words(executed, params)[1][-1])


def _words(executed: np.ndarray, params: HdpParams) -> tuple[np.ndarray, np.ndarray]:
    """Survivors in each word of the mask, and the cycle in which the walk is through with it: 2 to read it, 1 each."""
    if not len(executed):
        return np.zeros(0, int), np.zeros(0, int)
    counts = np.add.reduceat(executed.astype(int), range(0, len(executed), params.mask_word))
    return counts, 1 + np.cumsum(2 + np.maximum(counts, 1))


class SurvivorList:
    """Clock cycles of heads that are predicted and loaded to their rows in the queue ``listed``."""

    def __init__(self, clock: Clock, params: HdpParams, listed: Queue[RowJob]) -> None:
        self.clock, self.params, self.listed = clock, params, listed
        self.heads: deque[Head] = deque()
        self.head: Head | None = None  # that is walked over
        self.rows, self.busy = BlockRows(clock), False
        self.offer: RowJob | None = None
        self.used_slots = 0

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        if self.offer and not self.listed.full:
            row, self.offer = self.offer, None
            self.listed.push(row)
            self.clock.at(1, self._leave if row.last else self._go_on)
        elif not self.head and self.heads:
            self._start(self.heads[0])
        elif self.head and not self.busy and self.rows.row is not None:
            self._walk(self.head, self.rows.row)

    def free(self, n_slots: int) -> None:
        """Score slots come back."""
        self.used_slots -= n_slots

    def _start(self, head: Head) -> None:
        if not head.predicted or len(head.loaded) < len(STREAMS):
            return
        if head.plan.verdict != Verdict.ERROR:
            self.head = head
            self.rows.start(len(head.plan.visited))
        elif not self.listed.full:
            self.head = head
            self.listed.push(RowJob(head, 0, 0, True))
            self.clock.at(1, self._leave)

    def _walk(self, head: Head, row: int) -> None:
        """A row, once there are slots for all of its blocks."""
        plan = head.plan
        n_blocks = plan.existing[row]
        if self.used_slots + n_blocks > self.params.score_slots:
            return
        row, last = self.rows.take()
        executed = plan.executed[row, :n_blocks]
        self.busy = True
        n_tiles = int(np.count_nonzero(executed))
        job = RowJob(head, row, n_tiles, last)
        read_mask = plan.verdict != Verdict.PRUNED and not plan.full
        self.clock.at(offered_after(executed, read_mask, self.params), lambda: self._listed(job))

    def _listed(self, job: RowJob) -> None:
        self.used_slots += job.n_tiles
        self.offer = job

    def _go_on(self) -> None:
        self.busy = False

    def _leave(self) -> None:
        self.heads.popleft()
        self.head, self.busy = None, False
