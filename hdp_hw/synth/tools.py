"""Runs the tools: with progress, a limit of time, and not twice for the same."""

import hashlib
import json
import resource
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from hdp_hw.failure import Failure

POLL_SECONDS = 2
SAY_SECONDS = 30  #: at least between two lines of progress


class SynthesisError(Failure):
    """A tool is missing or failed; the message says which, and where its log is."""


class TimeLimit(Exception):
    """A tool took more processor time than it was given, and was ended."""


def version_of(tool):
    """Version of a tool's package. Raises SynthesisError if it is not installed."""
    try:
        return metadata.version(tool)
    except metadata.PackageNotFoundError:
        raise _missing(tool) from None


def _missing(tool):
    return SynthesisError(f"{tool} is not installed: make synth, or python3 tools/setup.py synth, installs it")


def run(folder, log, tool, arguments, sources, results, progress, say=print, limit=None):
    """Run a tool of the environment in ``folder`` (YoWASP sees no absolute paths) unless its results are there.

    sources, results : names of the files that it reads and writes
    progress : function of the log's text that returns a line to say, or ""
    limit : seconds of processor time, which do not depend on what else runs; or None
    Raises SynthesisError, TimeLimit.
    """
    program = Path(sys.executable).parent / tool
    if not program.exists():
        raise _missing(tool)
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sources}
    made_of = json.dumps([tool, version_of(tool), arguments, digests])
    stamp = folder / f"{log}.made-of"
    if stamp.exists() and stamp.read_text() == made_of and all((folder / name).exists() for name in results):
        say(f"  as before: {', '.join(results)}")
        return
    stamp.unlink(missing_ok=True)

    def limit_time():
        if limit:
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit), resource.getrlimit(resource.RLIMIT_CPU)[1]))

    begin = said = time.time()
    with open(folder / log, "w") as output:
        options = {"cwd": folder, "stdout": output, "stderr": subprocess.STDOUT, "preexec_fn": limit_time}
        process = subprocess.Popen([program, *arguments], **options)
    try:
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            now = time.time()
            if now - said > SAY_SECONDS and (line := progress((folder / log).read_text())):
                say(f"  {now - begin:4.0f} s: {line}")
                said = now
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode == -signal.SIGXCPU:
        raise TimeLimit
    if process.returncode:
        tail = "".join((folder / log).read_text().splitlines(keepends=True)[-5:])
        raise SynthesisError(f"{tool} failed; the end of {folder / log}:\n{tail}")
    stamp.write_text(made_of)
