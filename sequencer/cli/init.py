"""Write the homes of a new network for real hosts: keys, genesis, and one directory to carry to each host."""

from __future__ import annotations

import argparse
import ipaddress
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli.command import CommandError, ExitStatus, add_json
from sequencer.cli.output import print_result

if TYPE_CHECKING:
    from sequencer.cli.cluster.blueprint import Seat

PORTS_PER_VALIDATOR = 4
"""PORT votes, PORT+1 data, PORT+2 open to all, PORT+3 RPC (loopback only)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `init`."""
    add = parser.add_argument
    add("--validators", metavar="NAME=HOST:PORT,…", help="IPv4 host and first of four ports, the last is the RPC's")
    add("--rollups", default="alpha,beta,gamma", metavar="NAME[:MACHINE],…", help="default alpha,beta,gamma")
    add("--home", type=Path, required=True, metavar="DIR", help="new directory; DIR/NAME becomes each node's home")
    add("--name", default="network", help="name of the network in its genesis")
    add("--full-node", action="store_true", help="a node that follows (not yet)")
    add("--genesis", type=Path, metavar="FILE", help="network to follow (not yet)")
    add("--peers", metavar="LIST", help="whom to follow (not yet)")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Write everything and say where it is."""
    from sequencer.cli.cluster.blueprint import Wish, draw
    from sequencer.cli.cluster.directory import ACCOUNT_FOLDER, GENESIS_FILE, write_network
    from sequencer.node.home import NodeSettings

    if options.full_node or options.genesis or options.peers:
        raise CommandError("init --full-node: following nodes do not exist yet", "unsupported")
    seats = parse_seats(options.validators or "")
    blueprint = draw(Wish(len(seats), options.rollups, None, None, options.name), seats)
    settings = [NodeSettings(seat.name, f"127.0.0.1:{seat.ports[2] + 1}") for seat in seats]
    write_network(options.home, blueprint, settings, is_devnet=False)
    result = {
        "chain_id": "0x" + blueprint.genesis.chain_id.hex(),
        "genesis": str(options.home / GENESIS_FILE),
        "homes": [str(options.home / seat.name) for seat in seats],
        "accounts": str(options.home / ACCOUNT_FOLDER),
    }
    print_result(result, options.json)
    return ExitStatus.OK


def parse_seats(text: str) -> tuple[Seat, ...]:
    """Read `a=10.0.0.1:21000,b=…`; raises `CommandError` naming the wrong part."""
    from sequencer.cli.cluster.directory import ACCOUNT_FOLDER

    seats = tuple(_parse_seat(part) for part in text.split(","))
    if len({seat.name for seat in seats}) != len(seats):
        raise CommandError("--validators: names must be distinct", "usage")
    if any(seat.name == ACCOUNT_FOLDER for seat in seats):
        raise CommandError(f"--validators: {ACCOUNT_FOLDER!r} is the folder of the keys, choose another name", "usage")
    for left, right in combinations(seats, 2):
        if left.host == right.host and abs(left.ports[0] - right.ports[0]) < PORTS_PER_VALIDATOR:
            raise CommandError(
                f"--validators: {left.name} and {right.name} share ports; each takes PORT..PORT+3 of its host", "usage"
            )
    return seats


def _parse_seat(part: str) -> Seat:
    from sequencer.cli.cluster.blueprint import Seat
    from sequencer.types.genesis import NAME

    name, _, address = part.partition("=")
    host, _, port = address.rpartition(":")
    if not NAME.match(name) or not port.isdecimal():
        raise CommandError(f"--validators {part!r}: must be NAME=HOST:PORT with a name of a-z 0-9 -", "usage")
    if not 1 <= int(port) <= 65_536 - PORTS_PER_VALIDATOR:
        raise CommandError(f"--validators {part!r}: the port must be 1..{65_536 - PORTS_PER_VALIDATOR}", "usage")
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise CommandError(f"--validators {part!r}: the host must be an IPv4 address", "usage") from None
    return Seat(name, host, (int(port), int(port) + 1, int(port) + 2))
