"""Draw one network on paper: keys from a seed, ports, genesis, and the home of every node.

With a seed all keys follow from it, the genesis time is fixed and the search for ports starts
at a fixed place: the chain id is the same again as long as the same ports are free. Without
a seed everything is fresh.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sequencer.cli.cluster.accounts import make_accounts, make_deposits, make_rollup_state
from sequencer.cli.cluster.executors import DrawnExecutor, ExecutorSeat, draw_executors, name_executors
from sequencer.cli.cluster.ports import HOST, find_free_ports
from sequencer.cli.cluster.rollups import parse_rollups
from sequencer.crypto.signatures import SCHEME, Ed25519Signer
from sequencer.errors import LocalError
from sequencer.node.home import NodeKeys, NodeSettings, compute_peer_ids, write_home
from sequencer.rpc.queries import DevelopmentAccount
from sequencer.types.genesis import Genesis, GenesisValidator, HostAddress, Rollup, RollupKind
from sequencer.types.parameters import Parameters

VALIDATORS_MAX = 32
"""Processes that one machine is asked to run."""
SEEDED_TIME_MS = 1_767_225_600_000
"""Genesis time of a seeded network: 2026-01-01, 00:00 UTC."""
SNAPSHOTS_PER_RETAIN = 2
"""Snapshots in the heights that `--retain` keeps: blocks go only when a snapshot stands above them."""
HOST_ROLES = ("votes", "data", "open")
DEVNET_PARAMETERS = Parameters(
    view_timeout_base_ms=200,
    pace_ms=80,
    batch_delay_ms_max=50,
    have_interval_ms=25,
)
"""Times for several validators on one machine: they share its cores, so fewer and fuller messages
are quicker. Measured at 200 tx/s with four validators on two cores: a sixth less CPU time and
a shorter median latency than with the protocol's defaults, which suit one machine each."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for."""

    validators: int
    rollups: str
    """`name[:machine][:split=N]`, separated by commas."""
    seed: int | None
    retain_heights: int | None
    name: str = "devnet"


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one validator listens."""

    name: str
    host: str
    """IPv4 address."""
    ports: tuple[int, int, int]
    """Of the hosts votes, data and open."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A network that exists on paper only."""

    genesis: Genesis
    keys: tuple[NodeKeys, ...]
    """By validator index."""
    accounts: tuple[DevelopmentAccount, ...]
    executors: tuple[DrawnExecutor, ...] = ()
    """Of all split rollups, ascending by name."""


def draw(
    wish: Wish, seats: Sequence[Seat] | None = None, executor_seats: Sequence[ExecutorSeat] | None = None
) -> Blueprint:
    """Return the network that the user wished for; without `seats`, on loopback ports that are free now."""
    if not 1 <= wish.validators <= VALIDATORS_MAX:
        raise LocalError(f"--validators must be 1..{VALIDATORS_MAX}, is {wish.validators}")
    root = secrets.token_bytes(32) if wish.seed is None else derive(b"", f"seed {wish.seed}")
    seats = choose_seats(wish.validators, root) if seats is None else seats
    keys = tuple(_make_keys(root, seat.name) for seat in seats)
    accounts = make_accounts(lambda label: derive(root, label))
    if executor_seats is None:
        executor_seats = [seat for rollup in parse_rollups(wish.rollups) for seat in name_executors(rollup)]
    executors = draw_executors(executor_seats, lambda label: derive(root, label))
    genesis = Genesis(
        name=wish.name,
        time_ms=SEEDED_TIME_MS if wish.seed is not None else time.time_ns() // 1_000_000,
        scheme=SCHEME,
        validators=tuple(_make_validator(seat, key) for seat, key in zip(seats, keys, strict=True)),
        rollups=_make_rollups(wish.rollups, accounts, executors),
        deposits=make_deposits(accounts),
        parameters=_make_parameters(wish.retain_heights),
    )
    genesis.verify()
    return Blueprint(genesis, keys, accounts, executors)


def choose_seats(count: int, root: bytes) -> tuple[Seat, ...]:
    """Return seats `val0`… on free loopback ports; where the search starts depends on `root`."""
    ports = find_free_ports(3 * count, int.from_bytes(derive(root, "ports")[:4], "big"))
    return tuple(
        Seat(f"val{index}", HOST, (ports[3 * index], ports[3 * index + 1], ports[3 * index + 2]))
        for index in range(count)
    )


def derive(root: bytes, label: str) -> bytes:
    """Return the 32 bytes that belong to `label` under `root`."""
    return hashlib.sha256(b"sequencer devnet\0" + root + label.encode()).digest()


def build(blueprint: Blueprint, directory: Path, settings: Sequence[NodeSettings], is_devnet: bool = True) -> None:
    """Write a home per setting below `directory`: validators, then executors; only a devnet's know the accounts."""
    accounts = blueprint.accounts if is_devnet else None
    all_keys = (*blueprint.keys, *(executor.keys for executor in blueprint.executors))
    for keys, setting in zip(all_keys, settings, strict=True):
        write_home(directory / setting.name, setting, keys, blueprint.genesis, accounts)


def make_full_node_keys(seed: int | None, name: str) -> NodeKeys:
    """Return the only key of a full node: the identity of its open host."""
    root = secrets.token_bytes(32) if seed is None else derive(b"", f"seed {seed}")
    return NodeKeys(None, None, None, derive(root, f"{name} open"))


def _make_keys(root: bytes, name: str) -> NodeKeys:
    return NodeKeys(*(derive(root, f"{name} {role}") for role in ("vote", *HOST_ROLES)))


def _make_validator(seat: Seat, keys: NodeKeys) -> GenesisValidator:
    assert keys.vote is not None
    peer_ids = compute_peer_ids(keys)
    hosts = [
        HostAddress(peer_ids[role], f"/ip4/{seat.host}/tcp/{port}")
        for role, port in zip(HOST_ROLES, seat.ports, strict=True)
    ]
    return GenesisValidator(seat.name, Ed25519Signer(keys.vote).public_key, 1, *hosts)


def _make_rollups(
    text: str, accounts: Sequence[DevelopmentAccount], executors: Sequence[DrawnExecutor]
) -> tuple[Rollup, ...]:
    rollups = []
    for number, wish in enumerate(parse_rollups(text), 1):
        members = tuple(executor.member for executor in executors if executor.seat.rollup == wish.name)
        if len(members) != wish.executors:
            raise LocalError(f"--executors: {wish.name} has {wish.executors} executors, {len(members)} are named")
        kind = RollupKind.SPLIT if members else RollupKind.NATIVE
        state = make_rollup_state(wish.machine, accounts)
        rollups.append(Rollup(number, wish.name, wish.machine, kind, state, members))
    return tuple(rollups)


def _make_parameters(retain_heights: int | None) -> Parameters:
    if retain_heights is None:
        return DEVNET_PARAMETERS
    interval = min(DEVNET_PARAMETERS.snapshot_interval_heights, max(1, retain_heights // SNAPSHOTS_PER_RETAIN))
    parameters = replace(DEVNET_PARAMETERS, retain_heights=retain_heights, snapshot_interval_heights=interval)
    parameters.verify()
    return parameters
