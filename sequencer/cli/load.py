"""Send traffic at a fixed rate, follow it to its proof of finality, and check every outcome."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sequencer.cli.command import RPC_DEFAULT, ExitStatus, add_json
from sequencer.cli.output import print_result, print_text

if TYPE_CHECKING:
    from sequencer.cli.workload.report import Report

MISMATCHES_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `load`."""
    add = parser.add_argument
    add(
        "--rpc",
        action="append",
        metavar="URL",
        help="node to send to, may be given more than once; default: all of the newest devnet",
    )
    add("--rate", type=float, default=100, metavar="R", help="transactions per second over all ends (default 100)")
    add("--seconds", type=float, default=10, metavar="S", help="default 10")
    add("--bundles", type=float, default=0.1, metavar="SHARE", help="share of bundles over 2-3 rollups (default 0.1)")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run; exit 1 if anything is unknown, partial or other than it had to be."""
    import trio

    from sequencer.cli.workload.run import Load

    on_second = _ignore if options.json else _tell_second
    load = Load(options.rpc or find_ends(), options.rate, options.seconds, options.bundles, on_second)
    report = trio.run(load.run)
    for mismatch in report.mismatches[:MISMATCHES_SHOWN]:
        print_text(f"wrong outcome: {mismatch}")
    print_result(report.to_json(), options.json)
    return ExitStatus.OK if report.is_clean else ExitStatus.BROKEN


def find_ends() -> list[str]:
    """Return the RPC ends of the newest devnet of this user, or the usual address."""
    from sequencer.cli.cluster.ready import read_published

    validators = (read_published() or {}).get("validators")
    return [validator["rpc"] for validator in validators] if isinstance(validators, list) else [RPC_DEFAULT]


def _tell_second(second: int, report: Report) -> None:
    print_text(f"{second:>4} s   sent {report.sent}   final {report.final}")


def _ignore(second: int, report: Report) -> None:
    """Programs read the last line only."""
