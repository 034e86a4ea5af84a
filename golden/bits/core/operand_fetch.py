"""The operands of a micro-operation."""

from collections.abc import Mapping

from hdp_hw.spec.params import ArrayMode

CYCLES_PER_WORD = {ArrayMode.INTEGER: 1, ArrayMode.CROSS: 2, ArrayMode.FULL: 4}  #: clock cycles that use a word


def operand_words(op: Mapping[str, int], column: int) -> dict[str, tuple[int, int, int, int]]:
    """``{plane: words}`` that a micro-operation ``{field: value}`` reads; ``column`` is its block column.

    A word is ``(place of the head, block of Q, block of K or V, word of a row)``.
    """
    if op["mode"] == ArrayMode.CONTEXT:
        return {"value": (op["half"], op["row"], column, op["cycle"] // 2)}
    word = op["cycle"] // CYCLES_PER_WORD[ArrayMode(op["mode"])]
    words = {"integer": (op["head"], op["row"], column, word)}
    if op["mode"] != ArrayMode.INTEGER:
        words["fraction"] = (op["half"], op["row"], column, word)
    return words


def existing_keys(column: int, n_k: int, tile: int) -> int:
    """Bits of the keys of a block column that exist, the first lowest."""
    return (1 << min(tile, n_k - column * tile)) - 1
