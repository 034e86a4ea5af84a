"""A pipelined multiplication of any width, cut into pieces that a hardware multiplier of an FPGA takes whole."""

from amaranth.hdl import Array, Shape, Value

from hdp_hw.rtl.common.pipeline import adder_tree, delay, register
from hdp_hw.spec.timing import PIECE_WIDTH, product_latency


def multiply_latency(a_shape, b_shape):
    """Fewest clock cycles of :func:`multiply` for operands of these shapes."""
    return product_latency(*(shape.width - shape.signed for shape in map(Shape.cast, (a_shape, b_shape))))


def multiply(m, a, b, name="product", latency=None):
    """``a * b``, exact; the operands should come straight from registers, as the product does.

    Partial products are registered, then added up in a tree with a register after every level; one product per clock
    cycle. latency : clock cycles, for a block whose timing is the same for all widths; by default as few as these
    operands take, :func:`multiply_latency`.
    """
    a, b = Value.cast(a), Value.cast(b)
    fewest = multiply_latency(a.shape(), b.shape())
    latency = fewest if latency is None else latency
    assert latency >= fewest, f"{name} takes {fewest} clock cycles, not {latency}"
    partials = []
    for a_low, a_high in _cuts(a.shape()):
        for b_low, b_high in _cuts(b.shape()):
            product = _piece(a, a_low, a_high) * _piece(b, b_low, b_high)
            partials.append(register(m, product, f"{name}_{a_low}_{b_low}") << (a_low + b_low))
    total = adder_tree(m, partials, levels_per_stage=1, name=name)
    total = total[: len(a) + len(b)]
    total = total.as_signed() if a.shape().signed or b.shape().signed else total
    return delay(m, total, latency - fewest, name, reset_less=True)


def multiply_sparing(m, params, a, b, name, latency):
    """``a * b``, exact, of unsigned operands; where ``params.spares_multipliers``, by the halves of ``b``, in logic.

    Their sum has no register. latency : as of :func:`multiply`.
    """
    if not params.spares_multipliers:
        return multiply(m, a, b, name, latency)
    half = (len(b) + 1) // 2
    low, high = (
        multiply(m, a, part, f"{name}_{which}", latency) for which, part in (("low", b[:half]), ("high", b[half:]))
    )
    return low + (high << half)


def multiply_constant(m, a, constant, name="product"):
    """``a * constant``, exact, of an unsigned ``a``: multiples of the constant by a table for each four bits of ``a``.

    No hardware multiplier: a table takes a LUT for each bit of a multiple. Latency: one clock cycle.
    """
    multiples = Array(constant * digit for digit in range(16))
    terms = [multiples[a[low : low + 4]] << low for low in range(0, len(a), 4)]
    return adder_tree(m, terms, levels_per_stage=len(terms), name=name)


def _cuts(shape):
    """``[(low, high)]`` bit ranges of the pieces of an operand, the lowest first; only the last keeps the sign."""
    cuts, low = [], 0
    while shape.width - low > PIECE_WIDTH + shape.signed:
        cuts.append((low, low + PIECE_WIDTH))
        low += PIECE_WIDTH
    return [*cuts, (low, shape.width)]


def _piece(value, low, high):
    piece = value[low:high]
    return piece.as_signed() if value.shape().signed and high == len(value) else piece
