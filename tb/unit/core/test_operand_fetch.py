"""OperandFetch against golden.bits.core.operand_fetch."""

import cocotb

from hdp_hw.golden.bits.core.operand_fetch import existing_keys, operand_words
from hdp_hw.rtl.core.jobs import micro_op_layout
from hdp_hw.rtl.core.operand_fetch import COLUMN_LATENCY, OperandFetch
from hdp_hw.rtl.core.plane_store import PlaneStore
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import ArrayMode, ceil_div
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run
from tb.unit.core.control_bench import Script, entry_bits, flat, random_entry, random_fields

WORD = PARAMS.lanes * PARAMS.digit_width
OPERANDS = ("q_integer", "k_integer", "q_fraction", "k_fraction", "value")


def random_op(rng, entries):
    """A micro-operation, and its column: in its head's last block column often."""
    op = random_fields(rng, micro_op_layout(PARAMS))
    op["head"], op["cycle"] = int(rng.integers(0, HEADS_INSIDE)), int(rng.integers(0, PARAMS.max_slices))
    if op["mode"] == ArrayMode.CONTEXT:
        op["predict"] = 0
    op["cycle"] //= {ArrayMode.INTEGER: 4, ArrayMode.CROSS: 2}.get(op["mode"], 1)
    n_columns = ceil_div(entries[op["head"]]["settings"]["n_k"], PARAMS.tile)
    column = int(rng.choice([n_columns - 1, rng.integers(0, n_columns)]))
    if op["predict"]:
        op["column"] = column
    return op, column


class Words:
    """Random words, of which each goes on with the operation that it answers."""

    def __init__(self, rng):
        self.rng = rng

    def __call__(self, width):
        return int.from_bytes(self.rng.bytes(width // 8), "little")


@cocotb.test()
async def operations(dut):
    """An operation nearly every clock cycle, of all modes; columns come from the list, or with a prediction."""
    rng, script, entries = bench_rng(), Script(), []
    for n_k in (PARAMS.max_seq_len - 1, 1, None):
        entries.append(random_entry(rng, n_k=n_k))
    word, held = Words(rng), {"i_entries": entry_bits(entries)}
    pipeline = [(None, 0)] * (OperandFetch.latency + 1)  # (operation, column), the latest first
    before = {}
    digits = PARAMS.tile * PARAMS.tile * 2 * PARAMS.digit_width
    upcoming = random_op(rng, entries)
    for cycle in range(500):
        op, column = upcoming
        upcoming = random_op(rng, entries)
        valid = int(rng.random() < 0.9)
        words = {f"i_words_{name}": word(PARAMS.tile * WORD) for name in OPERANDS} | {"i_weights": word(digits)}
        inputs = held | words | flat("i_op", op) | {"i_valid": valid, "i_survivor_valid": 0}
        # The column of the next operation is listed just in time, in a slot that is not read at the moment.
        following, its_column = upcoming
        if not following["predict"]:
            while following["slot"] == op["slot"]:
                following["slot"] = int(rng.integers(0, PARAMS.score_slots))
            inputs |= {"i_survivor_valid": 1, "i_slot": following["slot"], "i_column": its_column}
        if cycle == 0 and not op["predict"]:
            op, valid, inputs["i_valid"] = None, 0, 0
        pipeline = [(op, column, valid), *pipeline[:-1]]
        outputs = {"o_valid": pipeline[OperandFetch.latency][2]} if cycle > OperandFetch.latency else {}
        if cycle > OperandFetch.latency + 1:
            outputs |= expected(pipeline, entries, before)
        script.cycle(inputs, outputs)
        before = words
    await script.play(dut)


def expected(pipeline, entries, words_before):
    """Outputs, with ``pipeline[n]`` the operation of n clock cycles before."""
    op, column, _ = pipeline[1]
    outputs = {"o_read_integer": 0, "o_read_fraction": 0, "o_read_value": 0}
    for plane, (place, row, block, word) in operand_words(op, column).items():
        address = {plane: 1, "row": row, "column": block, "head" if plane == "integer" else "half": place}
        outputs |= flat("o_read", address | {"value_word" if plane == "value" else "word": word})
    op, column, _ = pipeline[COLUMN_LATENCY]
    outputs |= flat("o_op", op) | {"o_column": column, "o_weight_slot": op["slot"]}
    ahead, (op, column, _) = pipeline[OperandFetch.latency - 1][0], pipeline[OperandFetch.latency]
    outputs |= {"o_mode": ahead["mode"], "o_phase": ahead["cycle"] & 3}
    outputs |= {"o_first": op["first"], "o_last": op["last"], "o_slice": op["cycle"], "o_last_slice": op["last_tile"]}
    outputs["o_columns"] = existing_keys(column, entries[op["head"]]["settings"]["n_k"], PARAMS.tile)
    late = {name.replace("i_weights", "i_weight").replace("i_", "o_", 1): value for name, value in words_before.items()}
    return outputs | late


@on_cores("encoder")
def test_operand_fetch(simulator, core):
    assert OperandFetch.latency == 1 + PlaneStore.latency + 1  # look-up, words, a register
    run(OperandFetch(CORES[core]), __name__, simulator, core)
