"""What the tile array computes, for whole heads at once."""

from golden.digits import split


def integer_scores(q, k, digit_width):
    """A = IQ . IK^T for operands q [n_q, d], k [n_k, d] -> [n_q, n_k]."""
    iq, _ = split(q, digit_width)
    ik, _ = split(k, digit_width)
    return _product(iq, ik.T)


def scores(q, k, digit_width, full):
    """S = (A << 2w) + ((IQ.FK^T + FQ.IK^T) << w), plus FQ.FK^T when ``full``."""
    w = digit_width
    (iq, fq), (ik, fk) = split(q, w), split(k, w)
    s = _product((iq << w) + fq, ((ik << w) + fk).T)
    return s if full else s - _product(fq, fk.T)


def context(p, v, digit_width):
    """P . V with V saturated as :func:`golden.digits.split` does: [n_q, n_k] x [n_k, d] -> [n_q, d]."""
    integer, fraction = split(v, digit_width)
    return _product(p, (integer << digit_width) + fraction)


def _product(a, b):
    """Exact integer product through float64: every sum here stays far below 2^53 (16-bit operands, 1024 terms)."""
    return (a.astype("f8") @ b.astype("f8")).astype("i8")
