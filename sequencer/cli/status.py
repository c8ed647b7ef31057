"""Show how a node stands, or what it committed to at a height."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from sequencer.cli.ask import ask
from sequencer.cli.command import ExitStatus, add_rpc
from sequencer.cli.output import print_result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `status`."""
    parser.add_argument(
        "--height", type=int, metavar="H", help="show the commitment of this height; exit 2 if pruned or future"
    )
    add_rpc(parser)


def describe(status: Mapping[str, Any]) -> dict[str, object]:
    """Return the status with a line per rollup instead of their list."""
    lines = {f"rollup {row['name']}": describe_rollup(row) for row in status["rollups"]}
    return {**{name: value for name, value in status.items() if name != "rollups"}, **lines}


def describe_rollup(row: Mapping[str, Any]) -> str:
    """Say in words how a rollup stands: `split, not executed here, settled at 84 as certified, suspended`."""
    if row["is_frozen"]:
        place = "frozen: the log says COMMIT where this executor found NO"
    elif row["is_executed"]:
        place = f"settled at {row['settled_height']}"
    else:
        place = f"not executed here, settled at {row['certified_settled_height']} as certified"
    return ", ".join([row["kind"], place, *(["suspended"] if row["is_suspended"] else [])])


def run(options: argparse.Namespace) -> int:
    """Ask and print."""
    if options.height is None:
        status = ask(options, "seq_status", {})
        print_result(status if options.json else describe(status), options.json)
        return ExitStatus.OK
    block = ask(options, "seq_getBlock", {"height": options.height})
    print_result({"height": block["height"], "commitment": block["commitment"]["digest"]}, options.json)
    return ExitStatus.OK
