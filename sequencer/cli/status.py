"""Show how a node stands, or what it committed to at a height."""

from __future__ import annotations

import argparse

from sequencer.cli.ask import ask
from sequencer.cli.command import ExitStatus, add_rpc
from sequencer.cli.output import print_result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `status`."""
    parser.add_argument(
        "--height", type=int, metavar="H", help="show the commitment of this height; exit 2 if pruned or future"
    )
    add_rpc(parser)


def run(options: argparse.Namespace) -> int:
    """Ask and print."""
    if options.height is None:
        print_result(ask(options, "seq_status", {}), options.json)
        return ExitStatus.OK
    block = ask(options, "seq_getBlock", {"height": options.height})
    print_result({"height": block["height"], "commitment": block["commitment"]["digest"]}, options.json)
    return ExitStatus.OK
