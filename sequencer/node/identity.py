"""Find out from a home who this node is: validator, executor or neither, and whom it talks to.

Promises: keys that disagree with the genesis are refused with the file named, before anything is started.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from p2p.network import HostPeer, LocalHost, NetworkConfiguration, RemotePeer
from sequencer.crypto.signatures import Ed25519Signer
from sequencer.errors import LocalError
from sequencer.node.home import Home, compute_peer_ids
from sequencer.replica.configuration import ExecutorIdentity
from sequencer.types.genesis import Genesis, GenesisValidator, HostAddress
from sequencer.types.primitives import ValidatorIndex


def find_own_index(home: Home) -> ValidatorIndex | None:
    """Return our place in the committee, None for a full node; raises `LocalError` if keys and genesis disagree."""
    if home.keys.vote is None:
        if any(validator.name == home.settings.name for validator in home.genesis.validators):
            raise LocalError(f"{home.path}: keys/vote.key is missing, but {home.settings.name} is a validator")
        return None
    index = home.genesis.committee.get_index(home.settings.name)
    validator = home.genesis.validators[index]
    if Ed25519Signer(home.keys.vote).public_key != validator.public_key:
        raise LocalError(f"{home.path}: keys/vote.key is not the key that the genesis names for {validator.name}")
    own_ids = compute_peer_ids(home.keys)
    for role, host in (("votes", validator.votes), ("data", validator.data), ("open", validator.open)):
        if own_ids.get(role) != host.peer_id:
            raise LocalError(
                f"{home.path}: keys/{role}.key is not the host that the genesis names for {validator.name}"
            )
    return index


def find_own_executor(home: Home) -> ExecutorIdentity | None:
    """Return which executor this node is, None if it is none; raises `LocalError` if key and genesis disagree. # A9"""
    settings, seed = home.settings, home.keys.executor
    if seed is None or not settings.executes:
        if seed is not None or settings.executes:
            raise LocalError(f"{home.path}: keys/executor.key and `executes` in node.json belong together")
        return None
    if home.keys.vote is not None:
        raise LocalError(f"{home.path}: a validator is no executor; run another node for {settings.executes}")
    rollup = home.genesis.get_rollup_by_name(settings.executes)
    signer = Ed25519Signer(seed)
    for index, executor in enumerate(rollup.executors):
        if executor.public_key == signer.public_key:
            return ExecutorIdentity(rollup.id, index, signer)
    raise LocalError(f"{home.path}: keys/executor.key is of no executor that the genesis names for {rollup.name}")


def make_network_configuration(
    home: Home, index: ValidatorIndex | None, is_verdict_message: Callable[[bytes], bool] | None = None
) -> NetworkConfiguration:
    """Return what the network must know: who we are, and the hosts of all other validators.

    `is_verdict_message` judges gossip on the topic of verdicts, which nobody carries without split rollups.
    """
    genesis, keys, settings = home.genesis, home.keys, home.settings
    own = None if index is None else genesis.validators[index]
    return NetworkConfiguration(
        name=settings.name,
        network_id=genesis.chain_id,
        open=LocalHost(keys.open, _make_address(settings.open) if own is None else own.open.address),
        votes=None if own is None or keys.votes is None else LocalHost(keys.votes, own.votes.address),
        data=None if own is None or keys.data is None else LocalHost(keys.data, own.data.address),
        peers=choose_peers(genesis, index, settings.peers),
        open_peer_ids_allowed=frozenset(settings.peer_ids_allowed),
        is_gossip_enabled=settings.is_gossip_enabled,
        is_verdict_message=is_verdict_message if any(rollup.executors for rollup in genesis.rollups) else None,
    )


def choose_peers(genesis: Genesis, index: int | None, wanted: tuple[str, ...]) -> tuple[RemotePeer, ...]:
    """Return whom this node knows: all other validators, or for a full node those that it wants, where it wants them.

    Raises `LocalError` for a name that the genesis does not have.
    """
    peers = {v.name: _make_peer(v) for place, v in enumerate(genesis.validators) if place != index}
    chosen = {}
    for name, _, address in (entry.partition("=") for entry in wanted):
        if name not in peers:
            raise LocalError(f"peers: {name} is no validator of this network ({', '.join(peers)})")
        host = peers[name].open
        chosen[name] = replace(peers[name], open=replace(host, address=_make_address(address)) if address else host)
    return tuple((chosen if index is None and chosen else peers).values())


def _make_address(host_and_port: str) -> str:
    host, _, port = host_and_port.rpartition(":")
    return f"/ip4/{host}/tcp/{port}"


def _make_peer(validator: GenesisValidator) -> RemotePeer:
    return RemotePeer(
        validator.name, _make_host(validator.votes), _make_host(validator.data), _make_host(validator.open)
    )


def _make_host(host: HostAddress) -> HostPeer:
    return HostPeer(host.peer_id, host.address)
