"""Mean and variance of a row of words."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.spec.encoder import EPSILON_WIDTH, MAX_FEATURES, WORD_WIDTH
from hdp_hw.spec.params import bits_for

N_WIDTH = bits_for(MAX_FEATURES)  #: of a row's number of elements
TOTAL_WIDTH = N_WIDTH + WORD_WIDTH  #: unsigned bits of a row's sum
SQUARES_WIDTH = N_WIDTH + 2 * WORD_WIDTH  #: unsigned bits of the sum of its squares
VARIANCE_WIDTH = EPSILON_WIDTH + 1  #: unsigned bits of n^2 variance + epsilon
MEAN_WIDTH = WORD_WIDTH + 2  #: unsigned bits of four times the mean


class RowMoments(wiring.Component):
    """``V = n * squares - total^2 + epsilon`` and ``m = floor(4 total / n)``, a bit at a time.

    V is n^2 times the variance of a row of n unsigned words, with epsilon in its units, or with a total of 0 n times
    the sum of squares; m is four times its mean. No multiplier: V grows by its highest bits first, and one adder serves
    all of its steps; the bits of the total are those that are divided, too.

    Ports
    -----
    i_start : In(unsigned(1))
        A row's sums are there; not before ``o_done`` of the row before.
    i_n : In(unsigned(N_WIDTH))
        Elements of the row, at least 2. Holds still from ``i_start`` to ``o_done``.
    i_total : In(unsigned(TOTAL_WIDTH))
        Their sum, or 0 if the mean is taken for 0. Holds still likewise.
    i_squares : In(unsigned(SQUARES_WIDTH))
        The sum of their squares. Holds still likewise.
    i_epsilon : In(unsigned(EPSILON_WIDTH))
        What is added to n^2 times the variance. Holds still likewise.
    o_done : Out(unsigned(1))
        The results are there, and stay until the next ``i_start``.
    o_variance : Out(unsigned(VARIANCE_WIDTH))
        From ``o_done`` on: V.
    o_mean : Out(unsigned(MEAN_WIDTH))
        From the clock cycle after ``o_done`` on: m.

    Timing
    ------
    ``o_done`` comes ``latency`` = 41 clock cycles after ``i_start``.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.encoder.norm`` (variances).
    """

    latency = N_WIDTH + TOTAL_WIDTH + 1

    def __init__(self):
        super().__init__(
            {
                "i_start": In(unsigned(1)),
                "i_n": In(unsigned(N_WIDTH)),
                "i_total": In(unsigned(TOTAL_WIDTH)),
                "i_squares": In(unsigned(SQUARES_WIDTH)),
                "i_epsilon": In(unsigned(EPSILON_WIDTH)),
                "o_done": Out(unsigned(1)),
                "o_variance": Out(unsigned(VARIANCE_WIDTH)),
                "o_mean": Out(unsigned(MEAN_WIDTH)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Chosen one clock cycle ahead of its step, so that no adder waits for it: the bit of total at ``place``, from
        # the highest down, and behind it, where n has a bit there, that of n.
        place, adds, more = Signal(range(TOTAL_WIDTH), init=TOTAL_WIDTH - 1), Signal(), Signal()
        chooses, lowest, both = self.i_start | more, place == 0, place < N_WIDTH
        with m.If(chooses):
            m.d.sync += adds.eq(both & ~adds)
            with m.If(adds | ~both):
                m.d.sync += place.eq(Mux(lowest, TOTAL_WIDTH - 1, place - 1))
        m.d.sync += more.eq(chooses & ~(adds & lowest))
        steps, doubles, bit, of_epsilon, of_n, divides = (
            delay(m, value, 1, name)
            for name, value in {
                "steps": chooses,
                "doubles": ~adds,
                "bit": chooses & ~adds & self.i_total.bit_select(place, 1),
                "of_epsilon": self.i_epsilon.bit_select(place, 1),
                "of_n": adds & self.i_n.bit_select(place[: bits_for(N_WIDTH - 1)], 1),
                "divides": ~adds | lowest,
            }.items()
        )
        m.d.sync += self.o_done.eq(steps & ~more)
        self._variance(m, steps, doubles, bit, of_epsilon, of_n)
        self._mean(m, (steps & divides) | self.o_done, bit)
        return m

    def _variance(self, m, steps, doubles, bit, of_epsilon, of_n):
        """V doubles, takes the next bit of epsilon and loses the total if its bit is 1; or takes squares if n's is."""
        v = self.o_variance
        term = Mux(bit, ~Cat(self.i_total, 0).as_signed(), Mux(of_n, self.i_squares, 0))
        before = Mux(doubles, Cat(of_epsilon, v), v)
        with m.If(steps):
            m.d.sync += v.eq((Cat(1, before) + Cat(bit, term).as_signed()) >> 1)
        with m.If(self.i_start):
            m.d.sync += v.eq(self.i_epsilon >> TOTAL_WIDTH)

    def _mean(self, m, divides, bit):
        """Division by subtraction: of the bits of total, and of two zeros in the two clock cycles behind the lowest."""
        rest, difference = Signal(N_WIDTH), Signal(signed(N_WIDTH + 2))
        doubled = Cat(bit, rest)
        m.d.comb += difference.eq(doubled - self.i_n)
        with m.If(divides):
            m.d.sync += [
                rest.eq(Mux(difference < 0, doubled, difference)),
                self.o_mean.eq(Cat(difference >= 0, self.o_mean)),
            ]
        with m.If(self.i_start):
            m.d.sync += rest.eq(0)
