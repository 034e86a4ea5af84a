"""hdp-hw bench: clock cycles in simulation, and what they cost, see hdp_hw.study.bench."""

import argparse
from pathlib import Path

from hdp_hw.commands.arguments import PROCESSORS, add_hidden, add_latency, integer, is_config, number, overrides_of
from hdp_hw.spec.configs import load_config
from hdp_hw.spec.params import CORES_RANGE, LEGAL_BUS_WIDTHS

NAME, HELP = "bench", "measure clock cycles in simulation, against the golden models; compare area"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    benches = parser.add_subparsers(dest="what", required=True, metavar="core|layer|area")
    core = benches.add_parser("core", help="heads on a core whose streams never stall")
    add_common(core, "tiny edge")
    layer = benches.add_parser("layer", help="layers on the co-processor, from start bit to interrupt")
    add_common(layer, "edge")
    text = "(default: 1 2 4)"
    layer.add_argument("--cores", metavar="N", type=integer(*CORES_RANGE), nargs="+", default=[1, 2, 4], help=text)
    layer.add_argument(
        "--bus-widths", metavar="BITS", type=int, choices=LEGAL_BUS_WIDTHS, nargs="+", default=[*LEGAL_BUS_WIDTHS],
        help="(default: all)",
    )  # fmt: skip
    add_latency(layer)
    area = benches.add_parser("area", help="operations a second for LUTs and DSPs, from records of hdp-hw synth")
    area.add_argument("configs", metavar="CONFIG|NAME=VALUE", nargs="*", help="(default: tiny edge)")
    text = "of the blocks of pruned heads (default: 0.25)"
    area.add_argument("--kept", metavar="SHARE", type=number(0, 1), default=0.25, help=text)


def add_common(parser: argparse.ArgumentParser, default: str) -> None:
    """What both benches take."""
    parser.add_argument("configs", metavar="CONFIG|NAME=VALUE", nargs="*", help=f"(default: {default})")
    parser.add_argument("--quick", action="store_true", help="fewer of them")
    text = "simulations at a time (default: all processors)"
    parser.add_argument("--threads", metavar="N", type=integer(1), default=PROCESSORS, help=text)
    add_hidden(parser, "--jobs", "threads", integer(1))
    parser.add_argument("--readme", metavar="FILE", type=Path, help="rewrite the table between this file's markers")


def run(arguments: argparse.Namespace) -> int:
    from hdp_hw.study.bench import area, core, layer  # numpy and the golden models, which generation does without

    what = {"core": core, "layer": layer, "area": area}[arguments.what]
    if what == area:
        options = {"kept": arguments.kept}
    else:
        options = {"quick": arguments.quick, "jobs": arguments.threads, "readme": arguments.readme}
    if what == layer:
        options |= {name: getattr(arguments, name) for name in ("bus_widths", "cores", "latency")}
    overrides = overrides_of(word for word in arguments.configs if not is_config(word))
    names = [word for word in arguments.configs if is_config(word)] or what.DEFAULT_CONFIGS
    configs = [load_config(name, overrides) for name in names]
    what.bench(configs, **options)
    return 0
