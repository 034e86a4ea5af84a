"""Sums of a block row's context: over the columns of a tile, then over the tiles of the row."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import adder_tree, delay
from hdp_hw.spec.timing import tree_latency


class RowAccumulator(wiring.Component):
    """A slice of sums over T terms each, accumulated from ``i_first`` to ``i_last``.

    One per query row of the array adds P[r, c] * V[c] over c and over the survivors of the row; one more adds the
    kept V rows themselves, for compensation.

    Parameters
    ----------
    params : HdpParams
    term_width : int
        Signed bits of a term.
    width : int
        Signed bits of a sum.

    Ports
    -----
    i_valid : In(unsigned(1))
        The tile array gives terms.
    i_first : In(unsigned(1))
        With ``i_valid``: the first terms of a sum.
    i_last : In(unsigned(1))
        With ``i_valid``: the last terms of a sum.
    i_terms : In(data.ArrayLayout(data.ArrayLayout(signed(self.term_width), params.slice_width), params.tile))
        For each column of the tile, the slice's elements.
    o_valid : Out(unsigned(1))
        A sum is complete.
    o_sums : Out(data.ArrayLayout(signed(self.width), params.slice_width))
        With ``o_valid``: the sum of each element of the slice.

    Timing
    ------
    ``o_valid`` comes ``latency`` clock cycles after the terms with ``i_last``; one set of terms per clock cycle, the
    next sum may start in the cycle after ``i_last``, no back-pressure.

    Numerics
    --------
    Exact while ``width`` holds the sum. Golden twins ``golden.bits.array.tile_array.context`` and ``value_sums``.
    """

    def __init__(self, params, term_width, width):
        self.params, self.term_width, self.width = params, term_width, width
        terms = data.ArrayLayout(signed(term_width), params.slice_width)
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_first": In(unsigned(1)),
                "i_last": In(unsigned(1)),
                "i_terms": In(data.ArrayLayout(terms, params.tile)),
                "o_valid": Out(unsigned(1)),
                "o_sums": Out(data.ArrayLayout(signed(width), params.slice_width)),
            }
        )

    @property
    def latency(self):
        """Clock cycles from the last terms to the sums."""
        return tree_latency(self.params.tile, 1) + 1

    def elaborate(self, platform):
        m = Module()
        tree = tree_latency(self.params.tile, 1)
        valid = delay(m, self.i_valid, tree, "valid", local=True)
        first = delay(m, self.i_first, tree, "first", local=True)
        last = delay(m, self.i_last, tree, "last")
        m.d.sync += self.o_valid.eq(valid & last)
        for i in range(self.params.slice_width):
            column_sum = adder_tree(m, [self.i_terms[c][i] for c in range(self.params.tile)], 1, f"sum_{i}")
            sums = Signal(signed(self.width), name=f"accumulator_{i}")
            with m.If(valid):
                m.d.sync += sums.eq(Mux(first, 0, sums) + column_sum)
            m.d.comb += self.o_sums[i].eq(sums)
        return m
