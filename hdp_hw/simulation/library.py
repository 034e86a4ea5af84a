"""A module's Verilog, compiled by Verilator together with a harness in C++ and loaded into this process."""

import ctypes
import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from hdp_hw.driver.errors import BuildError, SimulatorMissing
from hdp_hw.simulation import verilator
from hdp_hw.spec.output_file import write

FOLDER = Path(__file__).parent
CACHE = Path("build", "simulator")  #: compiled models, a folder each, named by a digest of all that went into it
SHARED = ("-fPIC", "-fvisibility=hidden", "-shared")  #: what makes a library, not a program


def load(verilog, name, harness, cache=CACHE, binding=""):
    """ctypes.CDLL of a harness around a module: see :func:`compiled`."""
    return ctypes.CDLL(str(compiled(verilog, name, harness, cache, binding)))


def compiled(verilog, name, harness, cache=CACHE, binding="", kind=SHARED):
    """Path of a harness around a module, compiled; it is built unless that has been done already.

    Parameters
    ----------
    verilog, name : str
        Text and name of the module.
    harness : str
        File beside this one.
    cache : pathlib.Path
        Holds the folder of the library.
    binding : str
        Text of ``binding.h``, for a harness that includes it.
    kind : sequence of str
        Arguments of the compiler for a library, or none for a program.

    Raises
    ------
    SimulatorMissing
        When Verilator or a C++ compiler is not installed.
    BuildError
    """
    verilate = [verilator.binary(), "--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert"]
    verilate += ["-Wno-fatal", "-Wno-lint", "--top-module", name, "--prefix", f"V{name}", "-Mdir", ".", f"{name}.v"]
    build = ["c++", "-O1", "-w", "-std=gnu++17", *kind, "-pthread", "-I."]
    build += [*verilator.compiler_arguments(), "all.cpp", *verilator.runtime_sources(), "-o", f"{name}.partial"]
    files = {f"{name}.v": verilog, "binding.h": binding}
    files |= {source: (FOLDER / source).read_text(encoding="utf-8") for source in (harness, "harness.h")}
    ingredients = [*files.values(), verilator.version(), *verilate, *build]
    digest = hashlib.sha256("\n".join(ingredients).encode()).hexdigest()[:16]
    folder = Path(cache).resolve() / f"{name}-{digest}"
    library = folder / f"{name}.so"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:  # two processes may want the same model
        fcntl.flock(lock, fcntl.LOCK_EX)
        if library.exists():
            return library
        if not shutil.which("c++"):
            raise SimulatorMissing("there is no C++ compiler (c++): apt-get install g++")
        for file, text in files.items():
            write(folder / file, text)
        with open(folder / "build.log", "w") as log:
            _command(verilate, folder, log)
            sources = [harness, *sorted(path.name for path in folder.glob(f"V{name}*.cpp"))]
            write(folder / "all.cpp", "".join(f'#include "{source}"\n' for source in sources))
            _command(build, folder, log)  # one file: most of the compiler's time goes into Verilator's headers
        for generated in folder.glob(f"V{name}*"):
            generated.unlink()
        (folder / f"{name}.partial").rename(library)
    return library


def _command(command, folder, log):
    """Run a step of the build; its words go to ``log``."""
    environment = os.environ | verilator.environment()
    code = subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=log, check=False).returncode
    if code:
        raise BuildError(
            f"{command[0]} in {folder} ended with code {code}:\n{Path(log.name).read_text(encoding='utf-8')[-2000:]}"
        )
