"""A SoC and its firmware, built and run under Verilator."""

import json
import subprocess
from contextlib import contextmanager

from hdp_hw.driver.errors import Mismatch, SimulationError, SimulatorMissing
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.rtl.verilog import ports_of, to_verilog
from hdp_hw.simulation.library import CACHE, compiled
from hdp_hw.soc.firmware import firmware, rom, words_of
from hdp_hw.soc.model_source import encoder_tables
from hdp_hw.spec.output_file import write


class SimulatedBoard:
    """A SoC that firmware can run on.

    Parameters
    ----------
    params : HdpParams
        Of its co-processor; None for a SoC without.
    folder : pathlib.Path
        Gets all that is generated.
    cache : pathlib.Path
        Holds the compiled simulation.
    sdram : bool
        Main memory is an SDRAM behind LiteDRAM's controller, to which a loader copies the firmware.

    Raises
    ------
    SimulatorMissing
        When LiteX, its processor, Verilator or a compiler is not installed.
    BuildError
    """

    def __init__(self, params, folder, cache=CACHE, sdram=False):
        with needing("packaging"):
            import pythondata_cpu_vexriscv  # noqa: F401

            from hdp_hw.soc.gateware import NAME, ROM_BYTES, SimulatedSoC
        self.folder, self.word_bytes = folder, params.bus_bytes if params else 8
        self.rom_bytes = ROM_BYTES if sdram else 0
        if params:
            write_coprocessor(params, folder)
        files = SimulatedSoC(folder if params else None, sdram).files()
        for name, text in files.items():
            write(folder / name, text)
        self.program = compiled(files[f"{NAME}.v"], NAME, "soc_harness.cpp", cache, kind=())

    def run(self, sources, limit, say=print):
        """Lines that firmware with the ``sources``, ``{file: content}`` of C, sends; ``say`` gets each at once.

        limit : clock cycles, after which it should have ended.
        Raises BuildError, SimulationError, and Mismatch where the firmware itself says that it failed.
        """
        content = write_firmware(self.folder, sources)
        if self.rom_bytes:
            write(self.folder / "soc_rom.init", words_of(rom(self.folder, content, self.rom_bytes)))
        else:
            write(self.folder / "soc_main_ram.init", words_of(content, self.word_bytes))
        lines = []
        command = [self.program, str(limit)]
        with subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                say(lines[-1])
        if process.returncode:
            raise SimulationError(f"the firmware had not ended after {limit:,} clock cycles")
        if lines[-1:] != ["PASS"]:
            raise Mismatch("the firmware did not find what the golden model has")
        return lines


@contextmanager
def needing(extras):
    """For imports of what ``extras`` bring. Raises SimulatorMissing in place of ModuleNotFoundError."""
    try:
        yield
    except ModuleNotFoundError as error:
        text = f"the Python package {error.name} is not installed: python3 tools/setup.py {extras}"
        raise SimulatorMissing(text) from None


def write_coprocessor(params, folder):
    """What LiteX takes of the co-processor."""
    top = HdpTop(params)
    write(folder / "hdp_top.v", to_verilog(top, "hdp_top"))
    write(folder / "manifest.json", json.dumps({"ports": {"hdp_top": ports_of(top)}}))


def write_firmware(folder, sources):
    """Compile the firmware with ``sources``, ``{file: content}`` of C, in ``folder``; its bytes. Raises BuildError."""
    for name, content in (sources | {"encoder_tables.h": encoder_tables()}).items():
        write(folder / name, content)
    return firmware(folder, [name for name in sources if name.endswith(".c")])
