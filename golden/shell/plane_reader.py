"""What a reader delivers for segments, which regions of memory it reads for that, and when."""

from dataclasses import dataclass

import numpy as np

from golden.clock import BufferedQueue
from golden.shell.burst_reader import BurstReader
from hdp_hw.depths import MAX_SEGMENTS
from hdp_hw.params import ceil_div


@dataclass(frozen=True)
class Segment:
    """Rows of a plane: ``n_rows`` of ``words`` core words, ``row_stride`` bytes apart; or as many zeros."""

    address: int
    row_stride: int
    n_rows: int
    words: int
    zero: int = 0
    key: int = 0
    last: int = 0


def row_beats(words, params):
    """Bus words that a row of ``words`` core words occupies."""
    return ceil_div(words * params.word_width, params.bus_width)


def regions(segment, params):
    """``[(address, bus words)]`` that are read for a segment: one for all rows if there is no gap between them."""
    beats = row_beats(segment.words, params)
    if segment.zero:
        return []
    if segment.row_stride == beats * params.bus_bytes:
        return [(segment.address, segment.n_rows * beats)]
    return [(segment.address + row * segment.row_stride, beats) for row in range(segment.n_rows)]


def words(read, segments, params):
    """``[(data, key, last)]`` for segments; ``read(address, n_bytes)`` returns the memory's bytes."""
    delivered, word_bytes = [], params.word_width // 8
    for segment in segments:
        rows = np.zeros((segment.n_rows, segment.words * word_bytes), np.uint8)
        if not segment.zero:
            for row, data in enumerate(rows):
                data[:] = np.frombuffer(read(segment.address + row * segment.row_stride, data.size), np.uint8)
        data = [int.from_bytes(word.tobytes(), "little") for word in rows.reshape(-1, word_bytes)]
        delivered += [(word, segment.key, int(segment.last and k == len(data) - 1)) for k, word in enumerate(data)]
    return delivered


class PlaneReader:
    """Clock cycles of segments to words of a plane.

    core : CoreSchedule; plane : a name of its planes; source : has the ``segment`` on offer, or None, and
    ``segment_taken()``.
    """

    def __init__(self, clock, params, core, plane, source):
        self.clock, self.params, self.core, self.plane, self.source = clock, params, core, plane, source
        self.reader = BurstReader(clock, params)
        self.narrow = params.word_width <= params.bus_width
        widths = params.bus_width, params.word_width
        self.n_parts = max(widths) // min(widths)  # words of a bus word, or the reverse
        self.deliveries = BufferedQueue(clock, MAX_SEGMENTS + 1)
        self.asked = self.measured = None  # the segment in the first stage, regions of the one in the second
        self.regions = ()  # on offer to the reader
        self.delivery, self.words_left, self.rows_left, self.part = None, 0, 0, 0
        self.valid = self.last = False  # the word at the output

    def look(self):
        """See :class:`golden.clock.Clock`."""
        self.reader.look()
        if self.source.segment or self.asked or self.measured or self.regions:
            self._ask()
        if self.delivery or self.valid or self.deliveries.readable:
            self._deliver()

    def _ask(self):
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

    def _deliver(self):
        delivery, words_left, rows_left, part = self.delivery, self.words_left, self.rows_left, self.part
        taken = self.valid and self.core.takes_beats[self.plane]
        free, emits, takes = taken or not self.valid, False, False
        if taken and self.last:
            self.core.plane_ends(self.plane)
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
        last = False
        if emits:
            words_left -= 1
            if not words_left:
                words_left, rows_left = delivery.words, rows_left - 1
                if not rows_left:
                    last, delivery = delivery.last, None
        loads = not delivery and self.deliveries.head
        if loads:
            delivery = self.deliveries.pop()
            words_left, rows_left = delivery.words, delivery.n_rows
        if taken or emits or takes or loads:
            valid = emits if free else self.valid
            state = {"delivery": delivery, "words_left": words_left, "rows_left": rows_left, "part": part}
            self.clock.set(self, **state, valid=valid, last=last if emits else self.last)
