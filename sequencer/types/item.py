"""Read one item of a batch and apply the stateless checks. # A1 A3 A4

The verdict is a pure function of the bytes, the chain and the rollups, so every node
reaches the same one; it may run in any thread.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from sequencer.codec import Fields, decode, encode, read_signature
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError
from sequencer.types.bundle import Bundle, Reference
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.parameters import ITEM_BYTES_MAX, LEGS_MAX
from sequencer.types.primitives import Digest, RollupId, Signature


class ItemKind(enum.IntEnum):
    """What an item is; kinds 2..5 belong to split rollups and messages and are unknown to this version."""

    BUNDLE = 1
    VERDICTS = 2
    BEAT = 3
    ROOT = 4
    DELIVER = 5


@dataclass(frozen=True)
class SignedBundle:
    """A bundle with the signatures of all its signers, in the order of `Bundle.signers`."""

    bundle: Bundle
    signatures: tuple[Signature, ...]

    @cached_property
    def item_bytes(self) -> bytes:
        """The item as a batch carries it: [kind, body, signatures]."""
        return encode((ItemKind.BUNDLE, self.bundle.to_value(), self.signatures))

    @property
    def id(self) -> Digest:
        """The bundle's id; signatures are no part of it."""
        return self.bundle.id


CheckedItem: TypeAlias = SignedBundle | Rejection
"""What the stateless checks make of an item's bytes."""


@dataclass(frozen=True, slots=True)
class ItemRules:
    """What the stateless checks depend on."""

    chain_id: Digest
    native_rollups: frozenset[RollupId]
    split_rollups: frozenset[RollupId]


def compute_item_id(item: bytes, checked: CheckedItem) -> Digest:
    """Return the bundle's id, or H(ITEM ‖ bytes) for what is no admissible bundle."""
    return checked.id if isinstance(checked, SignedBundle) else hash_tagged(Tag.ITEM, item)


def check_items(items: Iterable[bytes], rules: ItemRules, verifier: Verifier) -> tuple[CheckedItem, ...]:
    """Check each item; the duty behind the effect `CheckItems`."""
    return tuple(check_item(item, rules, verifier) for item in items)


def check_item(item: bytes, rules: ItemRules, verifier: Verifier) -> CheckedItem:
    """Read the item and check all that needs no state; never raises."""
    if len(item) > ITEM_BYTES_MAX:
        return Rejection(Reason.OVERSIZE, "item", f"has {len(item)} bytes, at most {ITEM_BYTES_MAX} are allowed")
    try:
        read = Fields(decode(item, "item"), "item")
        kind = read.uint("kind")
        if kind != ItemKind.BUNDLE:
            return Rejection(Reason.UNKNOWN_KIND, "item.kind", f"is {kind}")
        bundle = Bundle.from_value(read.take("body"), "item.body")
        signatures = read.array("signatures", LEGS_MAX + 1, read_signature, 1)
        read.finish()
    except DecodeError as error:
        return Rejection(Reason.MALFORMED, error.path, error.reason)
    return (
        _check_body(bundle, rules)
        or _check_signatures(bundle, signatures, verifier)
        or _keep_bytes(SignedBundle(bundle, signatures), item)
    )


def _keep_bytes(signed: SignedBundle, item: bytes) -> SignedBundle:
    """Spare encoding again what was read: one value has one encoding, so `item_bytes` would give `item`."""
    vars(signed)["item_bytes"] = item
    return signed


def _check_body(bundle: Bundle, rules: ItemRules) -> Rejection | None:
    if bundle.chain_id != rules.chain_id:
        return Rejection(Reason.WRONG_CHAIN, "item.body.chain_id", "is another network's")
    if bundle.valid_from > bundle.valid_until:
        return Rejection(Reason.BAD_WINDOW, "item.body.valid_from", "is above valid_until")
    for index, leg in enumerate(bundle.legs):
        if leg.rollup not in rules.native_rollups and leg.rollup not in rules.split_rollups:
            return Rejection(Reason.UNKNOWN_ROLLUP, f"item.body.legs[{index}].rollup", f"{leg.rollup} does not exist")
    is_native = rules.native_rollups.issuperset(bundle.rollups)
    if is_native != (bundle.decide_within == 0):
        return Rejection(Reason.BAD_DECIDE_WITHIN, "item.body.decide_within", "must be 0 iff all rollups are native")
    return _check_references(bundle)


def _check_references(bundle: Bundle) -> Rejection | None:
    """A reference points to an earlier leg, so values flow in one direction. # A15"""
    for leg_index, leg in enumerate(bundle.legs):
        for op_index, operation in enumerate(leg.operations):
            for arg_index, argument in enumerate(operation.arguments):
                if isinstance(argument, Reference) and argument.leg >= leg_index:
                    path = f"item.body.legs[{leg_index}].operations[{op_index}].arguments[{arg_index}]"
                    return Rejection(Reason.BAD_REFERENCE, path, "must point to an earlier leg")
    return None


def _check_signatures(bundle: Bundle, signatures: tuple[Signature, ...], verifier: Verifier) -> Rejection | None:
    signers = bundle.signers
    if len(signatures) != len(signers):
        return Rejection(Reason.BAD_SIGNATURE, "item.signatures", f"must be {len(signers)}, are {len(signatures)}")
    message = bundle.signing_bytes
    for index, (signer, signature) in enumerate(zip(signers, signatures, strict=True)):
        if not verifier(signer, message, signature):
            return Rejection(Reason.BAD_SIGNATURE, f"item.signatures[{index}]", f"is not of {signer.hex()}")
    return None


def make_rules(chain_id: Digest, split_by_rollup: Mapping[RollupId, bool]) -> ItemRules:
    """Return the rules of a network whose rollups are given as id → is it split."""
    return ItemRules(
        chain_id,
        frozenset(rollup for rollup, is_split in split_by_rollup.items() if not is_split),
        frozenset(rollup for rollup, is_split in split_by_rollup.items() if is_split),
    )
