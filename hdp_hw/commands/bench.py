"""hdp-hw bench: clock cycles in simulation, and what they cost, see hdp_hw.study.bench."""

import argparse
from pathlib import Path

from hdp_hw.commands.arguments import PROCESSORS, add_hidden, add_latency, integer, is_config, number, overrides_of
from hdp_hw.spec.configs import load_config
from hdp_hw.spec.params import CORES_RANGE, LEGAL_BUS_WIDTHS, SEQ_LEN_RANGE

NAME, HELP = "bench", "measure clock cycles in simulation, against the golden models; compare area"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    benches = parser.add_subparsers(dest="what", required=True, metavar="core|layer|model|length|area")
    core = benches.add_parser("core", help="heads on a core whose streams never stall")
    add_common(core, "tiny edge")
    layer = benches.add_parser("layer", help="layers on the co-processor, from start bit to interrupt")
    add_common(layer, "edge")
    add_coprocessors(layer, [1, 2], [*LEGAL_BUS_WIDTHS])
    model = benches.add_parser("model", help="inferences with ENCODER=1, linear layers and attention")
    add_common(model, "edge", readme=False)
    add_coprocessors(model, [1, 2], [64])
    length = benches.add_parser("length", help="whole models as inputs grow, predicted: cycles, bytes, memory")
    length.add_argument("configs", metavar="CONFIG|NAME=VALUE", nargs="*", help="(default: edge)")
    text = "of inputs (default: 128 256 512 1024 2048 4096)"
    length.add_argument("--lengths", metavar="N", type=integer(*SEQ_LEN_RANGE), nargs="+", help=text)
    text = "of all blocks (default: 0.225, which calibration leaves of MiniLM on STS-B)"
    length.add_argument("--kept", metavar="SHARE", type=number(0, 1), help=text)
    text = "of the heads that are pruned whole (default: none, as there)"
    length.add_argument("--pruned", metavar="SHARE", type=number(0, 1), help=text)
    area = benches.add_parser("area", help="operations a second for LUTs and DSPs, from records of hdp-hw synth")
    area.add_argument("configs", metavar="CONFIG|NAME=VALUE", nargs="*", help="(default: tiny edge)")
    text = "of the blocks of pruned heads (default: 0.25)"
    area.add_argument("--kept", metavar="SHARE", type=number(0, 1), default=0.25, help=text)


def add_coprocessors(parser: argparse.ArgumentParser, cores: list[int], bus_widths: list[int]) -> None:
    """Which co-processors are simulated, and the memory that they have."""
    text = f"(default: {' '.join(map(str, cores))})"
    parser.add_argument("--cores", metavar="N", type=integer(*CORES_RANGE), nargs="+", default=cores, help=text)
    text = f"(default: {' '.join(map(str, bus_widths))})"
    parser.add_argument(
        "--bus-widths", metavar="BITS", type=int, choices=LEGAL_BUS_WIDTHS, nargs="+", default=bus_widths, help=text
    )
    add_latency(parser)


def add_common(parser: argparse.ArgumentParser, default: str, readme: bool = True) -> None:
    """What the benches of cycles take."""
    parser.add_argument("configs", metavar="CONFIG|NAME=VALUE", nargs="*", help=f"(default: {default})")
    parser.add_argument("--quick", action="store_true", help="fewer of them")
    text = "simulations at a time (default: all processors)"
    parser.add_argument("--threads", metavar="N", type=integer(1), default=PROCESSORS, help=text)
    add_hidden(parser, "--jobs", "threads", integer(1))
    if readme:
        parser.add_argument("--readme", metavar="FILE", type=Path, help="rewrite the table between this file's markers")


def run(arguments: argparse.Namespace) -> int:
    from hdp_hw.study.bench import area, core, layer, length, model  # numpy and the golden models: slow to import

    what = {"core": core, "layer": layer, "model": model, "length": length, "area": area}[arguments.what]
    if what in (area, length):
        given = {name: getattr(arguments, name, None) for name in ("kept", "lengths", "pruned")}
        options = {name: value for name, value in given.items() if value is not None}
    else:
        options = {"quick": arguments.quick, "jobs": arguments.threads}
    if what in (core, layer):
        options["readme"] = arguments.readme
    if what in (layer, model):
        options |= {name: getattr(arguments, name) for name in ("bus_widths", "cores", "latency")}
    overrides = overrides_of(word for word in arguments.configs if not is_config(word))
    names = [word for word in arguments.configs if is_config(word)] or what.DEFAULT_CONFIGS
    configs = [load_config(name, overrides) for name in names]
    what.bench(configs, **options)
    return 0
