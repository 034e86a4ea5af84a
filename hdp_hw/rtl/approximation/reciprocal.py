"""Reciprocal of a positive integer."""

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.tables import RECIPROCAL_FRACTION, reciprocal_bits, reciprocal_segment_bits, reciprocal_table
from hdp_hw.spec.timing import RECIPROCAL_LATENCY


class Reciprocal(wiring.Component):
    """``1 / x`` as a mantissa and a shift, by a table of linear segments [paper: linear reciprocal].

    ``x`` is shifted left by ``o_s`` until its top bit is set, and with ``y`` in [1, 2) the fixed-point number that
    this is, ``o_r`` is ``2^R / y``: ``base - slope * f``, base and slope by the leading bits of y, f the bits that
    follow. So ``1 / x ~ o_r * 2^(o_s - (width - 1) - R)``. R is ``reciprocal_bits``.

    Parameters
    ----------
    params : HdpParams
    width : int
        Bits of x: ``normalised_width`` for a softmax denominator.

    Ports
    -----
    i_valid : In(unsigned(1))
        An integer enters.
    i_x : In(unsigned(self.width))
        The integer.
    o_valid : Out(unsigned(1))
        Its reciprocal leaves.
    o_r : Out(unsigned(self.r_width))
        Mantissa, 2^(R-1) to 2^R; 0 for x = 0.
    o_s : Out(unsigned(self.s_width))
        Places by which x was shifted to the left.

    Timing
    ------
    Latency ``latency`` = 5 clock cycles, initiation interval 1, no back-pressure. ``i_x`` should come straight from a
    register.

    Numerics
    --------
    ``x = 0`` gives ``o_r = 0`` and ``o_s = width``. Golden twin ``golden.bits.approximation.reciprocal``. Relative
    error -0.19 % to 0.29 % for w = 4, -0.003 % to 0.013 % for w = 8 (tb/model/test_approximation.py).
    """

    latency = RECIPROCAL_LATENCY  # two of the shift, table, product, subtraction

    def __init__(self, params, width):
        self.params, self.width = params, width
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_x": In(unsigned(width)),
                "o_valid": Out(unsigned(1)),
                "o_r": Out(unsigned(self.r_width)),
                "o_s": Out(unsigned(self.s_width)),
            }
        )

    @property
    def r_width(self):
        """Bits of ``o_r``, 0 to 2^R."""
        return reciprocal_bits(self.params.digit_width) + 1

    @property
    def s_width(self):
        """Bits of ``o_s``, 0 to ``width``."""
        return bits_for(self.width)

    @property
    def _slope_width(self):
        """Bits of a segment's slope."""
        return bits_for(max(slope for _, slope in reciprocal_table(self.params.digit_width)))

    def elaborate(self, platform):
        m = Module()
        # Normalise: halve the number of possible leading zeros, a few times; after a register, shift by the rest.
        y, places, powers = self.i_x, [], [2**k for k in reversed(range(bits_for(self.width - 1)))]
        for power in powers[: len(powers) // 2]:
            empty = ~y[-power:].any()
            y, places = Mux(empty, y << power, y)[: self.width], [empty, *places]
        y, places = (register(m, value, name) for value, name in ((y, "coarse"), (Cat(places), "places")))
        rest = Signal(len(powers) - len(places), name="rest")
        m.d.comb += rest.eq(-1)
        for zeros in range((1 << len(rest)) - 1):
            with m.If(y[-1 - zeros]) if zeros == 0 else m.Elif(y[-1 - zeros]):
                m.d.comb += rest.eq(zeros)
        s = register(m, Cat(rest, places), "shift")
        y = register(m, (y << rest)[: self.width], "normalised")
        exists = y[-1]

        # The bits below the leading one: a segment and a position in it. A narrow x only ever meets some segments.
        segment_bits = reciprocal_segment_bits(self.params.digit_width)
        position = Cat(C(0, segment_bits + RECIPROCAL_FRACTION), y[:-1])[-segment_bits - RECIPROCAL_FRACTION :]
        known_bits = min(segment_bits, self.width - 1)
        table = reciprocal_table(self.params.digit_width)[:: 1 << (segment_bits - known_bits)]
        segment = position[-known_bits:]
        bases, slopes = (Array(column)[segment] for column in zip(*table))
        base = register(m, Mux(exists, bases, 0)[: self.r_width], "base")
        slope = register(m, Mux(exists, slopes, 0)[: self._slope_width], "slope")
        f = register(m, position[:RECIPROCAL_FRACTION], "f")

        # slope * f by halves of f: short adders before and after the register, and no hardware multiplier.
        base = register(m, base, "base_late")
        half = RECIPROCAL_FRACTION // 2
        low, high = (register(m, slope * part, f"fall_{index}") for index, part in enumerate((f[:half], f[half:])))
        m.d.comb += [
            self.o_r.eq(register(m, (base - (((low >> half) + high) >> half))[: self.r_width], "r")),
            self.o_s.eq(delay(m, Mux(exists, s, self.width), 3, "s", reset_less=True)),
        ]
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m
