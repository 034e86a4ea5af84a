"""The Markdown files of the project as pages of a site: links lead to pages, or to pages that show a source file."""

import os
import re
import shutil
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
TOP = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
PICTURES = (".svg", ".png")
LANGUAGES = {".py": "python", ".v": "verilog", ".c": "c", ".h": "c", ".cpp": "cpp", ".json": "json", ".toml": "toml"}
CODE = r"(^```.*?^```|`[^`\n]+`)"  #: where nothing is a link

SOURCE = """---
orphan: true
---
# `{file}`

{fence}{{code-block}} {language}
:linenos:

{text}
{fence}
"""
TREE = """
```{{toctree}}
:hidden:
:caption: {caption}

{pages}
```
"""


class SiteError(Exception):
    """A site that cannot be made; the message is a line."""


def pages():
    """``{file from the root: name of its page}``."""
    return TOP | {f"docs/{path.name}": path.name for path in sorted((ROOT / "docs").glob("*.md"))}


def write(folder):
    """Write all pages of Markdown files into ``folder``, their pictures, and a page for each source file linked."""
    shown = set()
    for file, name in pages().items():
        (folder / name).write_text(linked((ROOT / file).read_text(encoding="utf-8"), file, shown), encoding="utf-8")
    with (folder / "index.md").open("a", encoding="utf-8") as index:
        index.write("".join(TREE.format(caption=caption, pages="\n".join(names)) for caption, names in trees().items()))
    shutil.copytree(ROOT / "docs" / "images", folder / "images")
    for file in sorted(shown):
        path = folder / source_page(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        language = LANGUAGES.get(PurePosixPath(file).suffix, "text")
        text = (ROOT / file).read_text(encoding="utf-8").rstrip()
        path.write_text(SOURCE.format(file=file, language=language, text=text, fence=8 * "`"), encoding="utf-8")


def trees():
    """``{caption: names of pages}`` of the sidebar: what README maps, in its order, and what the site adds."""
    mapped = re.findall(r"^\| \[[\w-]+\]\(docs/([\w-]+)\.md\)", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    return {"Pages": mapped, "Reference": ["python", "commands", "gallery"], "Project": ["contributing", "changelog"]}


def linked(text, file, shown):
    """``text`` of ``file`` with the links of its page; files that it shows as sources are added to ``shown``."""

    def replace(match):
        target, _, heading = match[1].partition("#")
        if not target or re.match(r"https?:", target):
            return match[0]
        found = os.path.normpath(PurePosixPath(file).parent / target)
        return f"]({page_of(found, file, shown)}{'#' * bool(heading)}{heading})"

    parts = re.split(CODE, text, flags=re.M | re.S)
    parts[::2] = [re.sub(r"\]\(([^)\s]+)\)", replace, part) for part in parts[::2]]
    return "".join(parts)


def page_of(file, origin, shown):
    """What a link to a file of the checkout leads to on the site. Raises SiteError."""
    if name := pages().get(file):
        return name
    if not (ROOT / file).is_file():
        raise SiteError(f"{origin} links to {file}, which is no file")
    if file.endswith(PICTURES):
        return file.removeprefix("docs/")
    shown.add(file)
    return source_page(file)


def source_page(file):
    """Name of the page that shows a source file."""
    return f"source/{file}.md"
