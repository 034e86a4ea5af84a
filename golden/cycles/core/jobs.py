"""What the core's blocks hand each other."""

from dataclasses import dataclass

from hdp_hw.golden.cycles.core.plan import HeadPlan

#: ``(kind, head, row, begin, end)`` of a block's work, end exclusive; row is None where all of the head is meant
Work = tuple[str, int, int | None, int, int]


@dataclass(eq=False)
class Head:
    """A head inside the core."""

    index: int
    plan: HeadPlan
    half: int
    loaded: set[str]
    predicted: bool = False


@dataclass(frozen=True, eq=False)
class RowJob:
    """A block row on its way through softmax, array and drain."""

    head: Head
    row: int
    n_tiles: int
    last: bool
