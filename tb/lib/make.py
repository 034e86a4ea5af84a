"""make, as if no other make had called this process."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES")  #: by which a make hands its own variables on


def make(*words, environment=()):
    """subprocess.CompletedProcess of ``make`` with these words; environment : further variables."""
    inherited = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    options = {"cwd": ROOT, "env": inherited | dict(environment), "capture_output": True, "text": True}
    return subprocess.run(["make", *words], check=False, **options)
