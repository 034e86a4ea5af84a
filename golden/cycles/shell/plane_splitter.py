"""When rows of operands leave as rows of digits."""

from collections import deque

from hdp_hw.golden.cycles.clock import BufferedQueue, Clock
from hdp_hw.golden.cycles.shell.row_writer import RowWriter
from hdp_hw.spec.params import HdpParams, ceil_div


class PlaneSplitter:
    """Clock cycles of output beats on their way to a RowWriter."""

    def __init__(self, clock: Clock, params: HdpParams, writer: RowWriter) -> None:
        self.clock, self.writer = clock, writer
        self.heads: deque[tuple[bool, int, int]] = deque()  # whether it is split, beats of a row, rows
        self.state, self.index, self.row = "integers", 0, 0  # of the beat and the row that come next
        longest = max(params.max_head_dim, params.max_seq_len)
        # Beats of fraction digits, and whether a row ends with them.
        self.fractions: BufferedQueue[bool] = BufferedQueue(clock, max(2, ceil_div(longest, 2 * params.out_lanes)))

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        if self.state == "integers" or self.fractions.head is None:
            return
        if not self.writer.beat_taken():
            self.clock.wake(1)
        elif self.fractions.pop():
            self.clock.set(self, state="integers")

    def beat_taken(self) -> bool:
        """Takes the output beat that is offered in this cycle, or not; says which. After the writer's look."""
        if self.state != "integers":
            return False
        planes, beats, n_rows = self.heads[0]
        ends = self.index == beats - 1
        complete = not planes or ends or self.index % 2 == 1
        if complete and not self.writer.beat_taken():
            return False
        if planes and complete:
            self.fractions.push(ends)
        if ends and self.row == n_rows - 1:
            self.clock.at(1, self.heads.popleft)
        row = (self.row + ends) % n_rows
        state = "fractions" if planes and ends else "integers"
        self.clock.set(self, index=0 if ends else self.index + 1, row=row, state=state)
        return True
