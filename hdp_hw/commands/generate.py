"""hdp-hw generate: the core, the co-processor around it, the driver in C, and the manifest."""

import argparse
import json
from pathlib import Path

from hdp_hw.commands.arguments import add_config, config_of, folder
from hdp_hw.spec.output_file import write

NAME, HELP = "generate", "write Verilog, driver in C and manifest"
C_DRIVER = Path(__file__).parents[1] / "driver" / "c"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("-o", "--output", metavar="DIR", type=folder, help="folder to write to (default: build/<name>)")


def run(arguments: argparse.Namespace) -> int:
    label, params = config_of(arguments)
    from hdp_hw.deliver.manifest import manifest  # after the errors: slow to import
    from hdp_hw.deliver.packaging import packages
    from hdp_hw.rtl.core.attention_core import AttentionCore
    from hdp_hw.rtl.shell.hdp_top import HdpTop
    from hdp_hw.rtl.verilog import ports_of, to_verilog

    place = arguments.output or Path("build", label)
    modules = {"hdp_core": AttentionCore(params), "hdp_top": HdpTop(params)}
    files = {f"{name}.v": to_verilog(module, name) for name, module in modules.items()}
    files |= {path.name: path.read_text(encoding="utf-8") for path in sorted(C_DRIVER.iterdir())}
    files |= packages(label, params, ports_of(modules["hdp_top"]))
    facts = manifest(label, params, modules, files)
    for name, text in (files | {"manifest.json": json.dumps(facts, indent=2) + "\n"}).items():
        write(place / name, text)
        digest = facts["sha256"].get(name)
        print(f"{place / name}" + (f": sha256 {digest}" if digest else ""))
    print(f"{params.multipliers} digit products a cycle of a core, {facts['memory_bits']['hdp_core']} memory bits")
    return 0
