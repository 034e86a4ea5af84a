"""Softmax in integers: weights of the kept keys, and of the key that stands in for the pruned ones."""

import numpy as np

from golden.approximation.exp2 import exp2, logit, weight

LOWEST = -(1 << 62)  #: the maximum of a row without valid elements: below every score, and every mean


def weights(s, elements, mult, shift, digit_width):
    """``(P, row maxima [rows, 1])`` of scores [rows, keys]; only valid ``elements`` count, the others weigh 0."""
    row_max = np.where(elements, s, LOWEST).max(1, keepdims=True)
    e = exp2(logit(np.where(elements, row_max - s, 0), mult, shift, digit_width), digit_width)
    return np.where(elements, weight(e, digit_width), 0), row_max


def stand_in(row_max, mean, mult, shift, digit_width):
    """e_pruned: exponential of a key at the score ``mean``, 1 at most, which it also is beside no other key."""
    return exp2(logit(np.maximum(row_max - mean, 0), mult, shift, digit_width), digit_width)
