"""Links and anchors of a site of HTML files that lead nowhere."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page links to, and the anchors that it has."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.anchors = [], {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id" or (tag, name) == ("a", "name"):
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.targets.append(value)


def dead(folder):
    """``["page: target"]`` of the links within ``folder`` whose file or anchor is not there."""
    found = {path.resolve(): Page(path) for path in sorted(Path(folder).rglob("*.html"))}
    lines = []
    for path, page in found.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            linked = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not linked.is_file() or (linked in found and anchor not in found[linked].anchors):
                lines.append(f"{path.relative_to(Path(folder).resolve())}: {target}")
    return lines
