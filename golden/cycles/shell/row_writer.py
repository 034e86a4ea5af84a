"""When a head's output is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hdp_hw.golden.bits.shell.write_traffic import Output, Target, row_words
from hdp_hw.golden.cycles.clock import BufferedQueue, Clock, Queue
from hdp_hw.spec.depths import HEADS_AHEAD, HELD_BURSTS, HELD_WORDS, MAX_BURST_BEATS, OPEN_BURSTS
from hdp_hw.spec.formats import RECORD_BYTES
from hdp_hw.spec.params import HdpParams

if TYPE_CHECKING:
    from hdp_hw.golden.cycles.shell.core_lane import CoreLane
    from hdp_hw.golden.cycles.shell.norm_lane import NormLane


class RowWriter:
    """Clock cycles of output beats to bursts, and of their responses.

    lane : has ``record_offered``; ``record``, its address or None if it is not written; and ``head_written()``.
    out_lanes : operands of a beat, those of the core's unless given.
    """

    def __init__(
        self, clock: Clock, params: HdpParams, lane: CoreLane | NormLane, out_lanes: int | None = None
    ) -> None:
        self.clock, self.params, self.lane = clock, params, lane
        self.out_lanes = out_lanes or params.out_lanes
        beat_width = self.out_lanes * params.operand_width
        self.parts = max(1, beat_width // params.bus_width)  # bus words of a beat
        self.places = max(1, params.bus_width // beat_width)  # beats of a bus word
        self.outputs: Queue[Output] = Queue(clock, HEADS_AHEAD)  # Output of each head
        self.state, self.contiguous, self.target = "command", True, 0
        self.output: Output  # of the head in work
        self.beats_left = self.rows_left = self.place = self.index = 0
        # Words in the register, and whether a row, a run, a head ends with the last of them.
        self.words_left, self.ends, self.room = 0, (False,) * 3, True
        # The next word's address, those of the rows after it, in bus words; of which target; words of the burst so far.
        self.address, self.rows, self.following, self.count = 0, [0], 0, 0
        self.words: BufferedQueue[bool] = BufferedQueue(clock, HELD_WORDS)  # whether it is the last of a burst
        self.requests: BufferedQueue[int] = BufferedQueue(clock, HELD_BURSTS)  # words of each burst
        # (a burst, or none; a head ends)
        self.open_bursts: BufferedQueue[tuple[bool, bool]] = BufferedQueue(clock, OPEN_BURSTS)
        self.complete = 0  # bursts whose words are all held

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        margin = self.parts + 2
        room = self.words.level <= HELD_WORDS - margin and self.requests.level <= HELD_BURSTS - margin
        room = room and self.open_bursts.level <= OPEN_BURSTS - margin
        if room != self.room:
            self.clock.set(self, room=room)
        if self.words_left:
            self._build()
        if self.state != "rows":
            self._between_rows()
        ended = self.open_bursts.head
        if ended and not ended[0]:
            self._ended()

    def beat_taken(self) -> bool:
        """Takes the output beat that is offered in this cycle, or not; says which. After :meth:`look`."""
        if self.state != "rows" or not self.room or self.words_left > 1:
            return False
        row_ends, following = self.beats_left == 1, (self.target + 1) % len(self.output.targets)
        last_row = self.rows_left == 1 and not following
        complete = row_ends or self.place == self.places - 1
        self.clock.set(
            self,
            words_left=self.parts if complete else 0,
            ends=(row_ends, row_ends and (last_row or not self.contiguous), False),
            place=0 if complete else self.place + 1,
            beats_left=self.output.targets[following].beats if row_ends else self.beats_left - 1,
            rows_left=self.rows_left - (row_ends and not following),
            target=following if row_ends else self.target,
            state="record" if row_ends and last_row else "rows",
        )
        return True

    @property
    def record_taken(self) -> bool:
        """The record that is offered is taken in this cycle."""
        if self.lane.record is None:
            return self.state == "record" and not self.words_left and self.room
        return self.state == "write" and self.room and self.index == self._record_words - 1

    @property
    def offers_word(self) -> bool:
        """A word of a burst is offered in this cycle."""
        return bool(self.complete and self.words.readable)

    def pop_word(self) -> None:
        """The word is taken."""
        if self.words.pop():
            self.clock.at(1, lambda: self._complete(-1))

    @property
    def takes_response(self) -> bool:
        """A response can be taken in this cycle."""
        oldest = self.open_bursts.head
        return oldest is not None and oldest[0]

    def pop_response(self) -> None:
        """A response is taken."""
        self._ended()

    @property
    def _record_words(self) -> int:
        return RECORD_BYTES // self.params.bus_bytes

    def _between_rows(self) -> None:
        """The head's command, and its record."""
        if self.state == "command" and self.outputs.head:
            self.clock.set(self, output=self.outputs.pop(), state="start")
        elif self.state == "start":
            first, *others = self.output.targets
            self._start(*self.output.targets)
            n_bytes = row_words(first.beats, self.params, self.out_lanes) * self.params.bus_bytes
            contiguous = n_bytes == first.row_stride and not others
            rows = {"beats_left": first.beats, "rows_left": self.output.n_rows, "place": 0, "target": 0}
            self.clock.set(self, **rows, contiguous=contiguous, state="rows")
        elif self.state == "record" and self.lane.record_offered and not self.words_left:
            if self.lane.record is not None:
                self._start(Target(self.lane.record, 0, 0))
                self.clock.set(self, index=0, state="write")
            elif self.room:
                self.open_bursts.push((False, True))
                self.clock.set(self, state="command")
        elif self.state == "write" and self.room:
            last = self.index == self._record_words - 1
            ends = (False, last, last)
            self.clock.set(self, index=self.index + 1, words_left=1, ends=ends, state="command" if last else "write")

    def _start(self, *targets: Target) -> None:
        first, *others = targets
        rows = [first.row(1), *(target.address for target in others)]
        at = [address // self.params.bus_bytes for address in (first.address, *rows)]
        self.clock.set(self, address=at[0], rows=at[1:], following=1 % len(targets))

    def _build(self) -> None:
        """A word from the register to its burst."""
        row_ends, run_ends, head_ends = self.ends if self.words_left == 1 else (False,) * 3
        ends = run_ends or self.address % MAX_BURST_BEATS == MAX_BURST_BEATS - 1
        self.words.push(ends)
        if ends:
            self.requests.push(self.count + 1)
            self.open_bursts.push((True, head_ends))
            self.clock.at(2, lambda: self._complete(1))
        following: dict[str, Any] = {"address": self.address + 1}
        if row_ends:
            number, rows = self.following, list(self.rows)
            following = {"address": rows[number], "following": (number + 1) % len(rows), "rows": rows}
            rows[number] += self.output.targets[number].row_stride // self.params.bus_bytes
        self.clock.set(self, **following, words_left=self.words_left - 1, count=0 if ends else self.count + 1)

    def _complete(self, n: int) -> None:
        self.complete += n

    def _ended(self) -> None:
        """The oldest open burst, or a head without a record, has ended."""
        if self.open_bursts.pop()[1]:
            self.clock.at(1, self.lane.head_written)
