"""The firmware: C of this folder, of the driver and of LiteX, compiled by Debian's compiler for RISC-V."""

import shutil
import subprocess
from pathlib import Path

from hdp_hw.driver.errors import BuildError, SimulatorMissing

SOURCES = Path(__file__).parent / "firmware"
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
    from litex.soc import cores, software

    if not shutil.which(COMPILER):
        raise SimulatorMissing(f"there is no compiler for RISC-V ({COMPILER}): apt-get install {PACKAGES}")
    cpu, hardware = Path(cores.__path__[0], "cpu", "vexriscv"), Path(software.__path__[0], "include")
    places = [f"-I{place}" for place in (".", SOURCES, DRIVER, cpu, hardware)]
    files = [cpu / "crt0.S", *sorted(SOURCES.glob("*.c")), *sorted(DRIVER.glob("*.c")), *sources]
    _run([COMPILER, *FLAGS, *places, *files, "-T", SOURCES / "link.ld", "-o", "firmware.elf"], folder)
    _run(["riscv64-unknown-elf-objcopy", "-O", "binary", "firmware.elf", "firmware.bin"], folder)
    return (folder / "firmware.bin").read_bytes()


def _run(command, folder):
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{command[0]} in {folder} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
