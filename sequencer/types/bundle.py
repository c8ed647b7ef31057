"""Describe what a client asks for: a bundle of legs that take effect on all their rollups or on none.

A transaction is a bundle with one leg. # A1 A2
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

from sequencer.codec import U32_MAX, U64_MAX, Fields, encode, read_digest
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.errors import DecodeError
from sequencer.types.leaves import encode_leg_leaf
from sequencer.types.parameters import LEGS_MAX
from sequencer.types.primitives import Address, Digest, Height, RollupId, StateValue
from sequencer.types.signing import compute_client_signing_bytes

CONDITIONS_PER_LEG_MAX = 64
OPERATIONS_PER_LEG_MAX = 64
ACCESS_KEYS_PER_LEG_MAX = 256
DEPS_MAX = 16
ARGUMENTS_PER_OPERATION_MAX = 8
CHANNEL_MAX = 15
DECIDE_WITHIN_MAX = 256
KEY_BYTES_MAX = 128
VALUE_BYTES_MAX = 1_024

_KEY = re.compile(r"[A-Za-z0-9._:/-]{1,128}\Z")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")


def read_key(value: object, path: str) -> str:
    """Read a state key: 1..128 characters of letters, digits and `._:/-`."""
    if type(value) is not str or not _KEY.match(value):
        raise DecodeError(path, "must be a key of 1..128 characters A-Z a-z 0-9 . _ : / -")
    return value


def read_name(value: object, path: str) -> str:
    """Read the name of an operation or output: lower-case letters, digits, `_`, at most 32."""
    if type(value) is not str or not _NAME.match(value):
        raise DecodeError(path, "must be a name of 1..32 characters a-z 0-9 _")
    return value


def read_state_value(value: object, path: str) -> StateValue:
    """Read an amount ≥ 1 or 1..1024 bytes."""
    if type(value) is int and 1 <= value <= U64_MAX:
        return value
    if type(value) is bytes and 1 <= len(value) <= VALUE_BYTES_MAX:
        return value
    raise DecodeError(path, f"must be an integer 1..{U64_MAX} or 1..{VALUE_BYTES_MAX} bytes")


@dataclass(frozen=True, slots=True)
class Equals:
    """The key holds exactly `value`; None means that the key is absent."""

    key: str
    value: StateValue | None
    CODE = 1


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The key holds an amount ≥ `low`; an absent key holds 0."""

    key: str
    low: int
    CODE = 2


@dataclass(frozen=True, slots=True)
class InRange:
    """The key holds an amount in `low`..`high`; an absent key holds 0."""

    key: str
    low: int
    high: int
    CODE = 3


@dataclass(frozen=True, slots=True)
class NonceIs:
    """The account's nonce on this rollup is `nonce`; on COMMIT it becomes `nonce` + 1. # A6"""

    account: Address
    nonce: int
    CODE = 4


@dataclass(frozen=True, slots=True)
class HeightWindow:
    """The bundle's block has a height in `low`..`high`. # A10"""

    low: Height
    high: Height
    CODE = 5


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """The bundle's block has a time in `low_ms`..`high_ms`. # A10"""

    low_ms: int
    high_ms: int
    CODE = 6


Condition: TypeAlias = Equals | AtLeast | InRange | NonceIs | HeightWindow | TimeWindow


def condition_to_value(condition: Condition) -> tuple[object, ...]:
    """Return [code, field, …]."""
    match condition:
        case Equals(key, value):
            return (Equals.CODE, key, value)
        case AtLeast(key, low):
            return (AtLeast.CODE, key, low)
        case InRange(key, low, high):
            return (InRange.CODE, key, low, high)
        case NonceIs(account, nonce):
            return (NonceIs.CODE, account, nonce)
        case HeightWindow(low, high):
            return (HeightWindow.CODE, low, high)
        case TimeWindow(low_ms, high_ms):
            return (TimeWindow.CODE, low_ms, high_ms)


def read_condition(value: object, path: str) -> Condition:
    """Read one condition; raises `DecodeError` naming the field."""
    read = Fields(value, path)
    code = read.uint("kind", 6)
    condition: Condition
    if code == Equals.CODE:
        condition = Equals(read_key(read.take("key"), f"{path}.key"), read.optional("value", read_state_value))
    elif code == AtLeast.CODE:
        condition = AtLeast(read_key(read.take("key"), f"{path}.key"), read.uint("low"))
    elif code == InRange.CODE:
        condition = InRange(read_key(read.take("key"), f"{path}.key"), read.uint("low"), read.uint("high"))
    elif code == NonceIs.CODE:
        condition = NonceIs(read.digest("account"), read.uint("nonce", U64_MAX - 1))
    elif code == HeightWindow.CODE:
        condition = HeightWindow(read.uint("low"), read.uint("high"))
    elif code == TimeWindow.CODE:
        condition = TimeWindow(read.uint("low_ms"), read.uint("high_ms"))
    else:
        raise DecodeError(f"{path}.kind", "must be 1..6")
    read.finish()
    return condition


@dataclass(frozen=True, slots=True)
class Reference:
    """Stands for the output `name` of an earlier leg of the same bundle. # A15"""

    leg: int
    name: str


Argument: TypeAlias = int | str | bytes | Reference
"""An amount (u64), a text of at most 128 bytes, at most 1,024 bytes, or a reference."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of a rollup's machine; the machine defines the names and their arguments."""

    name: str
    arguments: tuple[Argument, ...]

    def to_value(self) -> tuple[object, ...]:
        """Return [name, [argument, …]]; a reference is the array [leg, name]."""
        return (
            self.name,
            tuple([(arg.leg, arg.name) if isinstance(arg, Reference) else arg for arg in self.arguments]),
        )


def read_argument(value: object, path: str) -> Argument:
    """Read one argument; raises `DecodeError`."""
    if isinstance(value, tuple):
        read = Fields(value, path)
        reference = Reference(read.uint("leg", LEGS_MAX - 1), read_name(read.take("name"), f"{path}.name"))
        read.finish()
        return reference
    if type(value) is int and 0 <= value <= U64_MAX:
        return value
    if type(value) is str and len(value.encode()) <= KEY_BYTES_MAX:
        return value
    if type(value) is bytes and len(value) <= VALUE_BYTES_MAX:
        return value
    raise DecodeError(path, "must be an integer, text of at most 128 bytes, at most 1024 bytes, or [leg, name]")


def read_operation(value: object, path: str) -> Operation:
    """Read one operation; raises `DecodeError` naming the field."""
    read = Fields(value, path)
    operation = Operation(
        read_name(read.take("name"), f"{path}.name"),
        read.array("arguments", ARGUMENTS_PER_OPERATION_MAX, read_argument),
    )
    read.finish()
    return operation


class AccessMode(enum.IntEnum):
    """What a leg may do with a declared key."""

    READ = 0
    WRITE = 1


_ACCESS_MODES = tuple(AccessMode)

AccessSet: TypeAlias = tuple[tuple[str, AccessMode], ...]
"""Declared keys, strictly ascending by key. # A7"""


def _read_access_entry(value: object, path: str) -> tuple[str, AccessMode]:
    read = Fields(value, path)
    entry = (read_key(read.take("key"), f"{path}.key"), _ACCESS_MODES[read.uint("mode", AccessMode.WRITE)])
    read.finish()
    return entry


def read_access_set(value: object, path: str) -> AccessSet:
    """Read a declared access set; raises `DecodeError` naming the entry."""
    entries = Fields((value,), path).array("access", ACCESS_KEYS_PER_LEG_MAX, _read_access_entry)
    if any(left[0] >= right[0] for left, right in pairwise(entries)):
        raise DecodeError(path, "must have its keys strictly ascending")
    return entries


@dataclass(frozen=True)
class Leg:
    """The part of a bundle that touches one rollup."""

    rollup: RollupId
    signer: Address
    """Who acts in this leg; must sign the bundle."""
    conditions: tuple[Condition, ...]
    operations: tuple[Operation, ...]
    access: AccessSet | None
    """Keys that the leg may touch; None means the whole rollup (`*`). # A7"""

    @cached_property
    def digest(self) -> Digest:
        """leg_hash = H(LEG ‖ leg)."""
        return hash_tagged(Tag.LEG, encode(self.to_value()))

    @cached_property
    def declared(self) -> Mapping[str, AccessMode] | None:
        """The access set by key; None means the whole rollup. # A7"""
        return None if self.access is None else dict(self.access)

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (
            self.rollup,
            self.signer,
            tuple([condition_to_value(condition) for condition in self.conditions]),
            tuple([operation.to_value() for operation in self.operations]),
            self.access,
        )

    @classmethod
    def from_value(cls, value: object, path: str) -> Leg:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        rollup = read.uint("rollup", U32_MAX)
        leg = cls(
            rollup,
            read.digest("signer"),
            read.array("conditions", CONDITIONS_PER_LEG_MAX, read_condition),
            read.array("operations", OPERATIONS_PER_LEG_MAX, read_operation),
            read.optional("access", read_access_set),
        )
        read.finish()
        if rollup == 0:
            raise DecodeError(f"{path}.rollup", "must be at least 1")
        return leg


@dataclass(frozen=True)
class Bundle:
    """What the payer and every leg's signer sign, whole: no leg can be added, dropped or moved. # A1"""

    chain_id: Digest
    payer: Address
    channel: int
    """0..15: independent sequences of one payer."""
    sequence: int
    """Consumed at admission whatever the outcome; the whole replay protection. # A6"""
    valid_from: Height
    valid_until: Height
    """Last height at which the bundle may be included."""
    decide_within: int
    """k: heights until TIMEOUT; 0 iff all touched rollups are native. # A3"""
    deps: tuple[Digest, ...]
    """Ids of earlier bundles that must have committed. # A16"""
    legs: tuple[Leg, ...]

    @cached_property
    def id(self) -> Digest:
        """H(BUNDLE ‖ chain_id ‖ [payer, channel, sequence, from, until, decide_within, deps, [leg_hash]])."""
        return hash_tagged(
            Tag.BUNDLE,
            self.chain_id,
            encode(
                (
                    self.payer,
                    self.channel,
                    self.sequence,
                    self.valid_from,
                    self.valid_until,
                    self.decide_within,
                    self.deps,
                    tuple(leg.digest for leg in self.legs),
                )
            ),
        )

    @cached_property
    def leg_leaves(self) -> tuple[bytes, ...]:
        """Each leg's leaf under the batch root. # A2"""
        return tuple(encode_leg_leaf(self.id, index, len(self.legs), leg.digest) for index, leg in enumerate(self.legs))

    @cached_property
    def rollups(self) -> tuple[RollupId, ...]:
        """The touched rollups, ascending, each once."""
        return tuple(sorted({leg.rollup for leg in self.legs}))

    @cached_property
    def signers(self) -> tuple[Address, ...]:
        """Who must sign: the payer first, then each leg's signer at its first appearance."""
        return tuple(dict.fromkeys((self.payer, *(leg.signer for leg in self.legs))))

    @cached_property
    def has_references(self) -> bool:
        """Whether a leg uses what another one exports. # A15"""
        return any(
            isinstance(argument, Reference)
            for leg in self.legs
            for operation in leg.operations
            for argument in operation.arguments
        )

    @cached_property
    def operation_count(self) -> int:
        """Operations of all legs; the fee counts them. # A17"""
        return sum(len(leg.operations) for leg in self.legs)

    @property
    def signing_bytes(self) -> bytes:
        """What every signer signs."""
        return compute_client_signing_bytes(self.id)

    def to_value(self) -> tuple[object, ...]:
        """Return the body of a BUNDLE item."""
        return (
            self.chain_id,
            self.payer,
            self.channel,
            self.sequence,
            self.valid_from,
            self.valid_until,
            self.decide_within,
            self.deps,
            tuple(leg.to_value() for leg in self.legs),
        )

    @classmethod
    def from_value(cls, value: object, path: str) -> Bundle:
        """Read the body; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        bundle = cls(
            read.digest("chain_id"),
            read.digest("payer"),
            read.uint("channel", CHANNEL_MAX),
            read.uint("sequence", U64_MAX - 1),
            read.uint("valid_from"),
            read.uint("valid_until"),
            read.uint("decide_within", DECIDE_WITHIN_MAX),
            read.array("deps", DEPS_MAX, read_digest),
            read.array("legs", LEGS_MAX, Leg.from_value, 1),
        )
        read.finish()
        return bundle
