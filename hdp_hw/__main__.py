"""Command line: ``hdp-hw`` or ``python -m hdp_hw``."""

import argparse
import inspect
import json
import os
import shlex
import sys
from pathlib import Path

from hdp_hw import __version__
from hdp_hw.deliver.manifest import derived_of, manifest
from hdp_hw.rtl.verilog import ports_of, to_verilog
from hdp_hw.spec.configs import CONFIGS, PURPOSE, load_config, vars_of
from hdp_hw.spec.failure import Failure
from hdp_hw.spec.params import HdpParams, ParameterError

C_DRIVER = Path(__file__).parent / "driver" / "c"


def main(argv=None):
    """Run one command; returns the exit code, 2 for what the user can mend."""
    parser = argparse.ArgumentParser(prog="hdp-hw", description="Generator of the HDP-HW attention core.")
    parser.add_argument("--version", action="version", version=f"hdp-hw {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("generate", help="write Verilog, driver in C and manifest")
    add_config(command)
    command.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder to write to (default: build/<name>)")
    command.set_defaults(run=generate)

    command = commands.add_parser("configs", help="list the named configurations and explain every parameter")
    command.set_defaults(run=configs)

    command = commands.add_parser("bench", help="measure clock cycles in simulation, against the golden models")
    benches = command.add_subparsers(dest="what", required=True, metavar="core|layer")
    for what, configs_by_default, text in (
        ("core", "tiny edge", "heads on a core whose streams never stall"),
        ("layer", "edge", "layers on the co-processor, from start bit to interrupt"),
    ):
        command = benches.add_parser(what, help=text)
        command.add_argument("configs", metavar="CONFIG|NAME=VALUE", nargs="*", help=f"default: {configs_by_default}")
        command.add_argument("--quick", action="store_true", help="fewer of them")
        command.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count(), help="simulations at a time")
        command.add_argument(
            "--readme", metavar="FILE", type=Path, help="rewrite the table between this file's markers"
        )
        command.set_defaults(run=bench)
    command.add_argument("--cores", metavar="N", type=int, nargs="+", default=[1, 2, 4], help="default: 1 2 4")
    command.add_argument(
        "--bus-widths", metavar="BITS", type=int, nargs="+", default=[32, 64, 128], help="default: all"
    )
    command.add_argument("--latency", metavar="CYCLES", type=int, default=20, help="of the memory (default: 20)")

    command = commands.add_parser("compare", help="accuracy against net saving, of HDP and its peers, on a model")
    command.add_argument("model", metavar="MODEL", help="a folder of Hugging Face, an installed package, or minilm")
    command.add_argument("--data", metavar="FILE", help="examples: .tsv, .csv, .txt or .npz (default: built-in ones)")
    command.add_argument("--examples", metavar="N", type=int, default=100, help="examples to measure (default: 100)")
    command.add_argument("--max-tokens", metavar="N", type=int, help="cut texts (default: what the array holds)")
    command.add_argument("--timed", metavar="N", type=int, default=20, help="inputs to predict cycles of (default: 20)")
    command.add_argument(
        "--only", metavar="TEXT", nargs="+", default=[], help="curves with one of these in their names"
    )
    command.add_argument("--settings", metavar="FILE", help="settings of this model, as the driver reads them, to add")
    command.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count(), help="processes")
    command.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster whose workers do the work instead")
    command.add_argument("--config", metavar="CONFIG", default="tiny", help="the array (default: tiny)")
    command.add_argument("--set", metavar="NAME=VALUE", nargs="+", default=[], help="parameters of the array to change")
    command.add_argument("-o", "--output", metavar="DIR", type=Path, default=Path("build", "compare"))
    command.set_defaults(run=compare)

    command = commands.add_parser("faults", help="do to the simulated co-processor all that can go wrong")
    add_config(command, default="tiny")
    command.add_argument("--tries", metavar="N", type=int, default=300, help="of what strikes at random (default: 300)")
    command.add_argument("--seed", type=int, default=1, help="of all that is random (default: 1)")
    command.set_defaults(run=faults)

    command = commands.add_parser("calibrate", help="find the settings that save most within an allowed loss")
    add_workplace(command)
    command.add_argument("-o", "--output", metavar="FILE", default="settings.json", help="settings, .json or .toml")
    command.set_defaults(run=calibrate)

    command = commands.add_parser("profile", help="what pruning saves and costs for a model, and whether it pays")
    add_workplace(command)
    command.add_argument("--settings", metavar="FILE", help="of hdp-hw calibrate (default: calibrated first)")
    command.add_argument("--timed", metavar="N", type=int, default=8, help="inputs to predict cycles of (default: 8)")
    command.add_argument("-o", "--output", metavar="DIR", type=Path, default=Path("build", "profile"))
    command.set_defaults(run=profile)

    command = commands.add_parser("explore", help="which co-processors are worth building for a device and a workload")
    command.add_argument("--target", metavar="DEVICE", default="ecp5-85", help="ecp5-25, ecp5-45 or ecp5-85 (default)")
    add_workload(command)
    command.add_argument(
        "--sweep", metavar="NAME=VALUE,...", nargs="+", default=[], help="values of a parameter (default: legal ones)"
    )
    command.add_argument("--latency", metavar="CYCLES", type=int, default=20, help="of the memory (default: 20)")
    command.add_argument("--fill", metavar="SHARE", type=float, default=0.9, help="of the LUTs to use (default: 0.9)")
    command.add_argument("--check", action="store_true", help="simulate and synthesise the Pareto points")
    command.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count(), help="processes")
    command.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster whose workers do the work instead")
    command.add_argument("-o", "--output", metavar="DIR", type=Path, default=Path("build", "explore"))
    command.set_defaults(run=explore)

    command = commands.add_parser("energy", help="estimate the energy of attention, pruned and dense")
    add_config(command, default="edge")
    add_workload(command)
    command.set_defaults(run=energy)

    command = commands.add_parser("synth", help="synthesise a core; for an ECP5 or a Gowin, place and route it too")
    add_config(command)
    devices = "LFE5U-25F, LFE5U-45F, LFE5U-85F (default) or GW2A-18, placed and routed; xc7, xcup or ice40, synthesised"
    add_place_and_route(command, devices)
    command.add_argument("--publish", action="store_true", help="put the record into docs/synthesis.json")
    command.set_defaults(run=synth)

    command = commands.add_parser("tiles", help="synthesise arrays of several sizes, for docs/synthesis.json")
    add_place_and_route(command, "an ECP5 (default: LFE5U-85F)")
    command.set_defaults(run=tiles)

    command = commands.add_parser("board", help="write the demonstration for a board, and build its bitstream")
    command.add_argument("board", metavar="BOARD", help="ulx3s (LFE5U-85F) or arty_a7 (XC7A100T)")
    command.add_argument("--config", default="tiny", help="default: tiny")
    command.add_argument("--baud", type=int, default=1_000_000, help="of the serial line (default: 1000000)")
    command.add_argument("--build", action="store_true", help="build the bitstream, with open tools (ulx3s)")
    command.set_defaults(run=board)

    command = commands.add_parser("registers", help="write what is made from hdp_hw/spec/registers.rdl")
    command.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")
    command.set_defaults(run=registers)

    arguments = parser.parse_args(argv)
    sys.stdout.reconfigure(line_buffering=True)  # progress shows at once in a file or a pipe, too
    try:
        return arguments.run(arguments)
    except (ParameterError, OSError) as error:
        print(f"hdp-hw: {error}", file=sys.stderr)
        return 2
    except Failure as error:
        print(f"hdp-hw {arguments.command}: {error}", file=sys.stderr)
        return 1


def add_config(command, default=None):
    """The arguments that choose a configuration; :func:`config_of` reads them."""
    names = f"{', '.join(CONFIGS)} or a TOML file" + (f" (default: {default})" if default else "")
    command.add_argument("config", metavar="CONFIG", nargs="?" if default else None, default=default, help=names)
    command.add_argument("overrides", metavar="NAME=VALUE", nargs="*", help="a parameter to change, such as TILE=4")


def add_place_and_route(command, devices):
    """The arguments of commands that place and route, with their help on devices."""
    command.add_argument("--device", default="LFE5U-85F", help=devices)
    command.add_argument("--speed", type=int, default=6, help="grade of an ECP5, 6 to 8 (default: 6, the slowest)")
    command.add_argument("--seeds", type=int, nargs="*", default=[1], help="of place and route (default: 1)")
    command.add_argument(
        "--limit", metavar="MINUTES", type=float, default=60, help="of processor time, a seed (default: 60)"
    )


def add_workplace(command):
    """The arguments of commands that calibrate a model."""
    command.add_argument("model", metavar="MODEL", help="a folder of Hugging Face, an installed package, or minilm")
    command.add_argument("--data", metavar="FILE", help="examples: .tsv, .csv, .txt or .npz (default: built-in ones)")
    command.add_argument("--limit", metavar="N", type=int, help="the first examples only")
    command.add_argument("--max-tokens", metavar="N", type=int, help="cut texts (default: what the core holds)")
    command.add_argument("--max-loss", metavar="SHARE", default="1%", help="of the metric (default: 1%%)")
    command.add_argument("--rules", metavar="RULE,...", default="mass,margin,row_threshold", help="(default: all)")
    command.add_argument("--sample", metavar="N", type=int, default=16, help="inputs to try choices on (default: 16)")
    command.add_argument("--steps", metavar="N", type=int, default=8, help="settings to measure (default: 8)")
    command.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count(), help="threads")
    command.add_argument("--config", metavar="CONFIG", help="the core (default: the first that takes the heads)")
    command.add_argument("--set", metavar="NAME=VALUE", nargs="+", default=[], help="parameters of the core to change")


def add_workload(command):
    """The arguments that choose a workload; :func:`workload_of` reads them."""
    text = "minilm, wide, or a settings file of hdp-hw calibrate (default: minilm)"
    command.add_argument("--workload", metavar="NAME|FILE", default="minilm", help=text)
    command.add_argument("--model", metavar="MODEL", help="that the settings file was made for")
    command.add_argument("--data", metavar="FILE", help="examples for the model (default: built-in ones)")
    command.add_argument("--inputs", metavar="N", type=int, default=1, help="examples to compute (default: 1)")


def workload_of(arguments):
    """hdp_hw.study.explore.workload.Workload that the command line asks for."""
    from hdp_hw.study.explore.workload import Workload

    return Workload(arguments.workload, arguments.model, arguments.data, arguments.inputs)


def typed():
    """The command line, for reports."""
    return shlex.join(["hdp-hw", *sys.argv[1:]])


def config_of(arguments):
    """``(label, HdpParams)`` that the command line asks for. Raises ParameterError."""
    return load_config(arguments.config, overrides_of(arguments.overrides))


def overrides_of(texts):
    """``[(name, value)]`` of NAME=VALUE texts. Raises ParameterError."""
    overrides = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(name, "", "NAME=VALUE")
        overrides.append((name, value))
    return overrides


def generate(arguments):
    """hdp-hw generate: the core, the co-processor around it, the driver in C, and manifest.json."""
    label, params = config_of(arguments)
    from hdp_hw.deliver.packaging import packages
    from hdp_hw.rtl.core.attention_core import AttentionCore  # after the errors: slow to import
    from hdp_hw.rtl.shell.hdp_top import HdpTop

    folder = arguments.output or Path("build", label)
    modules = {"hdp_core": AttentionCore(params), "hdp_top": HdpTop(params)}
    files = {f"{name}.v": to_verilog(module, name) for name, module in modules.items()}
    files |= {path.name: path.read_text() for path in sorted(C_DRIVER.iterdir())}
    files |= packages(label, params, ports_of(modules["hdp_top"]))
    facts = manifest(label, params, modules, files)
    for name, text in (files | {"manifest.json": json.dumps(facts, indent=2) + "\n"}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        digest = facts["sha256"].get(name)
        print(f"{folder / name}" + (f": sha256 {digest}" if digest else ""))
    print(f"{params.multipliers} digit multipliers a core, {facts['memory_bits']['hdp_core']} memory bits")
    return 0


def configs(arguments):
    """hdp-hw configs: the named configurations, parameter by parameter, and what follows from them."""
    print("Configurations\n")
    for name, text in PURPOSE.items():
        print(f"  {name:8} {text}")
    print("\nParameters (change one with NAME=VALUE, or write them into a TOML file)\n")
    print(parameter_section(HdpParams))
    values = {name: {**vars_of(params), **derived_of(params)} for name, params in CONFIGS.items()}
    print("\nValues, and what follows from them\n")
    print(f"  {'':18}" + "".join(f"{name:>8}" for name in values))
    for row in next(iter(values.values())):
        meaning = inspect.getdoc(vars(HdpParams)[row]) if row not in vars_of(HdpParams()) else ""
        print(f"  {row:18}" + "".join(f"{column[row]:8}" for column in values.values()) + f"  {meaning}".rstrip())
    return 0


def bench(arguments):
    """hdp-hw bench: see hdp_hw.study.bench."""
    from hdp_hw.study.bench import core, layer  # numpy and the golden models, which generation does without

    of_layer = {name: getattr(arguments, name, None) for name in ("bus_widths", "cores", "latency")}
    what, more = {"core": (core, {}), "layer": (layer, of_layer)}[arguments.what]
    overrides = overrides_of(text for text in arguments.configs if "=" in text)
    names = [text for text in arguments.configs if "=" not in text] or what.DEFAULT_CONFIGS
    configs = [load_config(name, overrides) for name in names]
    what.bench(configs, quick=arguments.quick, jobs=arguments.jobs, readme=arguments.readme, **more)
    return 0


def compare(arguments):
    """hdp-hw compare: see hdp_hw.study.compare."""
    from hdp_hw.study.compare.command import compare
    from hdp_hw.study.compare.worker import Job

    params = load_config(arguments.config, overrides_of(arguments.set))[1]
    tokens = min(arguments.max_tokens or params.max_seq_len, params.max_seq_len)
    sizes = tokens, arguments.examples, arguments.timed
    job = Job(arguments.model, arguments.data, *sizes, params, arguments.settings)
    options = arguments.only, arguments.jobs, arguments.scheduler
    compare(job, arguments.output, *options, typed())
    return 0


def faults(arguments):
    """hdp-hw faults: see hdp_hw.simulation.fault_table."""
    from hdp_hw.simulation import fault_table  # numpy and the golden models, which generation does without

    return int(not fault_table.run(*config_of(arguments), arguments.tries, arguments.seed))


def calibrate(arguments):
    """hdp-hw calibrate: see hdp_hw.study.accuracy.calibrate."""
    return accuracy_command(arguments, "calibrate")


def profile(arguments):
    """hdp-hw profile: see hdp_hw.study.accuracy.profile."""
    return accuracy_command(arguments, "profile")


def accuracy_command(arguments, name):
    """Run the function ``name`` of hdp_hw.study.accuracy.command."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads share the work out among themselves
    from hdp_hw.study.accuracy import command

    getattr(command, name)(arguments, typed())
    return 0


def explore(arguments):
    """hdp-hw explore: see hdp_hw.study.explore."""
    from hdp_hw.study.explore import command
    from hdp_hw.study.explore.space import grid_of
    from hdp_hw.study.explore.worker import Job

    job, grid = Job(workload_of(arguments), arguments.latency), grid_of(arguments.sweep)
    processes = arguments.jobs, arguments.scheduler
    where = arguments.target, arguments.output
    command.explore(job, grid, *where, *processes, arguments.fill, arguments.check, typed())
    return 0


def energy(arguments):
    """hdp-hw energy: see hdp_hw.study.energy.command."""
    from hdp_hw.study.energy.command import report

    print(report(*config_of(arguments), workload_of(arguments)))
    return 0


def synth(arguments):
    """hdp-hw synth: see hdp_hw.deliver.synth."""
    from hdp_hw.deliver.synth import synthesise
    from hdp_hw.deliver.synth.published import publish

    target = arguments.device, arguments.speed, arguments.seeds
    record = synthesise(*config_of(arguments), *target, limit=60 * arguments.limit)
    if arguments.publish:
        publish(record)
    return 0


def tiles(arguments):
    """hdp-hw tiles: see hdp_hw.deliver.synth.published."""
    from hdp_hw.deliver.synth.published import compare_sizes

    compare_sizes(arguments.device, arguments.speed, arguments.seeds, 60 * arguments.limit)
    return 0


def board(arguments):
    """hdp-hw board: see hdp_hw.deliver.bitstream."""
    from hdp_hw.deliver.bitstream import build

    build(arguments.board, load_config(arguments.config)[1], arguments.baud, arguments.build)
    return 0


def registers(arguments):
    """hdp-hw registers: the files of hdp_hw.spec.registers."""
    from hdp_hw.spec.registers import generated  # a broken register map must not keep it from being written anew

    stale = [(path, text) for path, text in generated().items() if not path.exists() or path.read_text() != text]
    for path, text in stale:
        print(f"{path} {'is stale: run hdp-hw registers' if arguments.check else 'written'}")
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return int(arguments.check and bool(stale))


def parameter_section(documented):
    """The Parameters section of a docstring, indented by two spaces."""
    lines = inspect.getdoc(documented).splitlines()
    start = lines.index("Parameters") + 2
    length = next(index for index, line in enumerate(lines[start:]) if set(line) == {"-"}) - 1
    return "\n".join(f"  {line}" for line in lines[start : start + length]).rstrip()


if __name__ == "__main__":
    sys.exit(main())
