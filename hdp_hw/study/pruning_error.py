"""What pruning does to the output of captured heads: ``python -m hdp_hw.study.pruning_error`` prints a table in
Markdown.

Each cell holds the relative error of the core's integer output against float64 attention over all keys, the mean over
heads, without and with compensation. Thresholds are those with which all heads together keep the share of blocks in
the second column; a cell names the share they keep where it is another one.
"""

import sys

import numpy as np

from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.calibration import threshold_for_share
from hdp_hw.golden.reference import attention, relative_error
from hdp_hw.golden.stimulus import captured_heads
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import Rule

SIZES = ((2, 128), (4, 128), (2, 256), (4, 256))  #: tile, n
SHARES = (0.5, 0.25, 0.1)


def mean_error(heads, params, rule=Rule.DENSE, threshold=0.0, **more):
    """Mean over ``heads`` of the relative error against float64 attention."""
    errors = []
    for head in heads:
        settings = head.settings(params, rule, threshold, **more)
        output = attend(*head.quantised(params), settings, params).output
        errors.append(relative_error(head.real_output(output, params), attention(head.q, head.k, head.v)))
    return float(np.mean(errors))


def rows():
    """``[[rule, kept share, cell of each size]]``, all of them text."""
    sizes = []
    for tile, n in SIZES:
        params = HdpParams(tile=tile, lanes=16, digit_width=4, max_head_dim=32, max_seq_len=n)
        sizes.append((captured_heads(n), params))
    table = [["dense", "1", *(f"{mean_error(*size):.3f}" for size in sizes)]]
    for rule in (Rule.ROW_THRESHOLD, Rule.MARGIN, Rule.MASS):
        for share in SHARES:
            table.append([rule.name.lower(), str(share), *(_cell(*size, rule, share) for size in sizes)])
    return table


def _cell(heads, params, rule, share):
    threshold, kept = threshold_for_share(heads, rule, share, params)
    errors = [mean_error(heads, params, rule, threshold, compensate=compensate) for compensate in (False, True)]
    return "{:.3f} / {:.3f}".format(*errors) + (f" (kept {kept:.2f})" if abs(kept - share) > 0.02 else "")


def table():
    """Lines of the table, in Markdown."""
    titles = ["rule", "kept", *(f"T = {tile}, n = {n}" for tile, n in SIZES)]
    lines = [titles, ["---"] * len(titles), *rows()]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def main():
    print("\n".join(table()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
