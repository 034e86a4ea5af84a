"""The co-processors of a sweep, and which of them are worth building."""

from itertools import product

from hdp_hw.spec.params import (
    CORES_RANGE,
    LEGAL_BUS_WIDTHS,
    LEGAL_DIGIT_WIDTHS,
    LEGAL_LANES,
    LEGAL_MULTIPLIERS,
    LEGAL_TILES,
    HdpParams,
    ParameterError,
)

#: Values of each parameter that is swept. Buffers and score storage follow from them: they are no parameters.
GRID = {
    "tile": LEGAL_TILES,
    "lanes": LEGAL_LANES,
    "digit_width": LEGAL_DIGIT_WIDTHS,
    "multiplier": LEGAL_MULTIPLIERS,
    "n_cores": tuple(n for n in (1, 2, 4, 8) if n <= CORES_RANGE[1]),
    "bus_width": LEGAL_BUS_WIDTHS,
}
#: Parameters that may be swept, and how labels shorten them.
LETTERS = {
    "tile": "t",
    "lanes": "l",
    "digit_width": "w",
    "max_head_dim": "d",
    "max_seq_len": "n",
    "multiplier": "m",
    "pruning": "p",
    "n_cores": "c",
    "bus_width": "b",
}
#: What a core alone depends on.
CORE = ("tile", "lanes", "digit_width", "max_head_dim", "max_seq_len", "multiplier", "pruning", "encoder")


def grid_of(texts):
    """GRID with the values of texts like ``tile=2,4``. Raises ParameterError."""
    grid = dict(GRID)
    for text in texts:
        name, _, values = text.partition("=")
        name = name.lower()
        if name not in LETTERS:
            raise ParameterError("sweep", text, f"NAME=VALUE,... with one of {', '.join(LETTERS)}")
        try:
            grid[name] = tuple(int(value) for value in values.split(","))
        except ValueError:
            raise ParameterError("sweep", text, "integers with commas between them") from None
    return grid


def points(grid, limits):
    """``([HdpParams], [(values, reason)])``: the legal combinations of a grid, and the others.

    limits : parameters that the workload asks for, unless they are swept.
    """
    legal, refused = [], []
    for combination in product(*grid.values()):
        values = limits | dict(zip(grid, combination))
        try:
            legal.append(HdpParams(**values))
        except ParameterError as error:
            refused.append((values, str(error)))
    return legal, refused


def pareto(costs):
    """Places of the rows of which no other is as good in all columns and better in one; less is better.

    Of equal rows the first.
    """

    def beats(a, b):
        return all(x <= y for x, y in zip(a, b)) and a != b

    return [
        place
        for place, own in enumerate(costs)
        if costs.index(own) == place and not any(beats(other, own) for other in costs)
    ]
