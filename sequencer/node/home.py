"""Lay out the directory of one node: who it is, its keys, its network, how it shall run.

    node.json        settings, below; may be edited while the node is stopped
    genesis.bin      the genesis' canonical bytes
    keys/NAME.key    one line of 64 hex digits: the Ed25519 seed of `vote`, `votes`, `data`, `open` or `executor`
    accounts.json    devnet only: the accounts whose keys are public by intention

Everything else in the directory is the store's. The vote key never enters libp2p, and neither does the executor
key, with which an executor signs what it attests; the other three are the identities of the node's hosts, of
which a full node has only `open`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from p2p.identity import compute_peer_id, is_peer_id
from sequencer.crypto.signatures import SEED_BYTES, Ed25519Signer
from sequencer.errors import DecodeError, LocalError
from sequencer.rpc.queries import DevelopmentAccount
from sequencer.store.disk import Disk
from sequencer.store.node_store import initialize_store
from sequencer.types.genesis import Genesis

SETTINGS_FILE = "node.json"
GENESIS_FILE = "genesis.bin"
ACCOUNTS_FILE = "accounts.json"
KEY_FOLDER = "keys"
KEY_NAMES = ("vote", "votes", "data", "open", "executor")
BEHAVIOURS = ("lying-executor",)
"""What `behaviour` may be, beside empty."""
FILE_BYTES_MAX = 32 << 20
"""Bytes of any one file of the home that is read here."""
PORT = re.compile(r"[0-9]{1,5}")
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """How one node runs."""

    name: str
    """`val0`, … for a validator: its name in the genesis."""
    rpc: str
    """HOST:PORT that the RPC server binds; port 0 lets the system choose."""
    durability: str = "fsync"
    """`fsync`: nothing is sent before what it depends on is on disk; `os`: in the page cache."""
    is_gossip_enabled: bool = True
    """Whether transactions are gossiped and taken from gossip."""
    is_lane_enabled: bool = True
    """Whether this validator puts transactions into its own lane."""
    peer_ids_allowed: tuple[str, ...] = ()
    """Peer ids that the open host always serves."""
    is_wire_recorded: bool = False
    """Whether what other validators say is written to `wire.jsonl`, for whoever judges them later."""
    open: str = "127.0.0.1:0"
    """HOST:PORT where the open host of a full node listens; a validator's addresses are in the genesis."""
    peers: tuple[str, ...] = ()
    """Validators that a full node follows, NAME or NAME=HOST:PORT of the open host; none named: all of the genesis."""
    executes: str = ""
    """Split rollup that this full node executes and attests; empty: none. Its key is `keys/executor.key`. # A9"""
    behaviour: str = ""
    """`lying-executor` on a devnet, to see what it does to others; empty: honest."""


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """Seeds of 32 bytes; a full node has only `open`, an executor `executor` too."""

    vote: bytes | None
    votes: bytes | None
    data: bytes | None
    open: bytes
    executor: bytes | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """What `read_home` found."""

    path: Path
    settings: NodeSettings
    keys: NodeKeys
    genesis: Genesis
    accounts: tuple[DevelopmentAccount, ...] | None
    """None on anything but a devnet."""


def write_home(
    path: Path,
    settings: NodeSettings,
    keys: NodeKeys,
    genesis: Genesis,
    accounts: Sequence[DevelopmentAccount] | None = None,
) -> None:
    """Create the directory with its files, readable by this user only; raises `LocalError` if it is a home already."""
    if (path / SETTINGS_FILE).exists():
        raise LocalError(f"{path} is the home of a node already")
    (path / KEY_FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    for name, seed in _name_keys(keys):
        if seed is not None:
            _write_secret(path / KEY_FOLDER / f"{name}.key", seed.hex() + "\n")
    (path / GENESIS_FILE).write_bytes(genesis.to_bytes())
    if accounts is not None:
        entries = [{"name": account.name, "seed": account.seed.hex()} for account in accounts]
        _write_secret(path / ACCOUNTS_FILE, json.dumps(entries, indent=1) + "\n")
    if keys.vote is not None:
        initialize_store(path, genesis.header.digest, Disk())  # so that a missing vote log differs from a new one # D1
    write_settings(path, settings)


def write_settings(path: Path, settings: NodeSettings) -> None:
    """Write `node.json`; it comes last, so a home without it was never finished."""
    (path / SETTINGS_FILE).write_text(json.dumps(asdict(settings), indent=1) + "\n")


def read_home(path: Path) -> Home:
    """Read and check the home; raises `LocalError` naming the file that is missing or wrong."""
    if not (path / SETTINGS_FILE).is_file():
        raise LocalError(f"{path} is no home of a node: {SETTINGS_FILE} is missing (`sequencer init` writes one)")
    settings = _read_settings(path / SETTINGS_FILE)
    genesis = read_genesis(path / GENESIS_FILE)
    seeds = {name: _read_key(path / KEY_FOLDER / f"{name}.key") for name in KEY_NAMES}
    if seeds["open"] is None:
        raise LocalError(f"{path / KEY_FOLDER}: open.key is missing")
    keys = NodeKeys(seeds["vote"], seeds["votes"], seeds["data"], seeds["open"], seeds["executor"])
    home = Home(path, settings, keys, genesis, _read_accounts(path / ACCOUNTS_FILE))
    if settings.behaviour and home.accounts is None:
        raise LocalError(f"{path / SETTINGS_FILE}: behaviour {settings.behaviour} is for devnets only")
    return home


def find_wrong_peer_id(peer_ids: Sequence[object]) -> object | None:
    """Return the first that is no libp2p peer id, or None."""
    return next((peer_id for peer_id in peer_ids if not is_peer_id(peer_id)), None)


def compute_peer_ids(keys: NodeKeys) -> dict[str, str]:
    """Return the libp2p peer id of each host that has a key, by role."""
    hosts = {"votes": keys.votes, "data": keys.data, "open": keys.open}
    return {role: compute_peer_id(seed) for role, seed in hosts.items() if seed is not None}


def get_p2p_addresses(home: Home) -> dict[str, str]:
    """Return the multiaddress of each of the node's hosts, by role; port 0 is chosen at the start."""
    if home.keys.vote is None:
        host, _, port = home.settings.open.rpartition(":")
        return {"open": f"/ip4/{host}/tcp/{port}"}
    validator = home.genesis.validators[home.genesis.committee.get_index(home.settings.name)]
    return {"votes": validator.votes.address, "data": validator.data.address, "open": validator.open.address}


def _name_keys(keys: NodeKeys) -> tuple[tuple[str, bytes | None], ...]:
    return tuple((name, getattr(keys, name)) for name in KEY_NAMES)


def _write_secret(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise LocalError(f"{path} has more than {FILE_BYTES_MAX} bytes")
        return path.read_bytes()
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}") from None


def read_genesis(path: Path) -> Genesis:
    """Read a genesis file; raises `LocalError` naming it."""
    try:
        return Genesis.from_bytes(_read(path))
    except DecodeError as error:
        raise LocalError(f"{path} is no genesis: {error}") from None


def _read_settings(path: Path) -> NodeSettings:
    try:
        members = json.loads(_read(path))
        lists = {name: tuple(members.get(name, ())) for name in ("peer_ids_allowed", "peers")}
        settings = NodeSettings(**{**members, **lists})
    except (ValueError, TypeError, AttributeError) as error:
        raise LocalError(f"{path} is not the settings of a node: {error}") from None
    wrong = find_wrong_setting(settings)
    if wrong is not None:
        raise LocalError(f"{path}: {wrong}")
    return settings


def find_wrong_setting(settings: NodeSettings) -> str | None:
    """Return what a person must mend in `node.json`, or None."""
    if not isinstance(settings.name, str):
        return f"name must be text, is {settings.name!r}"
    if settings.durability not in ("fsync", "os"):
        return f"durability must be fsync or os, is {settings.durability!r}"
    for name in ("rpc", "open"):
        if not is_host_and_port(getattr(settings, name)):
            return f"{name} must be HOST:PORT with a port of 0..{PORT_MAX}, is {getattr(settings, name)!r}"
    for peer in settings.peers:
        if not isinstance(peer, str) or ("=" in peer and not is_host_and_port(peer.partition("=")[2])):
            return f"peers: must be NAME or NAME=HOST:PORT, is {peer!r}"
    for name in ("is_gossip_enabled", "is_lane_enabled", "is_wire_recorded"):
        if not isinstance(getattr(settings, name), bool):
            return f"{name} must be true or false, is {getattr(settings, name)!r}"
    if settings.behaviour and (settings.behaviour not in BEHAVIOURS or not settings.executes):
        return f"behaviour must be empty, or on an executor one of {BEHAVIOURS}, is {settings.behaviour!r}"
    if not isinstance(settings.executes, str):
        return f"executes must be the name of a rollup, is {settings.executes!r}"
    wrong = find_wrong_peer_id(settings.peer_ids_allowed)
    return None if wrong is None else f"peer_ids_allowed: {wrong!r} is no peer id (12D3Koo…, Qm…)"


def is_host_and_port(text: object) -> bool:
    """Tell whether `text` reads as HOST:PORT."""
    host, _, port = str(text).rpartition(":")
    return bool(host) and PORT.fullmatch(port) is not None and int(port) <= PORT_MAX


def _read_key(path: Path) -> bytes | None:
    if not path.exists():
        return None
    try:
        seed = bytes.fromhex(_read(path).decode().strip())
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise LocalError(f"{path} must be one line of {2 * SEED_BYTES} hex digits")
    return seed


def _read_accounts(path: Path) -> tuple[DevelopmentAccount, ...] | None:
    if not path.exists():
        return None
    try:
        entries = [(entry["name"], bytes.fromhex(entry["seed"])) for entry in json.loads(_read(path))]
    except (ValueError, TypeError, KeyError) as error:
        raise LocalError(f"{path} is no list of accounts: {error}") from None
    return tuple(DevelopmentAccount(name, Ed25519Signer(seed).public_key, seed) for name, seed in entries)
