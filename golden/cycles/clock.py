"""Simulated clock cycles of blocks that mirror the hardware's.

Blocks look at the state that all registers have in a cycle, and what they begin changes that state in later cycles.
Cycles in which nothing changes are skipped, so the effort goes with what happens, not with the time that passes.
"""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any, Generic, Protocol, TypeVar

Item = TypeVar("Item")


class Block(Protocol):
    """What looks at the state in each cycle in which one changed."""

    def look(self) -> None: ...


class Clock:
    """Time, and what will happen. ``blocks`` have a ``look()``, called in each cycle in which a state changed."""

    def __init__(self) -> None:
        self.now = 0
        self.blocks: list[Block] = []
        self._next: list[Callable[[], object]] = []
        self._later: list[tuple[int, int, Callable[[], object]]] = []
        self._order = count()

    def at(self, delay: int, action: Callable[[], object]) -> None:
        """Call ``action`` ``delay`` cycles from now, 1 at least, before any block looks at the state."""
        if delay == 1:
            self._next.append(action)
        else:
            heapq.heappush(self._later, (self.now + delay, next(self._order), action))

    def wake(self, delay: int) -> None:
        """Let the blocks look ``delay`` cycles from now, though no state changes then."""
        self.at(delay, _nothing)

    def set(self, block: object, **state: Any) -> None:
        """Change attributes of a block in the next cycle."""
        self._next.append(lambda: block.__dict__.update(state))

    def run(self) -> None:
        """Until nothing happens any more."""
        while True:
            for block in self.blocks:
                block.look()
            if not self._next and not self._later:
                return
            self.now = self.now + 1 if self._next else self._later[0][0]
            due, self._next = self._next, []
            while self._later and self._later[0][0] == self.now:
                due.append(heapq.heappop(self._later)[2])
            for action in due:
                action()


def _nothing() -> None:
    pass


class Queue(Generic[Item]):
    """A FIFO of ``depth`` items. ``level`` of them are inside."""

    latency = 1  #: from an item's coming to when it can be read

    def __init__(self, clock: Clock, depth: int) -> None:
        self.clock, self.depth, self.level = clock, depth, 0
        self.readable: deque[Item] = deque()

    @property
    def full(self) -> bool:
        """Takes no item in this cycle."""
        return self.level == self.depth

    @property
    def head(self) -> Item | None:
        """The item that can be read in this cycle, or None."""
        return self.readable[0] if self.readable else None

    def push(self, item: Item) -> None:
        """An item comes in this cycle."""

        def arrive() -> None:
            self.level += 1

        self.clock.at(1, arrive)
        self.clock.at(self.latency, lambda: self.readable.append(item))

    def pop(self) -> Item:
        """The item that is read in this cycle."""

        def leave() -> None:
            self.level -= 1
            self.readable.popleft()

        self.clock.at(1, leave)
        return self.readable[0]


class BufferedQueue(Queue[Item]):
    """A FIFO in a block RAM, the last of whose ``depth`` items is in a register behind it."""

    latency = 2

    @property
    def full(self) -> bool:
        """Takes no item in this cycle."""
        return self.level - bool(self.readable) == self.depth - 1
