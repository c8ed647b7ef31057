"""List the validators with their powers, peer ids and addresses."""

from __future__ import annotations

import argparse

from sequencer.cli.ask import ask
from sequencer.cli.command import ExitStatus, add_rpc
from sequencer.cli.output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `validators`."""
    add_rpc(parser)


def run(options: argparse.Namespace) -> int:
    """Ask and print."""
    committee = ask(options, "seq_validators", {})
    if options.json:
        print_json(committee)
        return ExitStatus.OK
    for validator in committee["validators"]:
        print(f"{validator['name']:<8} power {validator['power']:<6} {validator['public_key']}")
        for role in ("votes", "data", "open"):
            host = validator[role]
            print(f"         {role:<6} {host['address']}/p2p/{host['peer_id']}")
    print(f"total power {committee['total_power']}; a certificate needs {committee['strong_power']}")
    return ExitStatus.OK
