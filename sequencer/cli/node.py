"""Run one node of a network from its home, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli.command import CommandError, add_json
from sequencer.cli.output import print_json, print_text

if TYPE_CHECKING:
    from sequencer.node.home import Home
    from sequencer.node.node import NodeAddresses


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `node`."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="made by `sequencer init` or `devnet`")
    parser.add_argument("--stop-when-stdin-closes", action="store_true", help="also stop when standard input ends")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run; says where it listens once it does, in a line that programs can read with --json."""
    from sequencer.node.home import read_home
    from sequencer.node.process import run_process

    home = read_home(options.home)
    require_rpc_port(home)

    def announce(addresses: NodeAddresses) -> None:
        if options.json:
            print_json({"event": "listening", "rpc": addresses.rpc, "p2p": dict(addresses.hosts)})
        else:
            print_text(f"{home.settings.name} listens: RPC {addresses.rpc}, p2p {', '.join(addresses.hosts.values())}")
        if addresses.observer_reason is not None:
            print_text(f"{home.settings.name} is an observer and signs nothing: {addresses.observer_reason}")

    return run_process(home, announce, is_stdin_watched=options.stop_when_stdin_closes)


def require_rpc_port(home: Home) -> None:
    """Raise `CommandError` naming who uses the RPC port, if somebody does."""
    from sequencer.cli.cluster.ports import describe_owner, is_port_free

    port = int(home.settings.rpc.rpartition(":")[2])
    if port and not is_port_free(port):
        raise CommandError(f"RPC port {port} is used{describe_owner(port)}", "port_busy")
