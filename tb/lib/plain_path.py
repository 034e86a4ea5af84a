"""Paths that make takes, of checkouts and environments in folders with spaces in their names."""

import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def plain(text: str, folders: tuple[Path, ...] = (ROOT, Path(sys.prefix))) -> str:
    """``text`` with the paths in it that begin with one of ``folders`` led through a link without such characters."""
    for folder in folders:
        if not re.fullmatch(r"[\w/.+-]+", str(folder), re.ASCII):
            text = text.replace(str(folder), str(link_to(folder)))
    return text


def link_to(folder: Path) -> Path:
    """A link to a folder among temporary files, the same each time."""
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    link = Path(tempfile.gettempdir(), f"hdp-hw-{os.getuid()}-{digest}")
    if not link.is_symlink():
        made = link.with_name(f"{link.name}-{os.getpid()}")
        made.symlink_to(folder)
        made.replace(link)  # at once: other processes do the same
    return link
