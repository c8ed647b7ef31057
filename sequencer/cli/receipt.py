"""Save the receipt of a bundle: what `sequencer verify` accepts without any node."""

from __future__ import annotations

import argparse
from pathlib import Path

from sequencer.cli.ask import ask
from sequencer.cli.command import CommandError, ExitStatus, add_rpc
from sequencer.cli.output import print_result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `receipt`."""
    parser.add_argument("id", metavar="ID", help="id of a transaction or bundle, 0x…")
    parser.add_argument("--out", type=Path, required=True, metavar="F", help="file to write")
    add_rpc(parser)


def run(options: argparse.Namespace) -> int:
    """Ask for the proof and write its bytes; exit 2 while there is none."""
    answer = ask(options, "seq_getTransactionReceipt", {"id": options.id})
    if answer["proof"] is None:
        raise CommandError(f"{options.id} is {answer['status']}: no certificate covers it", answer["status"])
    data = bytes.fromhex(answer["proof"][2:])
    options.out.write_bytes(data)
    fields = {name: answer[name] for name in ("id", "status", "height", "index", "reason")}
    print_result({**fields, "file": str(options.out), "bytes": len(data)}, options.json)
    return ExitStatus.OK
