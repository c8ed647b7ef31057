"""Describe a network at height 0; its digest is the chain id."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from sequencer.codec import U32_MAX, U64_MAX, Fields, decode, encode
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.crypto.signatures import SCHEME, is_valid_public_key
from sequencer.errors import DecodeError, LocalError
from sequencer.types.block import BlockHeader, make_genesis_header
from sequencer.types.bundle import DECIDE_WITHIN_MAX, read_key, read_state_value
from sequencer.types.committee import Committee, Validator
from sequencer.types.item_rules import ExecutorSet, ItemRules
from sequencer.types.parameters import COMMITTEE_SIZE_MAX, Parameters
from sequencer.types.primitives import Address, Digest, RollupId, StateValue

NAME = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
"""Names of validators, rollups and machines: lower case, digits, hyphen; at most 32 characters."""
GENESIS_ENTRIES_MAX = 60_000
"""Entries of one rollup's initial state, and of the deposits."""
GENESIS_BYTES_MAX = 16 << 20
EXECUTORS_MAX = 16
"""Executors of one split rollup."""
DECISION_HEIGHTS_MIN = 5
"""Heights from order to decision at best and one to spare; faulty leaders come on top. # A21"""

_Ordered = TypeVar("_Ordered", int, bytes, str)


@dataclass(frozen=True, slots=True)
class HostAddress:
    """Where one host of a validator listens, and who it is there."""

    peer_id: str
    """libp2p peer id, base58."""
    address: str
    """Multiaddress without the peer id, as /ip4/127.0.0.1/tcp/21000."""


@dataclass(frozen=True, slots=True)
class GenesisValidator:
    """One validator with its vote key, power and three hosts."""

    name: str
    public_key: bytes
    power: int
    votes: HostAddress
    data: HostAddress
    open: HostAddress


@dataclass(frozen=True, slots=True)
class GenesisExecutor:
    """One member of a split rollup's executor set."""

    name: str
    public_key: bytes
    """Its statements are signed with it; it never enters libp2p."""


class RollupKind(str, enum.Enum):
    """Who executes a rollup: every validator, or an executor set that attests."""

    NATIVE = "native"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Rollup:
    """One rollup: its namespace, name, machine and initial state."""

    id: RollupId
    name: str
    machine: str
    """transfer, amm or key-value… the name under which the machine is registered."""
    kind: RollupKind
    state: tuple[tuple[str, StateValue], ...]
    """Initial state, strictly ascending by key."""
    executors: tuple[GenesisExecutor, ...] = ()
    """Who attests for a split rollup, strictly ascending by name, at most 16; none iff it is native. # A9"""

    @property
    def executor_set(self) -> ExecutorSet:
        """The executors' keys by index."""
        return ExecutorSet(tuple(executor.public_key for executor in self.executors))

    @property
    def executor_faults(self) -> int:
        """f_r: executors that may lie without harm. # A9"""
        return self.executor_set.fault_count

    @property
    def executor_threshold(self) -> int:
        """f_r + 1: signatures of a certificate, at least. # A9"""
        return self.executor_set.threshold


@dataclass(frozen=True)
class Genesis:
    """A network at height 0."""

    name: str
    time_ms: int
    scheme: str
    """Acceptance set of signatures. # G3"""
    validators: tuple[GenesisValidator, ...]
    rollups: tuple[Rollup, ...]
    """Strictly ascending by id."""
    deposits: tuple[tuple[Address, int], ...]
    """Fee balances in the system state, strictly ascending by address. # A17"""
    parameters: Parameters

    @cached_property
    def chain_id(self) -> Digest:
        """H(GENESIS ‖ genesis)."""
        return hash_tagged(Tag.GENESIS, self.to_bytes())

    @cached_property
    def committee(self) -> Committee:
        """The validators of epoch 0."""
        return Committee(0, tuple(Validator(v.name, v.public_key, v.power) for v in self.validators), self.chain_id)

    @cached_property
    def header(self) -> BlockHeader:
        """The block at height 0, finalized by definition."""
        return make_genesis_header(0, self.chain_id, self.time_ms, len(self.validators))

    @cached_property
    def item_rules(self) -> ItemRules:
        """What the stateless checks of items depend on."""
        return ItemRules(
            self.chain_id,
            frozenset(rollup.id for rollup in self.rollups if rollup.kind is RollupKind.NATIVE),
            {rollup.id: rollup.executor_set for rollup in self.rollups if rollup.kind is RollupKind.SPLIT},
            min(DECIDE_WITHIN_MAX, self.committee.leader_gap_max + DECISION_HEIGHTS_MIN),
        )

    def get_rollup(self, rollup: RollupId) -> Rollup:
        """Return the rollup with this id; raises `LocalError` if there is none."""
        for candidate in self.rollups:
            if candidate.id == rollup:
                return candidate
        raise LocalError(f"no rollup has the id {rollup}")

    def get_rollup_by_name(self, name: str) -> Rollup:
        """Return the rollup called `name`; raises `LocalError` if there is none."""
        for candidate in self.rollups:
            if candidate.name == name:
                return candidate
        raise LocalError(f"no rollup is called {name!r}")

    def to_bytes(self) -> bytes:
        """Return the canonical bytes: what is hashed and stored."""
        return encode(
            (
                self.name,
                self.time_ms,
                self.scheme,
                tuple(_validator_to_value(validator) for validator in self.validators),
                tuple(_rollup_to_value(rollup) for rollup in self.rollups),
                self.deposits,
                self.parameters.to_value(),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Genesis:
        """Read and check a genesis; raises `DecodeError` naming the field."""
        if len(data) > GENESIS_BYTES_MAX:
            raise DecodeError("genesis", f"has {len(data)} bytes, at most {GENESIS_BYTES_MAX} are allowed")
        read = Fields(decode(data, "genesis"), "genesis")
        genesis = cls(
            read.text("name", 64),
            read.uint("time_ms"),
            read.text("scheme", 64),
            read.array("validators", COMMITTEE_SIZE_MAX, _read_validator, 1),
            read.array("rollups", 256, _read_rollup, 1),
            read.array("deposits", GENESIS_ENTRIES_MAX, _read_deposit),
            Parameters.from_value(read.take("parameters"), "genesis.parameters"),
        )
        read.finish()
        genesis.verify()
        return genesis

    def verify(self) -> None:
        """Refuse a network that cannot run; raises `DecodeError` naming the field."""
        if self.scheme != SCHEME:
            raise DecodeError("genesis.scheme", f"is {self.scheme!r}, this program verifies {SCHEME!r}")
        _verify_distinct("genesis.validators.name", [v.name for v in self.validators])
        _verify_distinct("genesis.validators.public_key", [v.public_key for v in self.validators])
        self._verify_executors()
        _verify_distinct("genesis.rollups.name", [r.name for r in self.rollups])
        _verify_ascending("genesis.rollups", [r.id for r in self.rollups])
        _verify_ascending("genesis.deposits", [address for address, _ in self.deposits])
        for validator in self.validators:
            if not is_valid_public_key(validator.public_key):
                raise DecodeError(f"genesis.validators.{validator.name}.public_key", "is not a valid Ed25519 key")

    def _verify_executors(self) -> None:
        """One key is one vote: of a validator, or of one executor of one rollup. # A9"""
        keys = [validator.public_key for validator in self.validators]
        for index, rollup in enumerate(self.rollups):
            path = f"genesis.rollups[{index}].executors"
            if (rollup.kind is RollupKind.SPLIT) != bool(rollup.executors):
                raise DecodeError(path, "must be there iff the rollup is split")
            _verify_ascending(path, [executor.name for executor in rollup.executors])
            for executor in rollup.executors:
                if not is_valid_public_key(executor.public_key):
                    raise DecodeError(f"{path}.{executor.name}.public_key", "is not a valid Ed25519 key")
            keys += [executor.public_key for executor in rollup.executors]
        _verify_distinct("genesis.rollups.executors.public_key", keys)


def _verify_distinct(path: str, values: list[str] | list[bytes]) -> None:
    if len(set(values)) != len(values):
        raise DecodeError(path, "must be distinct")


def _verify_ascending(path: str, values: Sequence[_Ordered]) -> None:
    if sorted(set(values)) != list(values):
        raise DecodeError(path, "must be strictly ascending")


def _host_to_value(host: HostAddress) -> tuple[str, str]:
    return (host.peer_id, host.address)


def _validator_to_value(validator: GenesisValidator) -> tuple[object, ...]:
    hosts = (validator.votes, validator.data, validator.open)
    return (validator.name, validator.public_key, validator.power, *(_host_to_value(host) for host in hosts))


def _rollup_to_value(rollup: Rollup) -> tuple[object, ...]:
    executors = tuple((executor.name, executor.public_key) for executor in rollup.executors)
    return (rollup.id, rollup.name, rollup.machine, rollup.kind.value, rollup.state, executors)


def _read_name(read: Fields, path: str) -> str:
    name = read.text("name", 32)
    if not NAME.match(name):
        raise DecodeError(f"{path}.name", "must be 1..32 characters a-z 0-9 - starting with a letter")
    return name


def _read_host(value: object, path: str) -> HostAddress:
    read = Fields(value, path)
    host = HostAddress(read.text("peer_id", 128), read.text("address", 256))
    read.finish()
    return host


def _read_validator(value: object, path: str) -> GenesisValidator:
    read = Fields(value, path)
    validator = GenesisValidator(
        _read_name(read, path),
        read.digest("public_key"),
        read.uint("power", U32_MAX),
        _read_host(read.take("votes"), f"{path}.votes"),
        _read_host(read.take("data"), f"{path}.data"),
        _read_host(read.take("open"), f"{path}.open"),
    )
    read.finish()
    if validator.power == 0:
        raise DecodeError(f"{path}.power", "must be at least 1")
    return validator


def _read_rollup(value: object, path: str) -> Rollup:
    read = Fields(value, path)
    rollup_id = read.uint("id", U32_MAX)
    name, machine = _read_name(read, path), read.text("machine", 32)
    kind = read.text("kind", 16)
    if kind not in (RollupKind.NATIVE, RollupKind.SPLIT):
        raise DecodeError(f"{path}.kind", "must be native or split")
    state = read.array("state", GENESIS_ENTRIES_MAX, _read_state_entry)
    executors = read.array("executors", EXECUTORS_MAX, _read_executor)
    read.finish()
    if rollup_id == 0:
        raise DecodeError(f"{path}.id", "must be at least 1")
    _verify_ascending(f"{path}.state", [key for key, _ in state])
    return Rollup(rollup_id, name, machine, RollupKind(kind), state, executors)


def _read_executor(value: object, path: str) -> GenesisExecutor:
    read = Fields(value, path)
    executor = GenesisExecutor(_read_name(read, path), read.digest("public_key"))
    read.finish()
    return executor


def _read_state_entry(value: object, path: str) -> tuple[str, StateValue]:
    read = Fields(value, path)
    entry = (read_key(read.take("key"), f"{path}.key"), read_state_value(read.take("value"), f"{path}.value"))
    read.finish()
    return entry


def _read_deposit(value: object, path: str) -> tuple[Address, int]:
    read = Fields(value, path)
    deposit = (read.digest("address"), read.uint("amount", U64_MAX))
    read.finish()
    return deposit
