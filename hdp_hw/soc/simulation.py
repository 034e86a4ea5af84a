"""A SoC and its firmware, built and run under Verilator."""

import json
import subprocess

from hdp_hw.driver.errors import Mismatch, SimulationError, SimulatorMissing
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.rtl.verilog import ports_of, to_verilog
from hdp_hw.simulation.library import CACHE, compiled
from hdp_hw.soc.firmware import firmware
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

    Raises
    ------
    SimulatorMissing
        When LiteX, its processor, Verilator or a compiler is not installed.
    BuildError
    """

    def __init__(self, params, folder, cache=CACHE):
        try:
            import pythondata_cpu_vexriscv  # noqa: F401

            from hdp_hw.soc.gateware import NAME, SimulatedSoC
        except ModuleNotFoundError as error:
            text = f"the Python package {error.name} is not installed: python3 tools/setup.py packaging"
            raise SimulatorMissing(text) from None
        self.folder, self.word_bytes = folder, params.bus_bytes if params else 8
        if params:
            top = HdpTop(params)
            write(folder / "hdp_top.v", to_verilog(top, "hdp_top"))
            write(folder / "manifest.json", json.dumps({"ports": {"hdp_top": ports_of(top)}}))
        files = SimulatedSoC(folder if params else None).files()
        for name, text in files.items():
            write(folder / name, text)
        self.program = compiled(files[f"{NAME}.v"], NAME, "soc_harness.cpp", cache, kind=())

    def run(self, sources, limit, say=print):
        """Lines that firmware with the C ``sources``, ``{file: text}``, sends; ``say`` gets each at once.

        limit : clock cycles, after which it should have ended.
        Raises BuildError, SimulationError, and Mismatch where the firmware itself says that it failed.
        """
        for name, text in (sources | {"encoder_tables.h": encoder_tables()}).items():
            write(self.folder / name, text)
        content = firmware(self.folder, sources)
        content += bytes(-len(content) % self.word_bytes)
        words = (content[at : at + self.word_bytes][::-1].hex() for at in range(0, len(content), self.word_bytes))
        write(self.folder / "soc_main_ram.init", "\n".join(words))
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
