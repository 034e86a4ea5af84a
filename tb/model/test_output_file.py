"""Files that commands write: whole or not there, with errors that name them."""

import os
import stat

import pytest

from hdp_hw.spec.output_file import make_folder, naming, write


def test_writes_text_and_bytes_with_their_folders(tmp_path):
    write(tmp_path / "a" / "b.txt", "größe\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "größe\n".encode()
    write(tmp_path / "a" / "b.txt", b"\x00")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"\x00"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "a" / "b.txt").stat().st_mode) == 0o666 & ~umask


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / "x.json").write_text("old")

    def full(path, data):
        with open(path, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left on device") as raised:
        write(tmp_path / "x.json", "new")
    assert raised.value.filename == str(tmp_path / "x.json")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "new"


def test_devices_and_folders(tmp_path):
    write("/dev/null", "gone")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as raised:
        write(tmp_path / "folder", "text")
    assert raised.value.filename == str(tmp_path / "folder")
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError) as raised:
            make_folder(folder)
        assert raised.value.filename == str(folder)


def test_naming():
    with pytest.raises(PermissionError) as raised, naming("some.log"):
        raise PermissionError(13, "Permission denied")
    assert (raised.value.filename, raised.value.errno) == ("some.log", 13)


def test_names_that_the_locale_cannot_decode(tmp_path):
    write(tmp_path / "report", "Größe: " + "Größe".encode().decode("ascii", "surrogateescape"))
    assert (tmp_path / "report").read_text(encoding="utf-8") == "Größe: Größe"
