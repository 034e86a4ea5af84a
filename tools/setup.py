"""Sets a checkout up: ``python3 tools/setup.py [LOCK ...] [--simulators] [--firmware]``. Takes only what Python has.

Creates ``.venv`` and installs into it the packages of ``locks/dev.lock`` and of every further LOCK named (``synth``,
``formal``, ``models``, ``packaging``, ``docs``), then this project itself, editable. With ``--simulators`` it also sees
to what a simulation takes from the system: Icarus, a C++ compiler and Python's shared library; with ``--firmware`` to a
compiler for RISC-V and its C library. What Debian's package manager must install for that, it installs when it may (as
root or with sudo that asks for no password); otherwise it prints the line to run. Does nothing, quickly, when all is
there already.
"""

import argparse
import difflib
import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON, PIP = VENV / "bin" / "python", VENV / "bin" / "pip"  # pip arrives last: with it the environment is whole
SIMULATORS = {"iverilog": "iverilog", "c++": "g++"}  #: ``{program or file: Debian's package}``
FIRMWARE = {
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
    "/usr/lib/picolibc/riscv64-unknown-elf/picolibc.specs": "picolibc-riscv64-unknown-elf",
}
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def main():
    parser = argparse.ArgumentParser(prog="tools/setup.py", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "locks", nargs="*", metavar="LOCK", help="further lock files: synth, formal, models, packaging, docs"
    )
    parser.add_argument("--simulators", action="store_true", help="see to what a simulation needs too")
    parser.add_argument("--firmware", action="store_true", help="see to a compiler for RISC-V too")
    parser.add_argument("--given", default="", metavar="NAMES", help="variables on make's command line")
    parser.add_argument("--takes", default="", metavar="NAMES", help="variables that the target takes")
    arguments = parser.parse_args()
    refuse_unknown(arguments.given.split(), arguments.takes.split())
    if sys.version_info < (3, 11):  # noqa: UP036 - any Python may start this file
        sys.exit(f"setup: Python 3.11 or newer is needed, this is {PYTHON_VERSION}; try make PYTHON=python3.11")
    packages = missing_for_venv() if not PIP.exists() else []
    if arguments.simulators:
        packages += missing(SIMULATORS)
    if arguments.firmware:
        packages += missing(FIRMWARE)
    system_install(packages)
    for lock in ["dev", *arguments.locks]:
        python_install(ROOT / "locks" / f"{lock}.lock")
    if arguments.simulators and not has_libpython():
        system_install([f"libpython{PYTHON_VERSION}"])
        if not has_libpython():
            sys.exit(f"setup: cocotb needs the shared library of Python {PYTHON_VERSION}, which is not to be found")


def refuse_unknown(given, takes):
    """Exit with what is legal if make was given a variable that its target would ignore."""
    for name in given:
        if name not in takes:
            near = difflib.get_close_matches(name.upper(), takes, 1)
            hint = f"do you mean {near[0]}? " if near else ""
            sys.exit(f"make: {name} is no variable of this target; {hint}legal: {', '.join(takes)}")


def missing_for_venv():
    """Debian's packages that this Python needs to make a virtual environment."""
    return [] if find_spec("ensurepip") and find_spec("venv") else [f"python{PYTHON_VERSION}-venv"]


def missing(tools):
    """Debian's packages of ``tools``, ``{program or file: package}``, that are not there."""
    return [package for tool, package in tools.items() if not shutil.which(tool) and not Path(tool).exists()]


def has_libpython():
    """Whether cocotb will find the shared library of Python."""
    probe = "import sys, find_libpython; sys.exit(not find_libpython.find_libpython())"
    return subprocess.run([PYTHON, "-c", probe], check=False).returncode == 0


def system_install(packages):
    """Have Debian's package manager install ``packages``; exits with the line to run if it may not."""
    if not packages:
        return
    line = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") and (not prefix or (shutil.which("sudo") and succeeds([*prefix, "true"]))):
        print("setup: installing", *packages, flush=True)
        environment = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive"]
        succeeds([*environment, "apt-get", "update", "-q"])  # the lists of a fresh machine are empty; old ones may do
        if succeeds([*environment, *line]):
            return
    sys.exit("setup: the system lacks programs; please run\n    sudo apt-get update && sudo " + " ".join(line))


def succeeds(command):
    """Whether ``command`` runs and exits with 0."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0


def python_install(lock):
    """Create the virtual environment if need be, and install ``lock`` and the project, unless that is done already."""
    stamp = VENV / f"{lock.stem}.stamp"
    digest = hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if PIP.exists() and stamp.exists() and stamp.read_text() == digest:
        return
    if not PIP.exists():
        print("setup: creating .venv", flush=True)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    print(f"setup: installing {lock.relative_to(ROOT)}", flush=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "-r", lock], check=True)
    subprocess.run([*pip, "--no-build-isolation", "-e", ROOT], check=True)
    stamp.write_text(digest)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"setup: failed: {' '.join(map(str, error.cmd))}")
