"""Figures of reports, as SVG to be put into a page."""

from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO

import numpy as np

from hdp_hw.spec.failure import MissingPackage
from hdp_hw.study.report.page import EXTRA

STYLE = {
    "svg.fonttype": "none",  # text stays text
    "text.parse_math": False,  # tokens may hold a $
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
GRAY = "#6e7781"


@dataclass(frozen=True)
class Curve:
    """A line with error bars. x, y, error : numbers of each point; color, dashed, width, marker : its looks."""

    name: str
    x: list
    y: list
    error: list
    color: str
    dashed: bool = False
    width: float = 1.4
    marker: str = "o"


def curves_figure(curves, x_label, y_label, limit=None, title="", wide=False):
    """SVG of Curves; y is linear from -1 to 1 and logarithmic beyond, and so is x if it is ``wide``; ``limit`` is drawn
    as a line to stay below."""
    with _figure(8.6, 4.6) as (figure, out):
        axes = figure.subplots()
        axes.set_yscale("symlog", linthresh=1)
        for curve in curves:
            axes.errorbar(
                curve.x, curve.y, curve.error, label=curve.name, color=curve.color, linewidth=curve.width,
                linestyle="--" if curve.dashed else "-", marker=curve.marker, markersize=4.5, elinewidth=0.8, capsize=2,
            )  # fmt: skip
        axes.axhline(0, color=GRAY, linewidth=0.8)
        if limit is not None:
            axes.axhline(limit, color="#cf222e", linewidth=0.8, linestyle=":")
        if wide:
            axes.set_xscale("symlog", linthresh=1)
            places = [-20, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100]
            axes.set_xticks(places, map(str, places))
            lowest, highest = (pick([x for curve in curves for x in curve.x]) for pick in (min, max))
            axes.set_xlim(min(-0.5, 1.3 * lowest), max(2, 1.3 * highest))
        ticks = [-10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20, 50]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        lowest, highest = (pick([y for curve in curves for y in curve.y]) for pick in (min, max))
        axes.set_ylim(min(-0.5, 1.3 * lowest), max(2.5, 1.3 * highest))
        axes.minorticks_off()
        axes.grid(alpha=0.25)
        axes.set(xlabel=x_label, ylabel=y_label, title=title)
        figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return out()


def scatter_figure(groups, x_label, y_label):
    """SVG of ``{name: (x, y, labels)}``, y on a logarithmic scale; a group with labels stands out."""
    with _figure(8.6, 5.2) as (figure, out):
        axes = figure.subplots()
        axes.set(yscale="log", xlabel=x_label, ylabel=y_label)
        for name, (x, y, labels) in groups.items():
            axes.plot(x, y, label=name, linestyle="", marker="o", markersize=5 if labels else 2.5)
            seen = set()
            for label, *place in zip(labels, x, y):
                if place[0] not in seen:  # one of those above each other
                    axes.annotate(label, place, xytext=(4, 4), textcoords="offset points", fontsize=7)
                seen.add(place[0])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_minor_formatter("")
        axes.grid(alpha=0.25)
        figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return out()


def heat_figure(maps, x_label, y_label):
    """SVG of ``{title: array [rows, columns] of shares}``, side by side, 0 to 1 each, with the shares in the cells."""
    n_rows, n_columns = next(iter(maps.values())).shape
    width = 1.4 + len(maps) * (0.8 + 0.42 * n_columns)
    with _figure(width, 1.3 + 0.32 * n_rows) as (figure, out):
        for (title, shares), axes in zip(maps.items(), figure.subplots(1, len(maps), squeeze=False)[0]):
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
            for row, column in np.ndindex(shares.shape):
                share = shares[row, column]
                color = "white" if share > 0.6 else "#1f2328"
                axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=color)
            axes.set_xticks(range(n_columns))
            axes.set_yticks(range(n_rows))
            axes.set_title(title, fontsize=9)
            axes.set(xlabel=x_label, ylabel=y_label)
    return out()


def masks_figure(masks, names):
    """SVG of ``{title: bool [n, n]}``, what a query (row) keeps of the keys (columns); ``names`` of the n tokens."""
    n, columns = len(names), min(3, len(masks))
    n_rows = -(-len(masks) // columns)
    edge = 1.0 + 0.13 * n
    with _figure(edge * columns + 0.4, (edge + 0.3) * n_rows) as (figure, out):
        panels = figure.subplots(n_rows, columns, squeeze=False).flat
        for axes in list(panels)[len(masks) :]:
            axes.set_axis_off()
        for (title, mask), axes in zip(masks.items(), figure.axes):
            axes.imshow(mask, cmap="Blues", vmin=0, vmax=1.3, interpolation="nearest")
            axes.set_xticks(range(n), names, rotation=90, fontsize=6)
            axes.set_yticks(range(n), names, fontsize=6)
            axes.tick_params(length=0)
            axes.set_title(title, fontsize=8)
    return out()


@contextmanager
def _figure(width, height):
    """``(figure, f)`` of a new figure in inches; ``f()`` gives its SVG afterwards. Raises MissingPackage."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackage(EXTRA) from None
    with rc_context(STYLE):
        figure, text = Figure(figsize=(width, height), layout="constrained"), []
        yield figure, lambda: text[0]
        file = StringIO()
        with rc_context({"svg.hashsalt": f"{width} {height}"}):
            figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
        text.append(file.getvalue()[file.getvalue().index("<svg") :])
