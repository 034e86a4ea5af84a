"""A report as one file of HTML."""

from dataclasses import dataclass, field
from pathlib import Path

import hdp_hw
from hdp_hw.spec.failure import MissingPackage

TEMPLATES = Path(__file__).with_name("templates")
EXTRA = "reports take jinja2 and matplotlib: pip install 'hdp-hw[plots]'"


@dataclass(frozen=True)
class Table:
    """A table. head : titles of its columns; rows : lists of cells, texts or numbers; strong : indices of rows that
    stand out; folded : the reader opens it first."""

    head: list
    rows: list
    strong: tuple = ()
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a report. text : paragraphs; figures : of :mod:`hdp_hw.study.svg` or
    :mod:`hdp_hw.study.report.figures`, SVG; tables : under the figures."""

    title: str
    text: list = field(default_factory=list)
    figures: list = field(default_factory=list)
    tables: list = field(default_factory=list)


def render(title, lead, sections, settings, command):
    """The HTML text of a report.

    lead : paragraphs under the title, what the reader should take away; settings : ``{name: value}``, the
    circumstances; command : the line that made the report. Raises MissingPackage.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise MissingPackage(EXTRA) from None
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        title=title, lead=lead, sections=sections, settings=settings, command=command, version=hdp_hw.__version__
    )
