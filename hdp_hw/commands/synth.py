"""hdp-hw synth: what a core takes of an FPGA, see hdp_hw.deliver.synth."""

import argparse

from hdp_hw.commands.arguments import UsageError, add_config, add_place_and_route, config_of

NAME, HELP = "synth", "synthesise a core; for an ECP5, a Gowin or a Nexus, place and route it too"
DEVICES = (
    "LFE5U-25F, LFE5U-45F, LFE5U-85F (default), GW2A-18 or LIFCL-40, placed and routed; xc7, xcup or ice40, synthesised"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    add_place_and_route(parser, DEVICES)
    text = "the core (default), the whole co-processor, or its norm lane, which ENCODER=1 brings"
    parser.add_argument("--part", choices=("core", "top", "norm"), default="core", help=text)
    parser.add_argument("--publish", action="store_true", help="put the record of a core into docs/synthesis.json")


def run(arguments: argparse.Namespace) -> int:
    label, params = config_of(arguments)
    from hdp_hw.deliver.synth import synthesise
    from hdp_hw.deliver.synth.published import check_published, publish

    if arguments.publish and arguments.part != "core":
        raise UsageError("hdp-hw synth: --publish is for cores: leave --part away")
    if arguments.publish:
        check_published()
    label += "" if arguments.part == "core" else f"-{arguments.part}"
    target = arguments.device, arguments.speed, arguments.seeds
    more = {"search": arguments.search, "part": arguments.part, "mhz": arguments.mhz}
    record = synthesise(label, params, *target, limit=60 * arguments.minutes, **more)
    if arguments.publish:
        publish(record)
    return 0
