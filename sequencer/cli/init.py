"""Write the homes of a new network for real hosts, one directory to carry to each; or of a node that follows one."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli.command import CommandError, ExitStatus, add_json
from sequencer.cli.output import print_result

if TYPE_CHECKING:
    from sequencer.cli.cluster.blueprint import Seat
    from sequencer.cli.cluster.executors import ExecutorSeat
    from sequencer.node.home import NodeSettings
    from sequencer.types.genesis import Genesis

PORTS_PER_VALIDATOR = 4
"""PORT votes, PORT+1 data, PORT+2 open to all, PORT+3 RPC (loopback only)."""


RPC_FULL_NODE = "127.0.0.1:8700"
"""Where a full node's RPC listens unless --rpc says else."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `init`."""
    add = parser.add_argument
    add("--validators", metavar="NAME=HOST:PORT,…", help="IPv4 host and first of four ports, the last is the RPC's")
    add(
        "--rollups",
        default="alpha,beta,gamma",
        metavar="NAME[:MACHINE][:split=N],…",
        help="default alpha,beta,gamma; split=N: run by N executors of its own, which get homes too",
    )
    add(
        "--executors",
        metavar="ROLLUP=NAME[@HOST:PORT],…",
        help="names of all executors, and where their open hosts listen (default ROLLUP-0, …, any port of loopback)",
    )
    add("--home", type=Path, required=True, metavar="DIR", help="new directory; DIR/NAME becomes each node's home")
    add("--name", metavar="NAME", help="of the network in its genesis (default network), or of the full node (full0)")
    add("--full-node", action="store_true", help="write one home, DIR itself, of a node that follows without a vote")
    add("--genesis", type=Path, metavar="FILE", help="of the network that the full node follows")
    add("--peers", metavar="NAME[=HOST:PORT],…", help="validators that it follows, by default all; HOST:PORT is open")
    add("--rpc", metavar="HOST:PORT", help=f"where the full node answers clients (default {RPC_FULL_NODE})")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Write everything and say where it is."""
    result = write_full_node(options) if options.full_node else write_validators(options)
    print_result(result, options.json)
    return ExitStatus.OK


def write_validators(options: argparse.Namespace) -> dict[str, object]:
    """Write the homes of a new network; return what a program wants to know of it."""
    from sequencer.cli.cluster.blueprint import Wish, draw
    from sequencer.cli.cluster.directory import ACCOUNT_FOLDER, GENESIS_FILE, write_network
    from sequencer.node.home import NodeSettings, compute_peer_ids

    if options.genesis or options.peers or options.rpc:
        raise CommandError("--genesis, --peers and --rpc belong to --full-node", "usage")
    seats = parse_seats(options.validators or "")
    wish = Wish(len(seats), options.rollups, None, None, options.name or "network")
    blueprint = draw(wish, seats, parse_executors(options.executors, [seat.name for seat in seats]))
    peer_ids = tuple(compute_peer_ids(executor.keys)["open"] for executor in blueprint.executors)
    settings = [
        NodeSettings(seat.name, f"127.0.0.1:{seat.ports[2] + 1}", peer_ids_allowed=peer_ids) for seat in seats
    ] + [make_executor_settings(executor.seat, number) for number, executor in enumerate(blueprint.executors)]
    write_network(options.home, blueprint, settings, is_devnet=False)
    return {
        "chain_id": "0x" + blueprint.genesis.chain_id.hex(),
        "genesis": str(options.home / GENESIS_FILE),
        "homes": [str(options.home / setting.name) for setting in settings],
        "accounts": str(options.home / ACCOUNT_FOLDER),
    }


def write_full_node(options: argparse.Namespace) -> dict[str, object]:
    """Write the home of one full node of an existing network."""
    from sequencer.cli.cluster.blueprint import make_full_node_keys
    from sequencer.node.home import NodeSettings, compute_peer_ids, read_genesis, write_home
    from sequencer.node.identity import choose_peers

    if options.genesis is None or options.validators or options.executors:
        raise CommandError("--full-node needs --genesis FILE, and takes no --validators and no --executors", "usage")
    genesis = read_genesis(options.genesis)
    settings = NodeSettings(
        options.name or "full0",
        options.rpc or RPC_FULL_NODE,
        peers=tuple(options.peers.split(",")) if options.peers else (),
    )
    verify_settings(settings, genesis)
    follows = [peer.name for peer in choose_peers(genesis, None, settings.peers)]
    keys = make_full_node_keys(None, settings.name)
    write_home(options.home, settings, keys, genesis)
    return {
        "chain_id": "0x" + genesis.chain_id.hex(),
        "home": str(options.home),
        "peer_id": compute_peer_ids(keys)["open"],
        "follows": follows,
        "rpc": settings.rpc,
    }


def verify_settings(settings: NodeSettings, genesis: Genesis) -> None:
    """Raise `CommandError` for what the node would refuse at its start."""
    from sequencer.node.home import find_wrong_setting

    wrong = find_wrong_setting(settings)
    if wrong is not None:
        raise CommandError(wrong, "usage")
    if any(validator.name == settings.name for validator in genesis.validators):
        raise CommandError(f"--name {settings.name}: is a validator of this network", "usage")


def make_executor_settings(seat: ExecutorSeat, number: int) -> NodeSettings:
    """Return how an executor runs; several on one host get RPC ports of their own."""
    from sequencer.node.home import NodeSettings

    host, _, port = RPC_FULL_NODE.rpartition(":")
    return NodeSettings(seat.name, f"{host}:{int(port) + number}", open=seat.open, executes=seat.rollup)


def parse_executors(text: str | None, taken: Sequence[str]) -> tuple[ExecutorSeat, ...] | None:
    """Read `gamma=carol@10.0.0.9:21000,gamma=dave,…`; None if nobody is named. Raises `CommandError`."""
    if text is None:
        return None
    seats = tuple(_parse_executor(part) for part in text.split(","))
    names = [*taken, *(seat.name for seat in seats)]
    if len(set(names)) != len(names):
        raise CommandError("--executors: names must be distinct, and no validator's", "usage")
    return seats


def _parse_executor(part: str) -> ExecutorSeat:
    from sequencer.cli.cluster.directory import ACCOUNT_FOLDER
    from sequencer.cli.cluster.executors import ExecutorSeat
    from sequencer.node.home import is_host_and_port
    from sequencer.types.genesis import NAME

    rollup, _, place = part.partition("=")
    name, _, address = place.partition("@")
    if not NAME.match(rollup) or not NAME.match(name) or name == ACCOUNT_FOLDER:
        raise CommandError(f"--executors {part!r}: must be ROLLUP=NAME[@HOST:PORT] with names of a-z 0-9 -", "usage")
    if address and not is_host_and_port(address):
        raise CommandError(f"--executors {part!r}: {address!r} is not HOST:PORT", "usage")
    return ExecutorSeat(rollup, name, address) if address else ExecutorSeat(rollup, name)


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
