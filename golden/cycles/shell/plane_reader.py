"""When a reader delivers the words of segments."""

from typing import Protocol

from hdp_hw.golden.bits.shell.plane_reader import Segment, regions
from hdp_hw.golden.cycles.clock import BufferedQueue, Clock
from hdp_hw.golden.cycles.core.plane_loader import PlaneLoader
from hdp_hw.golden.cycles.shell.burst_reader import BurstReader
from hdp_hw.spec.depths import MAX_SEGMENTS
from hdp_hw.spec.params import HdpParams


class SegmentSource(Protocol):
    """What offers segments to a PlaneReader."""

    @property
    def segment(self) -> Segment | None:
        """On offer in this cycle."""

    def segment_taken(self) -> None:
        """In this cycle."""


class PlaneReader:
    """Clock cycles of segments to words of a plane.

    loader : PlaneLoader of the core, which takes the words.
    """

    def __init__(self, clock: Clock, params: HdpParams, loader: PlaneLoader, source: SegmentSource) -> None:
        self.clock, self.params, self.loader, self.source = clock, params, loader, source
        self.reader = BurstReader(clock, params)
        self.narrow = params.word_width <= params.bus_width
        widths = params.bus_width, params.word_width
        self.n_parts = max(widths) // min(widths)  # words of a bus word, or the reverse
        self.deliveries: BufferedQueue[Segment] = BufferedQueue(clock, MAX_SEGMENTS + 1)
        self.asked: Segment | None = None  # in the first stage
        self.measured: tuple[tuple[int, int], ...] | None = None  # regions of the segment in the second
        self.regions: tuple[tuple[int, int], ...] = ()  # on offer to the reader
        self.delivery: Segment | None = None
        self.words_left = self.rows_left = self.part = 0
        self.valid, self.last = False, 0  # the word at the output

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        self.reader.look()
        if self.source.segment or self.asked or self.measured or self.regions:
            self._ask()
        if self.delivery or self.valid or self.deliveries.readable:
            self._deliver()

    def _ask(self) -> None:
        segment = self.source.segment
        if segment and not self.asked and not self.deliveries.full:
            self.source.segment_taken()
            self.deliveries.push(segment)
            if not segment.zero:
                self.clock.set(self, asked=segment)
        goes = bool(self.regions) and self.reader.ready
        begins = self.measured is not None and (not self.regions or (goes and len(self.regions) == 1))
        if goes:
            self.reader.push(self.regions[0])
            self.clock.set(self, regions=self.regions[1:])
        if begins:
            self.clock.set(self, regions=self.measured, measured=None)
        if self.asked and (self.measured is None or begins):
            self.clock.set(self, measured=tuple(regions(self.asked, self.params)), asked=None)

    def _deliver(self) -> None:
        delivery, words_left, rows_left, part = self.delivery, self.words_left, self.rows_left, self.part
        taken = self.valid and self.loader.takes_beats
        free, emits, takes = taken or not self.valid, False, False
        if taken and self.last:
            self.loader.ends()
        if delivery and delivery.zero:
            emits = free
        elif delivery and self.reader.words:
            part_ends = part == self.n_parts - 1
            if self.narrow:
                emits, takes = free, free and (words_left == 1 or part_ends)
                part = 0 if takes else part + free
            else:
                emits, takes = free and part_ends, free or not part_ends
                part = (part + takes) % self.n_parts
        if takes:
            self.reader.pop()
        last = 0
        if delivery and emits:
            words_left -= 1
            if not words_left:
                words_left, rows_left = delivery.words, rows_left - 1
                if not rows_left:
                    last, delivery = delivery.last, None
        loads = not delivery and self.deliveries.head
        if loads:
            delivery = loads
            self.deliveries.pop()
            words_left, rows_left = delivery.words, delivery.n_rows
        if taken or emits or takes or loads:
            valid = emits if free else self.valid
            state = {"delivery": delivery, "words_left": words_left, "rows_left": rows_left, "part": part}
            self.clock.set(self, **state, valid=valid, last=last if emits else self.last)
