"""OperandBuffer against an array of words: every head, block and word, written and read at once."""

import cocotb
import numpy as np

from hdp_hw.rtl.array.operand_buffer import OperandBuffer
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run

N_HEADS = 3


def buffer(params):
    return OperandBuffer(params, N_HEADS, params.max_words, params.lanes * params.digit_width, bool(params.encoder))


@cocotb.test()
async def random_accesses(dut):
    """Writes to any set of banks and reads in every cycle; all words are written first."""
    rng = bench_rng()
    # Of long rows, those of each head have another length.
    sizes = [(PARAMS.max_blocks, PARAMS.max_words)] * N_HEADS
    if PARAMS.encoder:
        bits = rng.integers(0, PARAMS.bank_bits + 1, N_HEADS).tolist()  # of a word's index
        lengths = [min(1 << n, PARAMS.max_row_words) for n in bits]
        sizes = [(min(PARAMS.max_blocks, 1 << PARAMS.bank_bits - n), length) for n, length in zip(bits, lengths)]
    places = [(head, *place) for head, size in enumerate(sizes) for place in np.ndindex(*size)]
    stored = {place: [0] * PARAMS.tile for place in places}
    held, values = {}, {}

    def word():
        return int.from_bytes(rng.bytes(len(dut.i_write_data) // 8), "little")

    order = [places[i] for i in rng.permutation(len(places))]
    for cycle in range(len(order) + 1500):
        filling = cycle < len(order)
        write = order[cycle] if filling else places[rng.integers(len(places))]
        read = places[rng.integers(len(places))]
        banks = (1 << PARAMS.tile) - 1 if filling else int(rng.integers(0, 1 << PARAMS.tile))
        banks = banks if filling or read != write else 0
        data = word()
        names = "i_write_head i_write_block i_write_word i_head i_block i_word"
        ports = dict(zip(names.split(), write + read))
        held[cycle] = {"i_read": int(rng.integers(0, 4) > 0), "i_write": banks, "i_write_data": data, **ports}
        if not filling and held[cycle]["i_read"]:
            values[cycle + OperandBuffer.latency] = {"o_words": list(stored[read])}
        stored[write] = [data if banks >> bank & 1 else old for bank, old in enumerate(stored[write])]
    await play(dut, {}, held, {}, values)


@on_cores("encoder")
def test_operand_buffer(simulator, core):
    run(buffer(CORES[core]), __name__, simulator, core)
