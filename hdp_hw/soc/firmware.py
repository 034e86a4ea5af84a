"""The firmware: C of this folder, of the driver and of LiteX, compiled by Debian's compiler for RISC-V."""

import re
import shutil
import subprocess
from pathlib import Path

from hdp_hw.driver.errors import BuildError, SimulatorMissing

SOURCES = Path(__file__).parent / "firmware"
LOADER = "loader.c"  #: of the ROM
WORD_BYTES = 4  #: of the processor
DRIVER = Path(__file__).parents[1] / "driver" / "c"
COMPILER, PACKAGES = "riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"
FLAGS = [  # of ISA 2.2, in which CSRs are no extension: with one the compiler finds no library
    *("--specs=picolibc.specs", "-march=rv32im", "-misa-spec=2.2", "-mabi=ilp32", "-std=gnu11", "-O2"),
    *("-Wall", "-Wextra", "-nostartfiles", "-ffunction-sections", "-fdata-sections"),
    *("-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments"),
]


def firmware(folder, sources):
    """Bytes of main memory's content, of the ``sources`` in ``folder``, which has LiteX's ``generated`` headers.

    Raises SimulatorMissing without the compiler, and BuildError.
    """
    own = [file for file in sorted(SOURCES.glob("*.c")) if file.name != LOADER]
    return _linked(folder, "firmware", [*own, *sorted(DRIVER.glob("*.c")), *sources], "link.ld")


def rom(folder, content, size):
    """Bytes of a ROM of at most ``size``: a loader, and main memory's ``content`` for it. Raises as firmware does."""
    loader = _linked(folder, "loader", [SOURCES / LOADER], "loader.ld")
    content += bytes(-len(content) % WORD_BYTES)
    whole = loader + (len(content) // WORD_BYTES).to_bytes(WORD_BYTES, "little") + content
    if len(whole) > size:
        text = f"loader and firmware have {len(whole):,} bytes, and the ROM {size:,}"
        raise BuildError(f"{text}: take a smaller model, or shorter inputs")
    return whole


def words_of(content, word_bytes=WORD_BYTES):
    """Text of a memory's content for Verilog's $readmemh, little-endian."""
    content += bytes(-len(content) % word_bytes)
    return "\n".join(content[at : at + word_bytes][::-1].hex() for at in range(0, len(content), word_bytes))


def _linked(folder, name, sources, script):
    """Bytes of ``sources`` with LiteX's start-up code."""
    from litex.soc import cores, software

    if not shutil.which(COMPILER):
        raise SimulatorMissing(f"there is no compiler for RISC-V ({COMPILER}): apt-get install {PACKAGES}")
    cpu, hardware = Path(cores.__path__[0], "cpu", "vexriscv"), Path(software.__path__[0], "include")
    places = [f"-I{place}" for place in (".", SOURCES, DRIVER, cpu, hardware)]
    files = [cpu / "crt0.S", *sources]
    _run([COMPILER, *FLAGS, *places, *files, "-T", SOURCES / script, "-o", f"{name}.elf"], folder)
    _run(["riscv64-unknown-elf-objcopy", "-O", "binary", f"{name}.elf", f"{name}.bin"], folder)
    return (folder / f"{name}.bin").read_bytes()


def _run(command, folder):
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    if beyond := re.search(r"`main_ram' overflowed by (\d+) bytes", done.stderr):
        raise BuildError(f"main memory is {int(beyond[1]):,} bytes too small: take a smaller model, or shorter inputs")
    if done.returncode:
        raise BuildError(f"{command[0]} in {folder} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
