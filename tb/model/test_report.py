"""Reports: that they need no network, and what headless Chromium makes of one."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pytest

from hdp_hw.study.report import Section, Table, page, render
from hdp_hw.study.report.figures import Curve, curves_figure, heat_figure, masks_figure, scatter_figure

BLUE = (0x1B, 0x3F, 0xD6)
#: Puts into the page's title how large what it shows is, and how wide the page is against its window.
PROBE = """<script>
const size = (x) => [x.getBoundingClientRect().width, x.getBoundingClientRect().height];
document.title = JSON.stringify({svg: [...document.querySelectorAll("svg")].map(size),
  rows: [...document.querySelectorAll("tbody tr")].map((x) => [x.innerText, ...size(x)]),
  strong: [...document.querySelectorAll("tr.strong")].length, lead: document.querySelector(".lead").innerText,
  overflow: document.documentElement.scrollWidth - window.innerWidth});
</script>"""


@pytest.fixture(scope="module")
def report():
    pytest.importorskip("matplotlib", reason="the `plots` extra is not installed")
    curve = Curve("HDP & <others>", [10, 40], [0.1, 2], [0.05, 0.2], "#1b3fd6", width=4)
    figures = [
        curves_figure([curve, Curve("oracle", [20], [-0.5], [0.1], "#888888", dashed=True)], "saved, %", "loss", 1),
        heat_figure({"a": np.array([[0.25, 1], [0, 0.5]]), "b": np.ones((2, 2))}, "head", "layer"),
        masks_figure({"A3": np.eye(3, dtype=bool), "all": np.ones((3, 3), bool)}, ["[CLS]", "$x", "$"]),
    ]
    tables = [Table(["curve", "loss"], [["A3", 1], ["HDP", 2]], strong=(1,)), Table(["all"], [["folded"]], folded=True)]
    sections = [Section("Curves", ["A paragraph."], figures, tables)]
    return render("A <title>", ["Peers win & lose."], sections, {"array": "tile 2"}, "hdp-hw compare 'a model'")


def test_text_is_escaped_and_complete(report):
    for text in (
        "A &lt;title&gt;",
        "Peers win &amp; lose.",
        "A paragraph.",
        "tile 2",
        "hdp-hw compare &#39;a model&#39;",
    ):
        assert text in report
    assert "HDP &amp; &lt;others&gt;" in report and "[CLS]" in report and ">$x<" in report


def test_needs_no_network(report):
    """No address but the names of XML's vocabularies, and nothing that loads anything."""
    addresses = set(re.findall(r"https?://[^\"'\s<]*", report))
    assert all(
        re.match(r"https?://(www\.w3\.org|purl\.org|creativecommons\.org|matplotlib\.org)/", x) for x in addresses
    )
    assert not re.findall(r"<(?:script|link|img|iframe)\b|\bsrc=|@import|url\((?!#)", report)


def test_same_input_same_page(report):
    curve = Curve("a", [1, 2], [0, 1], [0, 0], "#1b3fd6")
    assert curves_figure([curve], "x", "y") == curves_figure([curve], "x", "y")


def test_scatter():
    """Labels of one group, one where points are above each other; numbers are plain."""
    pytest.importorskip("matplotlib", reason="the `plots` extra is not installed")
    groups = {
        "all": ([1e4, 2e4, 3e4], [1e5, 1e6, 2e5], []),
        "best": ([1e4, 1e4, 5e4], [1e5, 2e5, 1e4], ["p", "q", "r"]),
    }
    figure = scatter_figure(groups, "LUTs", "cycles")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", figure)
    assert {"all", "best", "p", "r", "LUTs", "cycles", "100,000", "20,000"} <= set(texts) and "q" not in texts


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(page.MissingPackage, match="hdp-hw\\[plots\\]"):
        render("", [], [], {}, "")


@pytest.fixture(scope="module")
def chromium():
    """``f(arguments) -> what Chromium prints``."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not program:
        pytest.skip("there is no chromium: apt-get install chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,2400"]

    def run(*arguments):
        return subprocess.run(
            [program, *options, *arguments], capture_output=True, text=True, timeout=120, check=True
        ).stdout

    return run


def test_chromium_shows_it(report, chromium, tmp_path):
    """Sizes on the screen, texts in their places, and the colour of a curve among the pixels."""
    file = tmp_path / "report.html"
    file.write_text(report.replace("</body>", PROBE + "</body>"))
    shown = chromium("--dump-dom", file.as_uri())
    seen = json.loads(unescape(re.search("<title>(.*?)</title>", shown, re.S)[1]))
    assert len(seen["svg"]) == 3 and all(width > 200 and height > 100 for width, height in seen["svg"])
    visible = [text.split() for text, width, height in seen["rows"] if width and height]
    assert ["A3", "1"] in visible and ["HDP", "2"] in visible and ["array", "tile", "2"] in visible
    assert ["folded"] not in visible and seen["strong"] == 1
    assert seen["lead"].strip() == "Peers win & lose." and seen["overflow"] <= 0

    image = pytest.importorskip("PIL.Image", reason="the `plots` extra is not installed")
    picture = tmp_path / "report.png"
    chromium(f"--screenshot={picture}", file.as_uri())
    pixels = np.asarray(image.open(picture).convert("RGB")).astype(int)
    assert (np.abs(pixels - BLUE).max(-1) < 8).sum() > 300, "the curve is not on the screen"
