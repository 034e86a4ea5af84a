"""Reports: pages of HTML that hold all they show, so that they open anywhere and without a network."""

from hdp_hw.study.report.page import Section, Table, render

__all__ = ["Section", "Table", "render"]
