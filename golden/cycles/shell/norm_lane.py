"""When a job's norm is through its lane."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from hdp_hw.golden.bits.shell.norm_lane import WORD_BYTES, targets
from hdp_hw.golden.bits.shell.write_traffic import Output
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.encoder.norm import Norm
from hdp_hw.golden.cycles.shell.burst_reader import BurstReader
from hdp_hw.golden.cycles.shell.norm_packer import NormPacker
from hdp_hw.golden.cycles.shell.row_writer import RowWriter
from hdp_hw.spec.formats import NORM_BYTES, NORM_SCALES_BYTES
from hdp_hw.spec.params import HdpParams, ceil_div


@dataclass(frozen=True, eq=False)
class NormPlan:
    """What the schedule takes of a norm: address and fields of its descriptor, exponent of each row's root."""

    address: int
    fields: Mapping[str, int]
    exponents: Sequence[int]


class NormLane:
    """Clock cycles of a legal norm from memory to memory. ``ended`` : all responses to its writes have come."""

    record, record_offered = None, True  # the writer's: none is written, and it may know at once

    def __init__(self, clock: Clock, params: HdpParams, plan: NormPlan) -> None:
        self.clock, self.params, self.plan = clock, params, plan
        fields = plan.fields
        self.reader = BurstReader(clock, params)
        self.writer = RowWriter(clock, params, self, params.bus_bytes)
        self.norm = Norm(clock, fields["features"], plan.exponents)
        written = bool(fields["words"]), bool(fields["operands"])
        self.packer = NormPacker(clock, params, self.norm, self.writer, *written)
        self.regions: deque[tuple[int, int]] = deque()  # address and bus words, 0 of a row that is passed over
        # Bus words that are taken, each in so many clock cycles: of the descriptor, of the scales, of a row of x on its
        # way to the memory, of a row.
        bus, n = params.bus_bytes, fields["features"]
        self.descriptor = [1] * (NORM_BYTES // bus)
        self.scales = _shares(n, bus // NORM_SCALES_BYTES) if bus > NORM_SCALES_BYTES else [1] * (8 * n // bus)
        self.row = _shares(n, bus // WORD_BYTES)
        self.row_of_x = [1] * len(self.row)
        self.state, self.index, self.rows_left = "idle", 0, fields["rows"]  # index: of a bus word
        self.ended = False

    def start(self) -> None:
        """The job engine starts it in this cycle."""
        self.reader.push((self.plan.address, len(self.descriptor)))
        self.clock.set(self, state="descriptor")

    def head_written(self) -> None:
        """The responses have come."""
        self.clock.set(self, ended=True)

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        self.reader.look()
        self.writer.look()
        self.norm.look()
        self.packer.look()
        if self.regions and (self.reader.ready or not self.regions[0][1]):
            if self.regions[0][1]:
                self.reader.push(self.regions[0])
            self.clock.at(1, self.regions.popleft)
        getattr(self, f"_{self.state}")()

    def _idle(self) -> None:
        """And while what was taken is on its way."""

    def _descriptor(self) -> None:
        if self.reader.words:
            self._take(self.descriptor, "check")

    def _check(self) -> None:
        self.clock.set(self, state="judge")

    def _judge(self) -> None:
        fields, params = self.plan.fields, self.params
        self.writer.outputs.push(Output(tuple(targets(fields, params).values()), fields["rows"]))
        n_words = ceil_div(fields["features"] * NORM_SCALES_BYTES, params.bus_bytes)
        regions = [(fields["scales_address"], n_words)]
        for row in range(fields["rows"]):
            regions.append((fields["x_address"] + row * fields["x_row_stride"], len(self.row)))
            of_y = fields["y_address"] + row * fields["y_row_stride"] if fields["b"] else 0
            regions.append((of_y, len(self.row) if fields["b"] else 0))
        self.clock.at(1, partial(self.regions.extend, regions))
        self.clock.set(self, state="scales")

    def _scales(self) -> None:
        if self.reader.words:
            self._take(self.scales, "row_of_x")

    def _row_of_x(self) -> None:
        if self.reader.words:
            self._take(self.row_of_x, "stored")

    def _stored(self) -> None:
        self.clock.set(self, state="rows")

    def _rows(self) -> None:
        reads_y = bool(self.plan.fields["b"])
        if self.norm.ready and (self.reader.words or not reads_y):
            last = self.index == len(self.row) - 1
            self.rows_left -= last
            self.norm.push(self._take(self.row, "row_of_x" if self.rows_left else "idle", reads_y))

    def _take(self, n_cycles: Sequence[int], following: str, pops: bool = True) -> int:
        """A bus word; returns the clock cycles that it takes.

        following : state behind the last; pops : it comes from the reader.
        """
        n, last = n_cycles[self.index], self.index == len(n_cycles) - 1
        state = following if last else self.state
        self.clock.set(self, state="idle")
        self.clock.at(n, partial(self._go, state, 0 if last else self.index + 1))
        if pops and n == 1:
            self.reader.pop()
        elif pops:
            self.clock.at(n - 1, self.reader.pop)
        return n

    def _go(self, state: str, index: int) -> None:
        self.state, self.index = state, index


def _shares(n: int, step: int) -> list[int]:
    """n elements, ``step`` at a time."""
    return [min(step, n - first) for first in range(0, n, step)]
