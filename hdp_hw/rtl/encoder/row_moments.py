"""Mean and variance of a row of words."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.spec.encoder import EPSILON_WIDTH, MAX_FEATURES, WORD_WIDTH
from hdp_hw.spec.params import bits_for

N_WIDTH = bits_for(MAX_FEATURES)  #: of a row's number of elements
TOTAL_WIDTH = N_WIDTH + WORD_WIDTH  #: signed bits of a row's sum
SQUARES_WIDTH = N_WIDTH + 2 * WORD_WIDTH - 1  #: unsigned bits of the sum of its squares
VARIANCE_WIDTH = EPSILON_WIDTH + 1  #: unsigned bits of n^2 variance + epsilon
MEAN_WIDTH = WORD_WIDTH + 2  #: signed bits of twice the mean


class RowMoments(wiring.Component):
    """``V = n * squares - total^2 + epsilon`` and ``m = floor((4 total + n) / 2n)``, a bit at a time.

    V is n^2 times the variance of a row of n words, with epsilon in its units; m is twice its mean, rounded. For
    RMSNorm V is without ``total^2`` and m is 0. No multiplier: one adder of each result serves all of its steps.

    Ports
    -----
    i_start : In(unsigned(1))
        A row's sums are there; not before ``o_done`` of the row before.
    i_n : In(unsigned(N_WIDTH))
        Elements of the row, at least 2.
    i_total : In(signed(TOTAL_WIDTH))
        With ``i_start``: their sum.
    i_squares : In(unsigned(SQUARES_WIDTH))
        With ``i_start``: the sum of their squares.
    i_epsilon : In(unsigned(EPSILON_WIDTH))
        With ``i_start``: what is added to n^2 times the variance.
    i_rms : In(unsigned(1))
        With ``i_start``: the mean is taken for 0.
    o_done : Out(unsigned(1))
        The results are there, and stay until the next ``i_start``.
    o_variance : Out(unsigned(VARIANCE_WIDTH))
        From ``o_done`` on: V.
    o_mean : Out(signed(MEAN_WIDTH))
        From ``o_done`` on: m.

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
                "i_total": In(signed(TOTAL_WIDTH)),
                "i_squares": In(unsigned(SQUARES_WIDTH)),
                "i_epsilon": In(unsigned(EPSILON_WIDTH)),
                "i_rms": In(unsigned(1)),
                "o_done": Out(unsigned(1)),
                "o_variance": Out(unsigned(VARIANCE_WIDTH)),
                "o_mean": Out(signed(MEAN_WIDTH)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        step = Signal(range(self.latency))  # counts down
        total = Signal(signed(TOTAL_WIDTH))
        m.d.comb += total.eq(Mux(self.i_rms, 0, self.i_total))
        with m.If(self.i_start):
            m.d.sync += step.eq(self.latency - 1)
        with m.Elif(step != 0):
            m.d.sync += step.eq(step - 1)
        m.d.sync += self.o_done.eq(step == 1)
        self._variance(m, step, total)
        self._mean(m, total)
        return m

    def _variance(self, m, step, total):
        """First ``n * squares`` is added by the bits of n, then ``|total|^2`` subtracted by those of ``|total|``."""
        magnitude = Signal(TOTAL_WIDTH)
        term, bits = Signal(VARIANCE_WIDTH), Signal(TOTAL_WIDTH)
        squares = step > TOTAL_WIDTH
        m.d.sync += [term.eq(term << 1), bits.eq(bits >> 1)]
        with m.If(bits[0] & (step != 0)):
            change = Mux(squares, term, ~term)
            m.d.sync += self.o_variance.eq(self.o_variance + change + ~squares)
        with m.If(step == TOTAL_WIDTH + 1):
            m.d.sync += [term.eq(magnitude), bits.eq(magnitude)]
        with m.If(self.i_start):
            m.d.sync += [
                magnitude.eq(Mux(total < 0, -total, total)),
                term.eq(self.i_squares),
                bits.eq(self.i_n),
                self.o_variance.eq(self.i_epsilon),
            ]

    def _mean(self, m, total):
        """Division by subtraction. 2^16 is added to the quotient, which is not negative then."""
        bias = 1 << (MEAN_WIDTH - 2)
        rest = Signal(N_WIDTH + MEAN_WIDTH + 1)
        divisor = Signal(N_WIDTH + MEAN_WIDTH)
        quotient, left = Signal(MEAN_WIDTH), Signal(range(MEAN_WIDTH + 1))
        fits = rest >= divisor
        with m.If(left != 0):
            m.d.sync += [
                quotient.eq(Cat(fits, quotient)),
                rest.eq(Mux(fits, rest - divisor, rest)),
                divisor.eq(divisor >> 1),
                left.eq(left - 1),
            ]
        with m.If(self.i_start):
            m.d.sync += [
                rest.eq(Mux(self.i_rms, 0, (total << 2) + self.i_n) + (self.i_n * (2 * bias))),
                divisor.eq(Cat(C(0, MEAN_WIDTH), self.i_n)),
                left.eq(MEAN_WIDTH),
            ]
        m.d.comb += self.o_mean.eq(quotient - bias)
