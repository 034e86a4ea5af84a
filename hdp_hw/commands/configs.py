"""hdp-hw configs: the named configurations, parameter by parameter, and what follows from them."""

import argparse
import inspect

from hdp_hw.spec.configs import CONFIGS, PURPOSE, vars_of
from hdp_hw.spec.params import HdpParams

NAME, HELP = "configs", "list the named configurations and explain every parameter"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(arguments: argparse.Namespace) -> int:
    from hdp_hw.deliver.manifest import derived_of

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


def parameter_section(documented: object) -> str:
    """The Parameters section of a docstring, indented by two spaces."""
    lines = (inspect.getdoc(documented) or "").splitlines()
    start = lines.index("Parameters") + 2
    length = next(index for index, line in enumerate(lines[start:]) if set(line) == {"-"}) - 1
    return "\n".join(f"  {line}" for line in lines[start : start + length]).rstrip()
