"""Sphinx's settings for the site; tools/site/build.py prepares the pages and starts it."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import hdp_hw  # noqa: E402 - of this checkout

project, release = "HDP-HW", hdp_hw.__version__
(copyright,) = re.findall(r"Copyright \(c\) (.*)", (ROOT / "LICENSE").read_text())
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["extra"]
myst_heading_anchors = 4  # by GitHub's names
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_css_files = ["site.css"]
html_copy_source = False
