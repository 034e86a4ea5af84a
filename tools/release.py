"""Makes a release of the last commit: ``tools/release.py [CONFIG ...] [--output DIR]``. ``make release`` calls it.

Writes the wheel, the source distribution, an archive of generated Verilog for each named configuration, and
``SHA256SUMS``. All of it is made in a copy of the commit: changes in the checkout do not slip in. Files have the time
of the commit, no owner and sorted names. So the same commit gives the same bytes, with the packages of
``locks/dev.lock`` and one version of zlib.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FACTS = "from hdp_hw import __version__; from hdp_hw.spec.configs import CONFIGS; print(__version__, *CONFIGS)"
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def main():
    parser = argparse.ArgumentParser(prog="tools/release.py", description=__doc__.partition("\n")[0])
    parser.add_argument("configs", nargs="*", metavar="CONFIG", help="named configurations (default: all)")
    parser.add_argument("--output", metavar="DIR", type=Path, default=Path("dist"), help="folder to write to")
    arguments = parser.parse_args()
    os.umask(0o022)  # it shows in the modes of files in the wheel
    commit, time = git("log", "-1", "--format=%h %ct").split()
    if git("status", "--porcelain"):
        print(f"release: of commit {commit}; changes that are not committed are left out", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made")
        made.mkdir()
        build(Path(folder), made, arguments.configs, int(time))
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(made.iterdir())]
        (made / "SHA256SUMS").write_text("\n".join(sums) + "\n")
        arguments.output.mkdir(parents=True, exist_ok=True)
        for path in sorted(made.iterdir()):
            print(shutil.copy(path, arguments.output))


def build(folder, made, configs, time):
    """Put all files of a release but the sums into ``made``; ``folder`` is for copies of the sources."""
    archive, source = folder / "commit.tar", folder / "source"
    git("archive", "--output", str(archive), "HEAD")
    shutil.unpack_archive(archive, source)
    version, *named = python(source, time, "-c", FACTS).split()
    for config in configs:
        if config not in named:
            sys.exit(f"release: {config} is no named configuration; legal: {', '.join(named)}")
    for config in configs or named:
        name = f"hdp-hw-{version}-{config}-verilog"
        python(source, time, "-m", "hdp_hw", "generate", config, "--output", str(folder / name))
        shutil.copy(source / "LICENSE", folder / name)
        pack(folder / name, made, time)
    packed = folder / python(source, time, "-c", BUILD, "build_sdist", str(folder)).split()[-1]
    shutil.unpack_archive(packed, folder)
    sdist = pack(folder / packed.name.removesuffix(".tar.gz"), made, time)
    shutil.unpack_archive(sdist, folder / "sdist")  # the wheel is made of what users get, modes and all
    (unpacked,) = (folder / "sdist").iterdir()
    python(unpacked, time, "-c", BUILD, "build_wheel", str(made))


def pack(folder, made, time):
    """Archive ``folder`` as ``<its name>.tar.gz`` in ``made``, and return the path."""

    def plain(member):
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime, member.mode = time, 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    path = made / f"{folder.name}.tar.gz"
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        archive.add(folder, folder.name, filter=plain)  # in the order of names
    return path


def git(*words):
    """What git says of this checkout."""
    return run(["git", "-C", str(ROOT), *words], None, os.environ)


def python(source, time, *words):
    """What Python prints with the sources of ``source``."""
    environment = os.environ | {"PYTHONPATH": str(source), "SOURCE_DATE_EPOCH": str(time)}
    return run([sys.executable, *words], source, environment)


def run(command, folder, environment):
    """What a command prints; exits with its errors if it fails."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        sys.exit(f"release: {Path(command[0]).name} failed: {lines[-1]}")
    return done.stdout


if __name__ == "__main__":
    main()
