"""2 x 2 scores of a tile, from one hardware multiplication a lane."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.array.operand_packer import field_width, packed_width
from hdp_hw.rtl.common.pipeline import register
from hdp_hw.spec.timing import tree_latency


class SubTile(wiring.Component):
    """``lanes`` multiplications a cycle: of INTEGER four products of digits each, of FULL and CONTEXT one of operands.

    The product of packed operands ``a0 + (a1 << field)`` and ``b0 + (b1 << 2 * field)`` has a field for each of a0*b0,
    a1*b0, a0*b1, a1*b1. Sign extension moves them a bit further apart without changing a value, so that one adder adds
    all four; a field is one too low where what stands below it is negative. INTEGER sums the fields over all lanes.
    FULL sums the products of quarter q of the lanes for score (q / 2, q % 2), by the same adders: bits of a product are
    fields too, whose sums are put together again. In CONTEXT the products are elements of P.V.
    Tiles of INTEGER accumulate to A, tiles of FULL to Q.K^T.

    Parameters
    ----------
    params : HdpParams
        With ``multiplier`` = 18.

    Ports
    -----
    i_left : In(data.ArrayLayout(signed(packed_width(params, "left")), params.lanes))
        The packer of two query rows gives what each lane multiplies; 0 in CONTEXT.
    i_right : In(data.ArrayLayout(signed(packed_width(params, "right")), params.lanes))
        The packer of two columns gives what each lane multiplies it by.
    i_weight : In(data.ArrayLayout(data.ArrayLayout(unsigned(params.operand_width - 1), 2), 2))
        The tile array gives weights P of the 2 x 2 keys and queries in CONTEXT, else 0.
    o_elements : Out(data.ArrayLayout(data.ArrayLayout(self.slice, 2), 2))
        For CONTEXT: products of a weight and a slice of V, ``elements_latency`` after the operands.
    i_valid : In(unsigned(1))
        ``sum_latency`` after its operands, the tile array names a micro-operation of INTEGER or FULL.
    i_full : In(unsigned(1))
        Its mode is FULL, one clock cycle before ``i_valid``.
    i_first : In(unsigned(1))
        With ``i_valid``: it is the first of a tile.
    o_scores : Out(data.ArrayLayout(data.ArrayLayout(signed(params.sum_width), 2), 2))
        The sums since the last ``i_first``, one clock cycle after ``i_valid``.

    Timing
    ------
    Initiation interval 1, no back-pressure. Registers before and after each multiplication, and nothing else, so that
    they can be those of the hardware multiplier.

    Numerics
    --------
    Exact for digits within +- (2^(w-1) - 1). Golden twin ``golden.bits.array.tile_array.sub_tile``.
    """

    elements_latency = 2

    def __init__(self, params):
        self.params = params
        left, right = (data.ArrayLayout(signed(packed_width(params, side)), params.lanes) for side in ("left", "right"))
        self.slice = data.ArrayLayout(signed(2 * params.operand_width), params.slice_width)

        def of_pairs(shape):
            return data.ArrayLayout(data.ArrayLayout(shape, 2), 2)

        super().__init__(
            {
                "i_left": In(left),
                "i_right": In(right),
                "i_weight": In(of_pairs(unsigned(params.operand_width - 1))),
                "o_elements": Out(of_pairs(self.slice)),
                "i_valid": In(unsigned(1)),
                "i_full": In(unsigned(1)),
                "i_first": In(unsigned(1)),
                "o_scores": Out(of_pairs(signed(params.sum_width))),
            }
        )

    @property
    def sum_latency(self):
        """Clock cycles from operands to their sums, at the accumulators."""
        return self.elements_latency + tree_latency(self.params.lanes, 1) + 1

    def elaborate(self, platform):
        m = Module()
        lanes, quarter, field = self.params.lanes, self.params.slice_width, field_width(self.params)
        products = []
        for lane in range(lanes):
            q = lane // quarter
            left = register(m, self.i_left[lane] | self.i_weight[q // 2][q % 2], f"left_{lane}", local=True)
            right = register(m, self.i_right[lane], f"right_{lane}", local=True)
            products.append(register(m, (left * right)[: 4 * field], f"product_{lane}"))

        quarters, fields = self._sums(m, products)
        for r in range(2):
            for c in range(2):
                elements = self.o_elements[r][c]
                place = 2 * r + c
                m.d.comb += [
                    elements[i].eq(products[place * quarter + i][: 4 * self.params.digit_width]) for i in range(quarter)
                ]
                integer, carry = fields[r + 2 * c]
                whole = self._whole(m, quarters[place], f"{r}_{c}")
                total = Signal(signed(self.params.dot_width), name=f"total_{r}_{c}")
                m.d.comb += total.eq(Mux(self.i_full, whole, integer))
                total, carry = register(m, total, f"sum_{r}_{c}"), register(m, carry & ~self.i_full, f"carry_{r}_{c}")
                score = Signal(signed(self.params.sum_width), name=f"score_{r}_{c}", reset_less=True)
                m.d.comb += self.o_scores[r][c].eq(score)
                with m.If(self.i_valid):
                    m.d.sync += score.eq(_add(Mux(self.i_first, 0, score), total, carry))
        return m

    def _sums(self, m, products):
        """Fields of the sums of products: of each quarter of the lanes, ``[[(sum, carry)]]``, and of all lanes.

        A field's sum and its carry, added, are the sum of the field's values.
        """
        terms, width = products, field_width(self.params)
        while len(terms) > 1:
            if len(terms) == 4:
                quarters = [_fields(term, width) for term in terms]
            terms = [Cat(Cat(field, field[-1]) for field in _parts(term, width)).as_signed() for term in terms]
            width += 1
            sums = [(a + b)[: 4 * width] for a, b in zip(terms[::2], terms[1::2])]
            terms = [register(m, total, f"fields_{width}_{index}") for index, total in enumerate(sums)]
        return quarters, _fields(terms[0], width)

    def _whole(self, m, fields, name):
        """The sum of a quarter's products, which its fields are, where they stood in a product; 2 clock cycles."""
        width = field_width(self.params)
        (low, _), (middle, carry), (high, next_carry), _ = fields  # the highest repeats the sign
        high = high[: self.params.dot_width - 2 * width].as_signed()
        middle = register(m, _add(low >> width, middle, carry), f"middle_{name}")
        low, high, next_carry = (
            register(m, part, f"{part_name}_{name}")
            for part, part_name in ((low[:width], "low"), (high, "high"), (next_carry, "next_carry"))
        )
        high = _add(middle >> width, high, next_carry)
        return register(m, Cat(low, middle[:width], high)[: self.params.dot_width].as_signed(), f"whole_{name}")


def _fields(term, width):
    """``[(sum, carry)]`` of the four fields of a term: a field is one too low where what stands below is negative."""
    fields = [field.as_signed() for field in _parts(term, width)]
    return list(zip(fields, [C(0, 1), *(field[-1] for field in fields)]))


def _add(a, b, carry):
    """``a + b + carry`` by one adder."""
    return (Cat(C(1, 1), a).as_signed() + Cat(carry, b).as_signed())[1:].as_signed()


def _parts(value, width):
    """The four fields of ``width`` bits of a value, the lowest first."""
    return [value[place * width : (place + 1) * width] for place in range(4)]
