"""hdp-hw registers: the files of hdp_hw.deliver.registers."""

import argparse

from hdp_hw.spec.failure import Failure
from hdp_hw.spec.output_file import write

NAME, HELP = "registers", "write what is made from hdp_hw/spec/registers.rdl, in a checkout"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")


def run(arguments: argparse.Namespace) -> int:
    from hdp_hw.deliver import registers  # a broken register map must not keep it from being written anew

    if not (registers.PACKAGE.parent / "docs").is_dir():
        raise Failure("writes the project's sources: it works in a checkout of them alone, not in an installation")
    generated = registers.generated
    stale = [
        (path, text)
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        print(f"{path} {'is stale: run hdp-hw registers' if arguments.check else 'written'}")
        if not arguments.check:
            write(path, text)
    return int(arguments.check and bool(stale))
