"""The micro-operations of a row operation, one a clock cycle."""

from typing import Any

from hdp_hw.spec.params import ArrayMode


def micro_ops(kind: str, n_tiles: int, cycles: dict[str, int], full: bool = False) -> list[dict[str, Any] | None]:
    """``[{field: value}]`` of a row of ``n_tiles`` tiles; ``kind`` is "predict", "score" or "context".

    cycles : ``{"integer", "cross", "slices", "wait"}``, clock cycles of a tile. ``tile`` is the tile's place in the
    row; ``first`` and ``last`` bound an accumulation, ``first_tile`` and ``last_tile`` the row. None is a clock cycle
    in which the array waits for the predictor.
    """
    if kind == "context":
        return [
            {
                "mode": ArrayMode.CONTEXT,
                "tile": tile,
                "cycle": cycle,
                "first": tile == 0,
                "last": tile == n_tiles - 1,
                "first_tile": tile == 0,
                "last_tile": cycle == cycles["slices"] - 1,  # of context: the last slice
            }
            for cycle in range(cycles["slices"])
            for tile in range(n_tiles)
        ]
    parts = {ArrayMode.INTEGER: cycles["integer"], ArrayMode.CROSS: cycles["cross"]}
    if full:
        parts = {ArrayMode.FULL: cycles["slices"]}
    elif kind == "predict":
        del parts[ArrayMode.CROSS]
    of_tile = [(mode, cycle) for mode, n in parts.items() for cycle in range(n)]
    ops: list[dict[str, Any] | None] = []
    for tile in range(n_tiles):
        ops += [None] * (cycles["wait"] if kind == "predict" else 0)
        ops += [
            {
                "mode": mode,
                "tile": tile,
                "cycle": cycle,
                "first": index == 0,
                "last": index == len(of_tile) - 1,
                "first_tile": tile == 0,
                "last_tile": tile == n_tiles - 1,
            }
            for index, (mode, cycle) in enumerate(of_tile)
        ]
    return ops
