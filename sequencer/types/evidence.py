"""Prove that a validator signed what no correct validator signs, to anybody who has the genesis. # X1-X7

A protocol signature covers kind, number and digest (G2), so two statements of one signer with one
number are a whole proof: X1-X6 need no other object. X7 is wrong by itself and carries what shows
it. Nothing here is redundant: every byte is signed, hashed, or compared with one that is.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from sequencer.codec import U16_MAX, Fields, decode, encode
from sequencer.crypto.hashing import ZERO_DIGEST, Tag, hash_tagged
from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, VerificationError
from sequencer.types.batch import BATCH_PAYLOAD_BYTES_LIMIT, BatchHeader, compute_payload_hash
from sequencer.types.block import BlockHeader
from sequencer.types.committee import Committee
from sequencer.types.genesis import Genesis
from sequencer.types.primitives import Cut, Digest, Epoch, Signature, ValidatorIndex
from sequencer.types.signing import SignatureKind, compute_signing_bytes

EVIDENCE_FORMAT = "ssq-evidence-1"
EVIDENCE_BYTES_MAX = BATCH_PAYLOAD_BYTES_LIMIT + (64 << 10)
"""Bytes of one encoded piece of evidence, at most: a payload, or two headers of 128 tips."""


class EvidenceKind(enum.IntEnum):
    """The contradiction that is proven; the number is that of the rule."""

    TWO_NOTARIZES = 1
    TWO_FINALIZES = 2
    NULLIFY_AND_FINALIZE = 3
    TWO_PROPOSALS = 4
    TWO_BATCHES = 5
    TWO_COMMITMENTS = 6
    FALSE_OBJECT = 7

    @property
    def rule(self) -> str:
        """Id of the rule, as `X1`."""
        return f"X{self.value}"


_PAIRS = {
    EvidenceKind.TWO_NOTARIZES: (SignatureKind.NOTARIZE, SignatureKind.NOTARIZE),
    EvidenceKind.TWO_FINALIZES: (SignatureKind.FINALIZE, SignatureKind.FINALIZE),
    EvidenceKind.NULLIFY_AND_FINALIZE: (SignatureKind.NULLIFY, SignatureKind.FINALIZE),
    EvidenceKind.TWO_PROPOSALS: (SignatureKind.PROPOSAL, SignatureKind.PROPOSAL),
    EvidenceKind.TWO_BATCHES: (SignatureKind.BATCH_HEADER, SignatureKind.BATCH_HEADER),
    EvidenceKind.TWO_COMMITMENTS: (SignatureKind.COMMITMENT, SignatureKind.COMMITMENT),
}
_KINDS = {pair: kind for kind, pair in _PAIRS.items()}


@dataclass(frozen=True, slots=True)
class Statement:
    """What a validator signed: one kind of thing about one number, for one digest. # G2"""

    kind: SignatureKind
    epoch: Epoch
    signer: ValidatorIndex
    number: int
    """View, lane position or height, as the kind demands."""
    digest: Digest
    """Zero for a nullify."""
    signature: Signature

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.kind, self.epoch, self.signer, self.number, self.digest, self.signature)

    @classmethod
    def from_value(cls, value: object, path: str) -> Statement:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        kind = read.uint("kind", SignatureKind.COMMITMENT)
        if kind < SignatureKind.PROPOSAL:
            raise DecodeError(f"{path}.kind", "must be 1..6")
        statement = cls(
            SignatureKind(kind),
            read.uint("epoch"),
            read.uint("signer", U16_MAX),
            read.uint("number"),
            read.digest("digest"),
            read.signature("signature"),
        )
        read.finish()
        return statement

    def is_signed(self, chain_id: Digest, committee: Committee, verifier: Verifier) -> bool:
        """Tell whether the signer of this committee really signed it."""
        if self.epoch != committee.epoch or self.signer >= committee.size:
            return False
        message = compute_signing_bytes(chain_id, self.epoch, self.kind, self.number, self.digest)
        return verifier(committee.validators[self.signer].public_key, message, self.signature)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two statements of one validator that exclude each other: X1-X6. Made by `find_contradiction`."""

    kind: EvidenceKind
    first: Statement
    """X3: the nullify; else the one with the lower digest, so that one pair has one encoding."""
    second: Statement

    @property
    def epoch(self) -> Epoch:
        """Epoch of both."""
        return self.first.epoch

    @property
    def signer(self) -> ValidatorIndex:
        """Who signed both."""
        return self.first.signer

    @property
    def number(self) -> int:
        """View, position or height of both."""
        return self.first.number

    @property
    def digests(self) -> tuple[Digest, ...]:
        """What was signed."""
        return (self.first.digest, self.second.digest)

    def to_value(self) -> tuple[object, ...]:
        """Return the array without the format."""
        return (
            self.kind,
            self.epoch,
            self.signer,
            self.number,
            (self.first.digest, self.first.signature),
            (self.second.digest, self.second.signature),
        )

    def verify(self, genesis: Genesis, verifier: Verifier) -> None:
        """Check both signatures; raises `VerificationError` saying which is wrong. # X1-X6"""
        _verify_signer(self.epoch, self.signer, genesis)
        for name, statement in (("first", self.first), ("second", self.second)):
            if not statement.is_signed(genesis.chain_id, genesis.committee, verifier):
                raise VerificationError(f"evidence: the {name} signature is not one of validator {self.signer}")


@dataclass(frozen=True, slots=True)
class FalseProposal:
    """A signed block header whose cut is not one that its parent allows: X7 by V5."""

    signer: ValidatorIndex
    header: BlockHeader
    signature: Signature
    """Of kind proposal over the header's digest."""
    parent: BlockHeader
    """The header that `header.parent_digest` names."""
    kind = EvidenceKind.FALSE_OBJECT

    @property
    def epoch(self) -> Epoch:
        """Epoch of the proposal."""
        return self.header.epoch

    @property
    def number(self) -> int:
        """View of the proposal."""
        return self.header.view

    @property
    def digests(self) -> tuple[Digest, ...]:
        """What was signed."""
        return (self.header.digest,)

    def to_value(self) -> tuple[object, ...]:
        """Return the array without the format."""
        body = (self.signer, self.header.to_value(), self.signature, self.parent.to_value())
        return (self.kind, SignatureKind.PROPOSAL, *body)

    def verify(self, genesis: Genesis, verifier: Verifier) -> None:
        """Check that the proposal is signed and breaks V5; raises `VerificationError`. # X7 V5"""
        header, parent = self.header, self.parent
        _verify_signer(header.epoch, self.signer, genesis)
        if header.parent_digest != parent.digest:
            raise VerificationError("evidence: the parent is not the one that the proposal names")
        if not len(header.cut) == len(parent.cut) == genesis.committee.size:
            raise VerificationError("evidence: a cut has not one entry per lane, which is not V5")
        if is_cut_allowed(header.cut, parent.cut, genesis.parameters.lane_advance_max):
            raise VerificationError("evidence: the proposal keeps V5")
        statement = make_proposal_statement(self.signer, header, self.signature)
        if not statement.is_signed(genesis.chain_id, genesis.committee, verifier):
            raise VerificationError(f"evidence: the signature is not one of validator {self.signer}")


@dataclass(frozen=True, slots=True)
class FalseBatch:
    """A signed batch header that states a false size: X7.

    A payload that does not hash to `payload_hash` proves nothing: the owner did not sign it, and
    whoever passed it on may have changed it. With the right hash the payload is the owner's word.
    """

    header: BatchHeader
    signature: Signature
    payload: bytes
    """What `payload_hash` names; empty if the stated size alone is above what is allowed."""
    kind = EvidenceKind.FALSE_OBJECT

    @property
    def epoch(self) -> Epoch:
        """Epoch of the batch."""
        return self.header.epoch

    @property
    def signer(self) -> ValidatorIndex:
        """Owner of the lane."""
        return self.header.lane

    @property
    def number(self) -> int:
        """Position of the batch."""
        return self.header.position

    @property
    def digests(self) -> tuple[Digest, ...]:
        """What was signed."""
        return (self.header.digest,)

    def to_value(self) -> tuple[object, ...]:
        """Return the array without the format."""
        return (self.kind, SignatureKind.BATCH_HEADER, self.header.to_value(), self.signature, self.payload)

    def verify(self, genesis: Genesis, verifier: Verifier) -> None:
        """Check that the header is signed and its size false; raises `VerificationError`. # X7"""
        header, largest = self.header, genesis.parameters.batch_bytes_max
        _verify_signer(header.epoch, self.signer, genesis)
        if header.payload_bytes > largest:
            if self.payload:
                raise VerificationError("evidence: carries a payload that proves nothing more")
        elif len(self.payload) > largest:
            raise VerificationError(f"evidence: carries a payload above {largest} bytes")
        elif compute_payload_hash(self.payload) != header.payload_hash:
            raise VerificationError("evidence: the payload is not the one that the header names")
        elif len(self.payload) == header.payload_bytes:
            raise VerificationError("evidence: the header states the true size")
        statement = make_batch_statement(header, self.signature)
        if not statement.is_signed(genesis.chain_id, genesis.committee, verifier):
            raise VerificationError(f"evidence: the signature is not one of validator {self.signer}")


Evidence: TypeAlias = Contradiction | FalseProposal | FalseBatch
"""One proven offence of one validator."""


def make_proposal_statement(signer: ValidatorIndex, header: BlockHeader, signature: Signature) -> Statement:
    """Return what a leader's signature on a proposal states."""
    return Statement(SignatureKind.PROPOSAL, header.epoch, signer, header.view, header.digest, signature)


def make_batch_statement(header: BatchHeader, signature: Signature) -> Statement:
    """Return what an owner's signature on a batch header states."""
    kind = SignatureKind.BATCH_HEADER
    return Statement(kind, header.epoch, header.lane, header.position, header.digest, signature)


def find_contradiction(one: Statement, other: Statement) -> Contradiction | None:
    """Return the contradiction of two statements, or None if a correct validator may sign both. # X1-X6

    Signatures are not looked at. Notarize beside nullify or finalize is legal, as are votes of
    different views.
    """
    if (one.epoch, one.signer, one.number) != (other.epoch, other.signer, other.number):
        return None
    first, second = sorted((one, other), key=lambda statement: (statement.kind, statement.digest))
    kind = _KINDS.get((first.kind, second.kind))
    if kind is None or (first.kind is second.kind and first.digest == second.digest):
        return None
    return Contradiction(kind, first, second)


def is_cut_allowed(cut: Cut, parent: Cut, advance_max: int) -> bool:
    """Tell whether no lane goes back, forks in place or advances too far; both cuts have one entry per lane. # V5"""
    for tip, before in zip(cut, parent, strict=True):
        if not before.position <= tip.position <= before.position + advance_max:
            return False
        if tip.position == before.position and tip.digest != before.digest:
            return False
    return True


def compute_evidence_id(evidence: Evidence) -> Digest:
    """Return H(EVIDENCE ‖ bytes): the name of this piece of evidence."""
    return hash_tagged(Tag.EVIDENCE, encode_evidence(evidence))


def evidence_to_value(evidence: Evidence) -> tuple[object, ...]:
    """Return the array, its format first."""
    return (EVIDENCE_FORMAT, *evidence.to_value())


def encode_evidence(evidence: Evidence) -> bytes:
    """Return the canonical bytes: what is stored, and is a file for `sequencer verify`."""
    return encode(evidence_to_value(evidence))


def decode_evidence(data: bytes, path: str = "evidence") -> Evidence:
    """Read evidence; raises `DecodeError` naming the field. It may still be false: `verify` it."""
    if len(data) > EVIDENCE_BYTES_MAX:
        raise DecodeError(path, f"has {len(data)} bytes, at most {EVIDENCE_BYTES_MAX} are allowed")
    return read_evidence(decode(data, path), path)


def read_evidence(value: object, path: str) -> Evidence:
    """Read the array; raises `DecodeError` naming the field."""
    read = Fields(value, path)
    found = read.text("format", 32)
    if found != EVIDENCE_FORMAT:
        raise DecodeError(f"{path}.format", f"is {found!r}, not {EVIDENCE_FORMAT!r}")
    kind = read.uint("kind", EvidenceKind.FALSE_OBJECT)
    if kind < EvidenceKind.TWO_NOTARIZES:
        raise DecodeError(f"{path}.kind", "must be 1..7")
    evidence = _read_false_object(read, path) if kind == EvidenceKind.FALSE_OBJECT else _read_pair(read, kind, path)
    read.finish()
    return evidence


def _read_pair(read: Fields, kind: int, path: str) -> Contradiction:
    signed_kinds = _PAIRS[EvidenceKind(kind)]
    epoch, signer, number = read.uint("epoch"), read.uint("signer", U16_MAX), read.uint("number")
    first, second = (
        Statement(signed, epoch, signer, number, *_read_signed(read.take(name), f"{path}.{name}"))
        for signed, name in zip(signed_kinds, ("first", "second"), strict=True)
    )
    if first.kind is SignatureKind.NULLIFY and first.digest != ZERO_DIGEST:
        raise DecodeError(f"{path}.first.digest", "must be zero for a nullify")
    if first.kind is second.kind and first.digest >= second.digest:
        raise DecodeError(f"{path}.second.digest", "must be above the first one's")
    return Contradiction(EvidenceKind(kind), first, second)


def _read_signed(value: object, path: str) -> tuple[Digest, Signature]:
    read = Fields(value, path)
    signed = (read.digest("digest"), read.signature("signature"))
    read.finish()
    return signed


def _read_false_object(read: Fields, path: str) -> FalseProposal | FalseBatch:
    what = read.uint("object", SignatureKind.BATCH_HEADER)
    if what == SignatureKind.PROPOSAL:
        return FalseProposal(
            read.uint("signer", U16_MAX),
            BlockHeader.from_value(read.take("header"), f"{path}.header"),
            read.signature("signature"),
            BlockHeader.from_value(read.take("parent"), f"{path}.parent"),
        )
    if what == SignatureKind.BATCH_HEADER:
        return FalseBatch(
            BatchHeader.from_value(read.take("header"), f"{path}.header"),
            read.signature("signature"),
            read.blob("payload", BATCH_PAYLOAD_BYTES_LIMIT),
        )
    raise DecodeError(f"{path}.object", "must be 1 (a proposal) or 5 (a batch header)")


def _verify_signer(epoch: Epoch, signer: ValidatorIndex, genesis: Genesis) -> None:
    if epoch != genesis.committee.epoch:
        raise VerificationError(f"evidence: is of epoch {epoch}, this committee is of {genesis.committee.epoch}")
    if signer >= genesis.committee.size:
        raise VerificationError(f"evidence: names validator {signer} of a committee of {genesis.committee.size}")
