"""hdp-hw soc: a model on a SoC with the co-processor, and on one without."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from hdp_hw.simulation.library import CACHE
from hdp_hw.soc.model_case import ModelCase
from hdp_hw.soc.simulation import SimulatedBoard
from hdp_hw.soc.vectors import attention_cases, captured_cases


def run_soc(
    case: ModelCase,
    folder: Path,
    limit: int,
    sdram: bool = False,
    say: Callable[[str], None] = print,
    cache: Path = CACHE,
) -> None:
    """Run the firmware on both; ``say`` gets its lines, and the cycles of the model side by side.

    folder : gets what is generated; limit : clock cycles after which the firmware should have ended; sdram : as of
    SimulatedBoard; cache : of compiled simulations. Raises ParameterError for a model that the core does not take, and
    what SimulatedBoard raises.
    """
    jobs, image = attention_cases(captured_cases(case.params)), case.image()
    board = SimulatedBoard(case.params, folder / "with", cache, sdram)
    say("With the co-processor:")
    ours = board.run({"cases.c": jobs, **case.sources(image)}, limit, say)
    board = SimulatedBoard(None, folder / "without", cache, sdram)
    say("Without:")
    alone = board.run({"cases.c": attention_cases({}), **case.sources()}, limit, say)
    ours, alone = (cycles_of(case.name, lines) for lines in (ours, alone))
    say(
        f"{case.name}: {ours:,} clock cycles with the co-processor, {alone:,} without, {alone / ours:.0f} times as many"
    )


def cycles_of(name: str, lines: Iterable[str]) -> int:
    """Clock cycles of the model in what the firmware said."""
    (cycles,) = [
        found[1] for line in lines if (found := re.fullmatch(rf"{re.escape(name)}, .* (\d+) cycles: PASS", line))
    ]
    return int(cycles)
