"""Read one item of a batch and apply the stateless checks. # A1 A3 A4

The verdict is a pure function of the bytes and the genesis, so every node reaches the same one; it
may run in any thread.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from sequencer.codec import Fields, decode, encode, read_signature
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError
from sequencer.types.bundle import Bundle
from sequencer.types.bundle_rules import check_bundle
from sequencer.types.genesis import EXECUTORS_MAX
from sequencer.types.item_rules import ItemRules
from sequencer.types.message import DELIVER_KIND, Delivery
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.parameters import ITEM_BYTES_MAX, LEGS_MAX
from sequencer.types.primitives import Digest, Signature
from sequencer.types.verdict import (
    ExecutorCertificate,
    StatementKind,
    compute_statement_signing_bytes,
    read_statement,
)
from sequencer.types.vote import decode_signers


class ItemKind(enum.IntEnum):
    """What an item is."""

    BUNDLE = 1
    VERDICTS = StatementKind.VERDICT
    BEAT = StatementKind.BEAT
    ROOT = StatementKind.ROOT
    DELIVER = DELIVER_KIND


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


CheckedItem: TypeAlias = SignedBundle | ExecutorCertificate | Delivery | Rejection
"""What the stateless checks make of an item's bytes."""

UNREADABLE_KIND = 0
"""Kind of an item that fails a stateless check."""


def get_item_kind(checked: CheckedItem) -> int:
    """Return the item's `ItemKind`, or 0 for one that fails a stateless check."""
    match checked:
        case SignedBundle():
            return ItemKind.BUNDLE
        case ExecutorCertificate(statement):
            return statement.KIND
        case Delivery():
            return ItemKind.DELIVER
        case Rejection():
            return UNREADABLE_KIND


def compute_item_id(item: bytes, checked: CheckedItem) -> Digest:
    """Return the bundle's or the message's id, or H(ITEM ‖ bytes) for anything else."""
    match checked:
        case SignedBundle():
            return checked.id
        case Delivery(message):
            return message.id
        case _:
            return hash_tagged(Tag.ITEM, item)


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
        if kind == ItemKind.BUNDLE:
            return _check_bundle(_read_bundle(read), item, rules, verifier)
        if kind == ItemKind.DELIVER:
            return _check_delivery(_read_delivery(read), rules)
        if kind in (ItemKind.VERDICTS, ItemKind.BEAT, ItemKind.ROOT):
            certificate = _read_certificate(kind, read)
            return check_certificate(certificate, rules, verifier) or certificate
    except DecodeError as error:
        return Rejection(Reason.MALFORMED, error.path, error.reason)
    return Rejection(Reason.UNKNOWN_KIND, "item.kind", f"is {kind}")


def _read_bundle(read: Fields) -> SignedBundle:
    bundle = Bundle.from_value(read.take("body"), "item.body")
    signatures = read.array("signatures", LEGS_MAX + 1, read_signature, 1)
    read.finish()
    return SignedBundle(bundle, signatures)


def _check_bundle(signed: SignedBundle, item: bytes, rules: ItemRules, verifier: Verifier) -> CheckedItem:
    rejection = check_bundle(signed.bundle, rules) or _check_signatures(signed.bundle, signed.signatures, verifier)
    if rejection is not None:
        return rejection
    # One value has one encoding, so `item_bytes` would give `item`: spare making it again.
    vars(signed)["item_bytes"] = item
    return signed


def _check_signatures(bundle: Bundle, signatures: tuple[Signature, ...], verifier: Verifier) -> Rejection | None:
    signers = bundle.signers
    if len(signatures) != len(signers):
        return Rejection(Reason.BAD_SIGNATURE, "item.signatures", f"must be {len(signers)}, are {len(signatures)}")
    message = bundle.signing_bytes
    for index, (signer, signature) in enumerate(zip(signers, signatures, strict=True)):
        if not verifier(signer, message, signature):
            return Rejection(Reason.BAD_SIGNATURE, f"item.signatures[{index}]", f"is not of {signer.hex()}")
    return None


def read_certificate(item: bytes) -> ExecutorCertificate:
    """Read an item of kind 2, 3 or 4 that was checked before; raises `DecodeError` naming the field."""
    read = Fields(decode(item, "item"), "item")
    return _read_certificate(read.uint("kind"), read)


def _read_certificate(kind: int, read: Fields) -> ExecutorCertificate:
    body = Fields(read.take("body"), "item.body")
    path = "item.body.statement"
    statement = read_statement(kind, Fields(body.take("statement"), path), path)
    signers = decode_signers(body.blob("signers", EXECUTORS_MAX // 8), "item.body.signers")
    body.finish()
    signatures = read.array("signatures", EXECUTORS_MAX, read_signature)
    read.finish()
    return ExecutorCertificate(statement, signers, signatures)


def check_certificate(certificate: ExecutorCertificate, rules: ItemRules, verifier: Verifier) -> Rejection | None:
    """Return None if distinct members of the rollup's executor set signed, f_r + 1 at least. # A9"""
    executors = rules.executor_sets.get(certificate.statement.rollup)
    if executors is None:
        detail = f"{certificate.statement.rollup} is no split rollup"
        return Rejection(Reason.UNKNOWN_ROLLUP, "item.body.statement.rollup", detail)
    signers, keys = certificate.signers, executors.public_keys
    if len(signers) < executors.threshold or signers[-1] >= len(keys):
        detail = f"must be at least {executors.threshold} of {len(keys)} executors, are {list(signers)}"
        return Rejection(Reason.BAD_SIGNATURE, "item.body.signers", detail)
    if len(certificate.signatures) != len(signers):
        detail = f"must be {len(signers)}, are {len(certificate.signatures)}"
        return Rejection(Reason.BAD_SIGNATURE, "item.signatures", detail)
    message = compute_statement_signing_bytes(rules.chain_id, certificate.statement)
    for index, (signer, signature) in enumerate(zip(signers, certificate.signatures, strict=True)):
        if not verifier(keys[signer], message, signature):
            return Rejection(Reason.BAD_SIGNATURE, f"item.signatures[{index}]", f"is not of executor {signer}")
    return None


def _read_delivery(read: Fields) -> Delivery:
    delivery = Delivery.from_value(read.take("body"), "item.body")
    read.array("signatures", 0, read_signature)
    read.finish()
    return delivery


def _check_delivery(delivery: Delivery, rules: ItemRules) -> CheckedItem:
    """Both ends exist; whether the message was sent and is new depends on state. # A19"""
    for name, rollup in (("source", delivery.message.source), ("destination", delivery.message.destination)):
        if rollup not in rules.native_rollups and rollup not in rules.executor_sets:
            return Rejection(Reason.UNKNOWN_ROLLUP, f"item.body.message.{name}", f"{rollup} does not exist")
    return delivery
