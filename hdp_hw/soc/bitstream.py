"""The bitstream of the SoC for a ULX3S, with open tools: gateware, and in its ROM the firmware with a model."""

from collections.abc import Callable, Iterable
from pathlib import Path

from hdp_hw.deliver.bitstream import finish
from hdp_hw.deliver.synth.devices import ECP5
from hdp_hw.deliver.synth.flow import synthesise_netlist, write_sources
from hdp_hw.deliver.synth.place_route import NETLIST
from hdp_hw.soc.firmware import rom, words_of
from hdp_hw.soc.model_case import ModelCase
from hdp_hw.soc.simulation import needing, write_coprocessor, write_firmware
from hdp_hw.soc.vectors import attention_cases, captured_cases
from hdp_hw.spec.output_file import make_folder, write

ROM_CONTENT = "top_rom.init"
PLACE = ["--85k", "--package", "CABGA381", "--speed", "6", "--json", NETLIST, "--lpf", "top.lpf"]
PLACE += ["--textcfg", "top.config", "--log", "top.tim"]
PACK = ["--compress", "--bit", "top.bit", "--svf", "top.svf", "top.config"]


def build_soc(case: ModelCase, folder: Path, seeds: Iterable[int], say: Callable[[str], None] = print) -> None:
    """Write all of the SoC with a co-processor and ``case`` to ``folder``, and a bitstream of each of ``seeds``.

    The last one's stays there. Raises ParameterError, SimulatorMissing, BuildError, SynthesisError.
    """
    with needing("packaging synth"):
        import pythondata_cpu_vexriscv  # noqa: F401

        from hdp_hw.soc.gateware import ROM_BYTES, undated
        from hdp_hw.soc.ulx3s import Ulx3sSoC
    make_folder(folder)
    write_coprocessor(case.params, folder)
    soc = Ulx3sSoC(folder)
    soc.platform.build(soc, build_dir=str(folder), build_name="top", run=False)
    for name, text in soc.firmware_headers().items():
        write(folder / name, text)
    sources = {"cases.c": attention_cases(captured_cases(case.params)), **case.sources(case.image())}
    content = rom(folder, write_firmware(folder, sources), ROM_BYTES)
    say(f"{len(content):,} bytes of {ROM_BYTES:,} of ROM: loader, firmware, and {case.name}")
    write(folder / ROM_CONTENT, words_of(content))
    verilog = [Path(file).read_text(encoding="utf-8") for file, *_ in soc.platform.sources]
    write_sources(undated("".join(verilog)), folder)
    say("synthesis")
    synthesise_netlist(folder, ECP5, say, "top", contents=[path.name for path in sorted(folder.glob("top_*.init"))])
    for seed in seeds:
        say(f"seed {seed}")
        finish(folder, [*PLACE, "--seed", str(seed)], PACK, say)
