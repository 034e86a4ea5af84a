"""Operands of a head as the beats of the core's input streams, and what is wrong with a plane."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from hdp_hw.golden.bits.digits import split
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadError


def integer_and_fraction(q: np.ndarray, k: np.ndarray, params: HdpParams) -> Any:
    """Beats ``(word, key, last)`` of the I planes and of the F planes of q [n_q, d] and k [n_k, d].

    A word is ``lanes`` digits; those of a row's last word that lie beyond d are zero.
    """
    planes = zip(split(q, params.digit_width), split(k, params.digit_width))
    return tuple(_with_last(_words(iq, params.lanes, 0) + _words(ik, params.lanes, 1)) for iq, ik in planes)


def value(v: np.ndarray, params: HdpParams) -> list[tuple[np.ndarray, bool]]:
    """Beats ``(word, last)`` of v [n_k, d]; a word is ``lanes / 2`` operands."""
    return [(word, last) for word, _, last in _with_last(_words(np.asarray(v), params.lanes // 2, 0))]


def places(n_q: int, n_k: int, words: int) -> list[tuple[int, int, int]]:
    """``[(key, row, word)]`` of a well-formed plane's beats, rows being ``words`` words long; V has no Q."""
    rows = [(0, row) for row in range(n_q)] + [(1, row) for row in range(n_k)]
    return [(*row, word) for row in rows for word in range(words)]


def load(beats: Iterable[tuple[int, Any]], n_q: int, n_k: int, words: int) -> Any:
    """``(places written, HeadError)`` of one plane's ``(key, last)`` beats: up to its first ``last``, or its fault."""
    expected = places(n_q, n_k, words)
    for position, (key, last) in enumerate(beats):
        if key != expected[position][0]:
            return expected[:position], HeadError.ORDER
        if last != (position == len(expected) - 1):
            return expected[:position], HeadError.SHORT if last else HeadError.LONG
        if last:
            return expected, HeadError.NONE
    raise ValueError("the plane has no `last`")


def plane_error(beats: Iterable[tuple[int, Any]], n_q: int, n_k: int, words: int) -> HeadError:
    """HeadError of one plane's ``(key, last)`` beats up to its first ``last``, rows being ``words`` words long."""
    return load(beats, n_q, n_k, words)[1]


def _words(matrix: np.ndarray, width: int, key: int) -> Any:
    rows, d = matrix.shape
    padded = np.zeros((rows, -(-d // width) * width), np.int64)
    padded[:, :d] = matrix
    return [(word, key) for word in padded.reshape(-1, width)]


def _with_last(words: list[Any]) -> Any:
    return [(word, key, index == len(words) - 1) for index, (word, key) in enumerate(words)]
