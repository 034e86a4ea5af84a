"""Files that commands write: each is whole or not there, and what keeps one from being written names it."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write(path: str | Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, and the folders around it; an old file stays until the new one is whole.

    Names of files that an ASCII locale could not decode stand in the text as they stand on the disk.
    Raises OSError, with the file's name.
    """
    data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    make_folder(Path(path).parent)
    place = Path(path).resolve()  # behind a link: it stays one
    partial = place.with_name(f".{os.getpid()}-{threading.get_ident()}.partial")
    with naming(path):
        if place.exists() and not (place.is_file() and os.access(place, os.W_OK)):
            place.write_bytes(data)  # a device or a pipe takes it; a folder or a protected file does not
            return
        try:
            partial.write_bytes(data)
            partial.replace(place)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def make_folder(path: Path) -> None:
    """Make a folder and those around it, where they are not there yet. Raises OSError, with its name."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Errors of the system inside are errors of this file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
