"""Send one transaction: a transfer from one account to another."""

from __future__ import annotations

import argparse

from sequencer.cli.command import CommandError, add_rpc
from sequencer.cli.sending import add_wait, send_draft


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `tx send`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    send = actions.add_parser("send", help="transfer an amount", description="Transfer an amount on one rollup.")
    send.add_argument("--rollup", default="alpha", help="default alpha")
    send.add_argument(
        "--from", dest="sender", required=True, metavar="ACCOUNT", help="devnet account or key file; pays the fee"
    )
    send.add_argument("--to", required=True, metavar="ACCOUNT", help="devnet account or 0x… address")
    send.add_argument("--asset", default="gold", help="default gold")
    send.add_argument("--amount", required=True, type=int)
    add_wait(send)
    add_rpc(send)


def run(options: argparse.Namespace) -> int:
    """Sign and send it."""
    if options.amount < 1:
        raise CommandError(f"--amount must be at least 1, is {options.amount}", "usage")
    operation = {"name": "transfer", "arguments": [options.asset, {"account": options.to}, str(options.amount)]}
    leg = {"rollup": options.rollup, "signer": options.sender, "operations": [operation]}
    return send_draft(options, {"payer": options.sender, "legs": [leg]}, (options.sender,))
