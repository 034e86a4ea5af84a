"""The documentation as a site: links lead to pages, the build is strict, a browser opens it."""

import importlib.util
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from hdp_hw import driver
from hdp_hw.__main__ import COMMANDS
from tb.lib.docs import DOCS

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PACKAGES = all(find_spec(name) for name in ("sphinx", "myst_parser", "furo", "matplotlib", "tokenizers"))


def load(name):
    """A module of tools/site, which is a folder of programs and no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / "site" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages, links = load("pages"), load("links")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, str(ROOT / "tools" / "site" / "build.py"), "--output", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("README.md", "[a](docs/driver.md#settings)", "[a](driver.md#settings)"),
        ("README.md", "![a\nb](docs/images/blocks.svg)", "![a\nb](images/blocks.svg)"),
        ("docs/driver.md", "[a](numerics.md), [b](../README.md)", "[a](numerics.md), [b](index.md)"),
        ("docs/driver.md", "[`a`](../tools/setup.py)", "[`a`](source/tools/setup.py.md)"),
        ("docs/driver.md", "[a](#here) [b](https://example.org/c.md)", "[a](#here) [b](https://example.org/c.md)"),
        ("docs/driver.md", "`a[0](b)`\n```\na[0](b)\n```\n", "`a[0](b)`\n```\na[0](b)\n```\n"),
    ],
)
def test_links_of_pages(file, text, expected):
    shown = set()
    assert pages.linked(text, file, shown) == expected
    assert shown == ({"tools/setup.py"} if "setup" in text else set())


def test_link_to_nothing_is_refused():
    with pytest.raises(pages.SiteError, match=r"docs/driver.md links to tools/none.py, which is no file"):
        pages.linked("[a](../tools/none.py)", "docs/driver.md", set())


def test_a_report_that_its_command_did_not_write(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools" / "site")
    gallery = load("gallery")
    monkeypatch.setattr(gallery, "run", lambda words, folder: (folder / "masks.png").touch())
    (tmp_path / "images").mkdir()
    with pytest.raises(gallery.SiteError, match=r"`hdp-hw compare .*` wrote no build/compare/.*\.html"):
        gallery.write(tmp_path, tmp_path)


def test_dead_links_are_found(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.html").write_text('<p id="x"><a href="in/b.html#y">1</a> <a href="#z">2</a> <img src="c.svg">')
    (tmp_path / "in" / "b.html").write_text('<a id="y" href="../a.html#x">3</a> <a href="https://example.org">4</a>')
    assert links.dead(tmp_path) == ["a.html: #z", "a.html: c.svg"]


def test_a_folder_that_is_no_site_stays(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    command = [sys.executable, str(ROOT / "tools" / "site" / "build.py"), "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and (tmp_path / "notes.txt").read_text() == "mine"
    assert re.fullmatch(
        r"site: .* is (not installed: python3 tools/setup.py docs models|there and is no site; .*)\n", done.stderr
    )


@pytest.mark.slow
@pytest.mark.skipif(not PACKAGES, reason="python3 tools/setup.py docs models")
class TestSite:
    def test_links(self, site):
        """The build has checked them; so that it is not the check that is broken, one of its anchors is taken away."""
        assert links.dead(site) == []
        page = site / "numerics.html"
        text = page.read_text()
        assert text.count('id="decisions-from-a-alone"') == 1
        page.write_text(text.replace('id="decisions-from-a-alone"', ""))
        assert "driver.html: numerics.html#decisions-from-a-alone" in links.dead(site)
        page.write_text(text)

    def test_tables_and_pictures(self, site):
        """Every table and picture of a page on GitHub is one on the site."""
        for file, name in pages.pages().items():
            text = re.sub(r"^```.*?^```", "", (ROOT / file).read_text(), flags=re.M | re.S)
            page = (site / name).with_suffix(".html").read_text()
            assert page.count("<table") == len(re.findall(r"^\|[ :|-]+\|$", text, re.M)), file
            assert len(re.findall(r"<img[^>]*_images/", page)) == len(re.findall(r"!\[", text)), file

    def test_reference(self, site):
        page = (site / "python.html").read_text()
        assert [name for name in driver.__all__ if f'id="hdp_hw.driver.{name}"' not in page] == []
        page = (site / "commands.html").read_text()
        assert [each.NAME for each in COMMANDS if f'id="hdp-hw-{each.NAME}"' not in page] == []

    def test_every_page_is_in_the_sidebar(self, site):
        page = (site / "gallery.html").read_text()
        assert [path.stem for path in DOCS.glob("*.md") if f'href="{path.stem}.html"' not in page] == []
        assert page.count("<iframe") == 1 and len(list((site / "reports").rglob("*.html"))) == 3

    @pytest.mark.skipif(not CHROMIUM, reason="apt-get install chromium")
    @pytest.mark.parametrize("name", ["index", "gallery"])
    def test_in_a_browser(self, site, tmp_path, name):
        """The page shows its title, and all that it asks for is there; it asks for nothing of another host."""
        answers = []

        class Handler(SimpleHTTPRequestHandler):
            def log_request(self, code="-", size="-"):
                answers.append((int(code), self.path))

        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=site))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom"]
        command = [CHROMIUM, *options, f"http://127.0.0.1:{server.server_port}/{name}.html"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
        server.shutdown()
        assert re.search(r"<title>[^<]*HDP-HW \d+\.\d+\.\d+[^<]*</title>", shown)
        asked = [path for _, path in answers]
        assert [each for each in answers if each[0] >= 400] == [] and any(".css" in path for path in asked)
        assert any(path.startswith("/_images/") for path in asked)
        assert re.findall(r"<(?:script|img|iframe|link)[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*", shown) == []
