"""Builds the site of the documentation: ``tools/site/build.py [--output DIR]``. ``make docs`` calls it.

Its pages are README and the files of docs/, a page for each source file that they link to, the reference of the Python
interface and of the commands, and a gallery. A link that leads nowhere, like any warning of Sphinx's, ends the build.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import gallery
import links
import pages
import reference

PACKAGES = ("sphinx", "myst_parser", "furo", "matplotlib", "tokenizers")


def main():
    parser = argparse.ArgumentParser(prog="tools/site/build.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--output", metavar="DIR", type=Path, default=pages.ROOT / "build" / "site")
    output = parser.parse_args().output
    if missing := [name for name in PACKAGES if not find_spec(name)]:
        raise pages.SiteError(f"{missing[0]} is not installed: python3 tools/setup.py docs models")
    if output.exists() and not (output / ".buildinfo").exists():
        raise pages.SiteError(f"{output} is there and is no site; another --output?")
    with tempfile.TemporaryDirectory() as folder:
        sources, work = Path(folder, "sources"), Path(folder, "work")
        sources.mkdir()
        work.mkdir()
        pages.write(sources)
        reference.write(sources)
        gallery.write(sources, work)
        shutil.rmtree(output, ignore_errors=True)
        words = ["-b", "html", "-q", "-W", "--keep-going", "-c", Path(__file__).parent, "-d", work / "doctrees"]
        words += ["-D", f"html_extra_path={sources / 'extra'}", sources, output]
        command = [sys.executable, "-m", "sphinx", *map(str, words)]
        if subprocess.run(command, env=os.environ | {"PYTHONPATH": str(pages.ROOT)}, check=False).returncode:
            raise pages.SiteError("Sphinx found what stands above")
    if dead := links.dead(output):
        raise pages.SiteError("links that lead nowhere:\n" + "\n".join(dead))
    print(output / "index.html")


if __name__ == "__main__":
    try:
        main()
    except pages.SiteError as error:
        sys.exit(f"site: {error}")
