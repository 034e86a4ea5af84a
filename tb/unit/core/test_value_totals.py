"""ValueTotals against golden.bits.array.tile_array.value_total."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.array.tile_array import value_total
from hdp_hw.golden.bits.digits import split
from hdp_hw.rtl.core.value_totals import ValueTotals
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run, signed_integers

WIDTH = PARAMS.lanes // 2


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def heads(dut, gaps):
    """Heads in the two halves by turns, of one word a row to the largest; totals are read as soon as they can be."""
    rng, cycle, reads = bench_rng(), 3, {}
    words, held, values = {}, {}, {}
    for index in range(40):
        n_k = PARAMS.max_seq_len if index == 0 else int(rng.integers(1, 12))
        n_words = PARAMS.max_value_words if index == 0 else int(rng.integers(1, PARAMS.max_value_words + 1))
        v = signed_integers(rng, (n_k, n_words * WIDTH), PARAMS.operand_width)
        integer, fraction = split(v, PARAMS.digit_width)
        pairs = np.stack([fraction, integer], -1).reshape(n_k, n_words, WIDTH, 2)
        totals = value_total(v, PARAMS.digit_width).reshape(n_words, WIDTH)
        for row in range(n_k):
            for word in range(n_words):
                cycle += int(rng.integers(1, 3)) if gaps else 1
                beat = {"i_first": row == 0, "i_half": index % 2, "i_word": word, "i_digits": pairs[row, word]}
                words[cycle] = beat
        last = cycle
        for word in range(n_words):  # one a cycle, the last as soon as it is there
            reads[last + ValueTotals.latency - (n_words - 1 - word)] = (index % 2, word, totals[word])
    for cycle, (half, word, total) in reads.items():
        held[cycle] = {"i_read_half": half, "i_read_word": word}
        values[cycle + 1] = {"o_total": total}
    await play(dut, {"i_valid": words}, held, {}, values)


@on_cores()
def test_value_totals(simulator, core):
    run(ValueTotals(CORES[core]), __name__, simulator, core)
