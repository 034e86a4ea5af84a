"""Clock cycles of a row in Norm."""

MOMENTS = 47  #: from a row's last beat to its mean and variance: residual, square, sums, RowMoments
ROOT = 12  #: of InverseRoot, beside its exponent
SCALED = 7  #: from a row's last read to the first beat of the next row
RESULT = 13  #: from a read to its result in the queue


def first_result(n: int, e: int) -> int:
    """From a row's first beat to its first result; n elements, e of the row's ``inverse_root``."""
    return n - 1 + MOMENTS + ROOT + e + 1 + RESULT


def row(n: int, e: int) -> int:
    """From a row's first beat to that of the next row, without stalls."""
    return first_result(n, e) - RESULT + n - 1 + SCALED
