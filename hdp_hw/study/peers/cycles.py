"""Clock cycles of our array on masks that others have found."""

from functools import cache

import numpy as np

from hdp_hw.golden.bits.core.attention_core import HeadResult
from hdp_hw.golden.cycles.core.attention_core import core_cycles
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.spec.params import ceil_div
from hdp_hw.spec.settings import HeadSettings, Rule, Verdict


def layer_cycles(results, settings, params):
    """Of a core that executes heads, HeadResult and HeadSettings of each, whose operands are always there."""
    plans = [HeadPlan.of(of_head, result, params) for result, of_head in zip(results, settings)]
    return core_cycles(plans, params).done[-1] + 1


def array_cycles(blocks, n, d, params):
    """Of the heads of a layer that compute ``blocks``, bool [n_heads, blocks_q, blocks_k], at full precision.

    The array is told the blocks: prediction takes no cycles. Raises ParameterError where the array is too small.
    """
    settings = HeadSettings(n, n, d, Rule.DENSE).validate(params)
    results = [HeadResult(None, mask, mask, Verdict.DENSE, 0, mask.size, int(mask.sum())) for mask in blocks]
    return layer_cycles(results, [settings] * len(results), params)


@cache
def dense_cycles(n_heads, n, d, params):
    """Of ``n_heads`` heads that compute everything."""
    edge = ceil_div(n, params.tile)
    return array_cycles(np.ones((n_heads, edge, edge), bool), n, d, params)
