"""Weights of 8 bits that make up for each other's rounding."""

import numpy as np

from hdp_hw.spec.encoder import OPERAND_MAX
from hdp_hw.study.encoder.equalise import TINY

DAMPING = 0.01  #: of the mean square of all inputs, added to that of each, since a few examples are not all
BLOCK = 64  #: weights of an output channel, behind which what they lose reaches all that are left


def passed_on(weights: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Integers [n_out, k] for weights [n_out, k], in units of their LSB, of a layer whose inputs have these sums of
    products [k, k].

    Weights are rounded one input after the other, the largest first. What each loses is passed on to those that are
    left, so that the layer's results for inputs like those seen change least (GPTQ, arXiv 2210.17323).
    """
    squares = products.diagonal()
    order = np.argsort(-squares, kind="stable")
    ordered = products[np.ix_(order, order)] + np.eye(len(order)) * max(DAMPING * squares.mean(), TINY)
    shares = np.linalg.cholesky(np.linalg.inv(ordered)).T
    shares /= shares.diagonal()[:, None]
    left, integers = weights[:, order].astype(np.float64), np.empty(weights.shape, np.int8)
    for start in range(0, len(order), BLOCK):
        end = start + BLOCK
        block, losses = left[:, start:end], shares[start:end]
        lost = np.empty_like(block)
        for index in range(block.shape[1]):
            column = np.clip(np.rint(block[:, index]), -OPERAND_MAX, OPERAND_MAX)
            integers[:, order[start + index]] = column
            lost[:, index] = block[:, index] - column
            block[:, index + 1 :] -= np.outer(lost[:, index], losses[index, start + index + 1 : end])
        left[:, end:] -= lost @ losses[:, end:]
    return integers
