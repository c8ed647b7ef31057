"""Lay out the directory of a devnet, make it, or find it again.

devnet.json      what the network was made with
genesis.bin      what `sequencer verify --genesis` takes
accounts/NAME.key   development keys, one line of hex each
val0/, val1/, …  the validators' homes (`sequencer.node.home`)
gamma-0/, …      the homes of the executors of a split rollup gamma
full0/, …        the full nodes' homes
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sequencer.cli.cluster.blueprint import Blueprint, Wish, build, draw, make_full_node_keys
from sequencer.cli.cluster.executors import list_executors, parse_behaviours
from sequencer.cli.cluster.ports import HOST, describe_owner, find_free_ports, is_port_free
from sequencer.cli.command import CommandError
from sequencer.errors import LocalError
from sequencer.node.home import (
    PORT_MAX,
    Home,
    NodeKeys,
    NodeSettings,
    compute_peer_ids,
    find_wrong_peer_id,
    get_p2p_addresses,
    read_home,
    write_home,
    write_settings,
)
from sequencer.rpc.queries import DevelopmentAccount
from sequencer.types.genesis import Genesis

RECORD_FILE = "devnet.json"
GENESIS_FILE = "genesis.bin"
ACCOUNT_FOLDER = "accounts"
RPC_PORT_DEFAULT = 8_600
FULL_NODE = "full"
"""What the homes and names of a devnet's full nodes begin with."""
VALIDATOR = re.compile(r"val\d+")
"""Names of a devnet's validators."""
FULL_NODES_MAX = 16
"""Full nodes that one machine is asked to run."""


@dataclass(frozen=True, slots=True)
class Running:
    """How the nodes shall run this time."""

    port: int | None
    """RPC port of the first node, the others follow; 0 takes any; None prefers the usual ones."""
    durability: str
    is_gossip_enabled: bool
    lanes_off: tuple[str, ...]
    """Validators that put nothing into their own lane."""
    peer_ids_allowed: tuple[str, ...]
    full_nodes: int = 0
    """Full nodes; a resumed network keeps those that it has, and gets as many as are missing."""
    behaviours: tuple[str, ...] = ()
    """`NAME=BEHAVIOUR` of executors that misbehave on purpose this time."""


def is_devnet(directory: Path) -> bool:
    """Tell whether a devnet was made here before."""
    return (directory / RECORD_FILE).is_file()


def create(directory: Path, wish: Wish, running: Running) -> tuple[Home, ...]:
    """Make a new devnet in `directory` and return the homes: validators, executors, full nodes.

    `devnet.json` comes last."""
    blueprint = draw(wish)
    genesis, drawn = blueprint.genesis, blueprint.executors
    names = [validator.name for validator in genesis.validators] + [executor.seat.name for executor in drawn]
    plain = make_settings([*names, *name_full_nodes(running.full_nodes)], running)
    settings = assign_executors(plain, genesis, [executor.keys for executor in drawn], running)
    own = {
        executor.seat.name: f"{HOST}:{port}"
        for executor, port in zip(drawn, _choose_any_ports(len(drawn)), strict=True)
    }
    settings = [replace(setting, open=own.get(setting.name, setting.open)) for setting in settings]
    write_network(directory, blueprint, settings[: len(names)])
    for setting in settings[len(names) :]:
        _write_full_node(directory, setting, wish.seed, blueprint.genesis, blueprint.accounts)
    (directory / RECORD_FILE).write_text(json.dumps(asdict(wish)) + "\n")
    return tuple(read_home(directory / setting.name) for setting in settings)


def write_network(
    directory: Path, blueprint: Blueprint, settings: Sequence[NodeSettings], is_devnet: bool = True
) -> None:
    """Write homes, genesis and account keys into a new or empty directory; raises `CommandError` if it is not empty."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise CommandError(f"{directory} is not empty and holds no devnet")
    build(blueprint, directory, settings, is_devnet)
    (directory / GENESIS_FILE).write_bytes(blueprint.genesis.to_bytes())
    _write_accounts(directory / ACCOUNT_FOLDER, blueprint)


def resume(directory: Path, running: Running) -> tuple[Home, ...]:
    """Return the homes of an existing devnet; p2p ports are kept, RPC ports too unless others are asked for.

    Raises `CommandError` when a port that must be kept is in use.
    """
    validators = _read_homes(directory, "val")
    if not validators:
        raise CommandError(f"{directory} is the home of a devnet without nodes")
    _add_full_nodes(directory, validators[0], running)
    genesis = validators[0].genesis
    executors = [read_home(directory / name) for name in sorted(list_executors(genesis))]
    homes = [*validators, *executors, *_read_homes(directory, FULL_NODE)]
    for home in homes:
        _require_p2p_ports(home)
    kept = [int(home.settings.rpc.rpartition(":")[2]) for home in homes]
    is_kept = running.port is None and all(kept)
    plain = make_settings([home.settings.name for home in homes], running, kept if is_kept else None)
    wanted = assign_executors(plain, genesis, [home.keys for home in executors], running)
    resumed = [
        replace(home, settings=replace(new, open=home.settings.open)) for home, new in zip(homes, wanted, strict=True)
    ]
    for home in resumed:
        write_settings(home.path, home.settings)
    return tuple(resumed)


def name_full_nodes(count: int) -> list[str]:
    """Return `full0`, …; raises `CommandError` for more than a machine is asked to run."""
    if not 0 <= count <= FULL_NODES_MAX:
        raise CommandError(f"--full-nodes must be 0..{FULL_NODES_MAX}, is {count}", "usage")
    return [f"{FULL_NODE}{number}" for number in range(count)]


def _add_full_nodes(directory: Path, validator: Home, running: Running) -> None:
    """Write the homes of full nodes that the devnet did not have; their RPC ports are chosen with all others."""
    for name in name_full_nodes(running.full_nodes):
        if not (directory / name).exists():
            settings = NodeSettings(name, f"{HOST}:0")
            _write_full_node(directory, settings, None, validator.genesis, validator.accounts)


def _write_full_node(
    directory: Path,
    settings: NodeSettings,
    seed: int | None,
    genesis: Genesis,
    accounts: Sequence[DevelopmentAccount] | None,
) -> None:
    settings = replace(settings, open=f"{HOST}:{_choose_any_ports(1)[0]}")
    write_home(directory / settings.name, settings, make_full_node_keys(seed, settings.name), genesis, accounts)


def make_settings(names: Sequence[str], running: Running, kept: Sequence[int] | None = None) -> list[NodeSettings]:
    """Return every node's settings with a free RPC port; raises `LocalError` for an unknown --lane-off."""
    validators = [name for name in names if VALIDATOR.fullmatch(name)]
    unknown = sorted(set(running.lanes_off) - set(validators))
    if unknown:
        raise LocalError(f"--lane-off {unknown[0]}: there is no such validator ({', '.join(validators)})")
    wrong = find_wrong_peer_id(running.peer_ids_allowed)
    if wrong is not None:
        raise CommandError(f"--allow-peer {wrong}: is no peer id (12D3Koo…, Qm…)", "usage")
    ports = kept if kept is not None and all(map(is_port_free, kept)) else choose_rpc_ports(len(names), running.port)
    return [
        NodeSettings(
            name,
            f"{HOST}:{port}",
            running.durability,
            running.is_gossip_enabled,
            name not in running.lanes_off,
            running.peer_ids_allowed,
        )
        for name, port in zip(names, ports, strict=True)
    ]


def assign_executors(
    settings: Sequence[NodeSettings], genesis: Genesis, keys: Sequence[NodeKeys], running: Running
) -> list[NodeSettings]:
    """Tell executors what they execute and how they behave, and validators that these are always served.

    `keys` are the executors'. Raises `LocalError` for a --behave that cannot be met.
    """
    rollups = list_executors(genesis)
    behaviours = parse_behaviours(running.behaviours, tuple(rollups))
    peer_ids = tuple(compute_peer_ids(one)["open"] for one in keys)
    return [
        replace(
            setting,
            executes=rollups.get(setting.name, ""),
            behaviour=behaviours.get(setting.name, ""),
            peer_ids_allowed=(*setting.peer_ids_allowed, *(() if setting.name in rollups else peer_ids)),
        )
        for setting in settings
    ]


def _choose_any_ports(count: int) -> tuple[int, ...]:
    return find_free_ports(count, int.from_bytes(os.urandom(4), "big"))  # two devnets rarely choose the same


def choose_rpc_ports(count: int, base: int | None) -> tuple[int, ...]:
    """Return RPC ports: `base` and those after it, any for 0, the usual ones or any for None.

    Raises `CommandError` naming who uses a port that was asked for.
    """
    first = RPC_PORT_DEFAULT if base is None else base
    if not 0 <= first <= PORT_MAX + 1 - count:
        raise CommandError(f"--port must be 0..{PORT_MAX + 1 - count} for {count} nodes, is {first}", "usage")
    ports = tuple(range(first, first + count))
    busy = [port for port in ports if not is_port_free(port)] if base != 0 else list(ports)
    if not busy:
        return ports
    if base:
        raise CommandError(f"port {busy[0]} is used{describe_owner(busy[0])}; try --port 0", "port_busy")
    return _choose_any_ports(count)


def _require_p2p_ports(home: Home) -> None:
    for role, address in get_p2p_addresses(home).items():
        port = int(address.rpartition("/")[2])
        if port and not is_port_free(port):
            raise CommandError(
                f"{home.settings.name} needs port {port}, which is used{describe_owner(port)}; "
                f"its {role} host cannot take another",
                "port_busy",
            )


def _write_accounts(folder: Path, blueprint: Blueprint) -> None:
    folder.mkdir(mode=0o700)
    for account in blueprint.accounts:
        file = folder / f"{account.name}.key"
        file.touch(mode=0o600)
        file.write_text(account.seed.hex() + "\n")


def _read_homes(directory: Path, prefix: str) -> list[Home]:
    """Return the homes `prefix`0, `prefix`1, … in this order."""
    paths = [path.parent for path in directory.glob(f"{prefix}*/node.json")]
    numbers = {int(path.name.removeprefix(prefix)): path for path in paths if path.name[len(prefix) :].isdecimal()}
    return [read_home(numbers[number]) for number in sorted(numbers)]
