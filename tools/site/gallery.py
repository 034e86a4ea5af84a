"""The gallery: pictures and pages that the project makes, each made anew, beside the command that makes it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass

from pages import ROOT, SiteError

HEAD = """# Gallery
What the project draws, each beside its command. `make docs` runs the commands of the reports anew.

## When the blocks of a core work
![Schedule of a core for three heads](images/schedule.svg)

`python -m hdp_hw.study.timeline -o schedule.svg` draws three captured heads that follow each other.

## What happens at the ports
![A job of the co-processor, cycle by cycle](images/job.svg)

`python -m tb.lib.docs` draws a job of the co-processor from a simulation by Icarus.

## Blocks that heads keep
![Blocks that each of twelve heads computes](images/masks.png)

"""
MASKS = """import numpy as np
from hdp_hw.driver import LayerSettings
from hdp_hw.driver.trace import draw_masks, layer_masks
from hdp_hw.spec.configs import CONFIGS

q, k, v = 3 * np.random.default_rng(1).standard_normal((3, 12, 128, 32))
layer = LayerSettings.fit(q, k, v, rule="mass", threshold=1.0, relative=True, compensate=True)
draw_masks(layer_masks(q, k, layer, CONFIGS["tiny"]), "masks.png", title="random Q and K, mass rule")
"""


@dataclass(frozen=True)
class Report:
    """A page of a command. page : in ``build/``. figures : ``{section of the page: file for its first figure}``."""

    title: str
    command: str
    page: str
    figures: dict[str, str]


REPORTS = (
    Report(
        "HDP and a peer on a model",
        "hdp-hw compare bert-tiny-sst2 edge --max-tokens 32 --timed 1 --only HDP Energon",
        "compare/bert-tiny-sst2-passages.html",
        {"Loss against what is saved of the model": "saving", "Masks over real tokens": "tokens"},
    ),
    Report(
        "Co-processors for a device",
        "hdp-hw explore --sweep tile=2,4 lanes=16 digit_width=4 n_cores=1 bus_width=64",
        "explore/explore.html",
        {"Cycles against LUTs": "pareto"},
    ),
    Report(
        "Does pruning pay for a model?",
        "hdp-hw profile bert-tiny-sst2",
        "profile/bert-tiny-sst2-passages.html",
        {"Masks over an input": "input"},
    ),
)


def write(folder, work):
    """Write ``gallery.md`` and what it shows into ``folder``; commands run in ``work``. Raises SiteError."""
    run(["-c", MASKS], work)
    shutil.copy(work / "masks.png", folder / "images")
    parts = [HEAD, "```python\n", MASKS, "```\n"]
    for report in REPORTS:
        run(["-m", "hdp_hw", *shlex.split(report.command)[1:]], work)
        page = work / "build" / report.page
        if not page.exists():
            raise SiteError(f"`{report.command}` wrote no build/{report.page}: REPORTS has another name for its page")
        text = page.read_text(encoding="utf-8")
        copy = folder / "extra" / "reports" / report.page
        copy.parent.mkdir(parents=True)
        shutil.copy(page, copy)
        parts.append(f"\n## {report.title}\n")
        for section, name in report.figures.items():
            (folder / "images" / f"{name}.svg").write_text(figure_of(text, section), encoding="utf-8")
            parts.append(f"![{section}](images/{name}.svg)\n\n")
        parts.append(f'`{report.command}` writes <a href="reports/{report.page}">this page</a>.\n')
    parts.append(f'\n<iframe src="reports/{report.page}" title="{report.title}"></iframe>\n')
    (folder / "gallery.md").write_text("".join(parts), encoding="utf-8")


def figure_of(page, section):
    """The first figure in a section of a report's page."""
    _, _, after = page.partition(f"<h2>{section}</h2>")
    if match := re.search(r"<svg.*?</svg>", after.partition("</section>")[0], re.S):
        return match[0]
    raise SiteError(f"the report has no figure in its section {section}")


def run(words, folder):
    """Run Python with this checkout. Raises SiteError with the last line of what went wrong."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    options = {"cwd": folder, "env": environment, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, *words], check=False, **options)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise SiteError(f"a picture of the gallery failed: {lines[-1]}")
