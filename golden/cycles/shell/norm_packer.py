"""When results of Norm are rows of bus words."""

from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.encoder.norm import Norm
from hdp_hw.golden.cycles.shell.row_writer import RowWriter
from hdp_hw.spec.encoder import WORD_WIDTH
from hdp_hw.spec.params import HdpParams, ceil_div


class NormPacker:
    """Clock cycles of a Norm's results to the bus words that a RowWriter takes.

    words, operands : whether rows of words, and of digits, are made.
    """

    def __init__(
        self, clock: Clock, params: HdpParams, norm: Norm, writer: RowWriter, words: bool, operands: bool
    ) -> None:
        self.clock, self.norm, self.writer, self.words, self.operands = clock, norm, writer, words, operands
        self.words_in, self.digits_in = params.bus_width // WORD_WIDTH, params.bus_width // params.digit_width
        self.n_digits = 2 * ceil_div(norm.n, self.digits_in)  # bus words of a row's digits
        self.state, self.place, self.given = "results", 0, 0
        self.pads = self.words_ended = self.full = False

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`; after its writer."""
        if self.state == "digits":
            if self.writer.beat_taken():
                given = (self.given + 1) % self.n_digits
                self.clock.set(self, given=given, state="read" if given else "results")
            return
        taken = self.full and self.writer.beat_taken()
        if taken:
            self.clock.set(self, full=False)
        if self.state == "read":
            if not self.full:
                self.clock.set(self, state="digits")
        elif (taken or not self.full) and (self.pads or self.norm.results):
            self._shift(self.pads or self.norm.pop())

    def _shift(self, last: bool) -> None:
        """An element is shifted into the bus words; last : behind it are only zeros in the row."""
        place = self.place + 1
        word_ends, digits_end = place % self.words_in == 0, place == self.digits_in
        ends = last and digits_end
        state = {"words_ended": (self.words_ended or (word_ends and last)) and not ends}
        if self.words and word_ends and not self.words_ended:
            state["full"] = True
        if ends and self.operands:
            self.clock.set(self, state="read")
        self.clock.set(self, place=place % self.digits_in, pads=last and not ends, **state)
