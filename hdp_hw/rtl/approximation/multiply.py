"""A pipelined multiplication of any width, cut into pieces that a hardware multiplier of an FPGA takes whole."""

from amaranth.hdl import Shape, Value

from hdp_hw.rtl.common.pipeline import adder_tree, adder_tree_latency, register

PIECE_WIDTH = 17  # unsigned, so 18 bits signed: one MULT18X18D of the ECP5, and inside every larger multiplier


def multiply_latency(a_shape, b_shape):
    """Clock cycles of :func:`multiply` for operands of these shapes."""
    pieces = len(_cuts(Shape.cast(a_shape))) * len(_cuts(Shape.cast(b_shape)))
    return 1 + adder_tree_latency(pieces, levels_per_stage=1)


def multiply(m, a, b, name="product"):
    """``a * b``, exact; the operands should come straight from registers, as the product does.

    Partial products are registered, then added up in a tree with a register after every level. Latency:
    :func:`multiply_latency`; one product per clock cycle.
    """
    a, b = Value.cast(a), Value.cast(b)
    partials = []
    for a_low, a_high in _cuts(a.shape()):
        for b_low, b_high in _cuts(b.shape()):
            product = _piece(a, a_low, a_high) * _piece(b, b_low, b_high)
            partials.append(register(m, product, f"{name}_{a_low}_{b_low}") << (a_low + b_low))
    total = adder_tree(m, partials, levels_per_stage=1, name=name)
    total = total[: len(a) + len(b)]
    return total.as_signed() if a.shape().signed or b.shape().signed else total


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
