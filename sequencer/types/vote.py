"""Agree by votes: vote, certificate and proposal as they travel."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from itertools import pairwise

from sequencer.codec import Fields, read_signature
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, PeerError
from sequencer.types.block import BlockHeader
from sequencer.types.committee import Committee
from sequencer.types.parameters import COMMITTEE_SIZE_MAX
from sequencer.types.primitives import Digest, Epoch, Signature, ValidatorIndex, View
from sequencer.types.signing import SignatureKind, compute_signing_bytes


class VoteKind(enum.IntEnum):
    """Notarize (N), nullify (Z), finalize (F); the numbers are those of the signed kind."""

    NOTARIZE = SignatureKind.NOTARIZE
    NULLIFY = SignatureKind.NULLIFY
    FINALIZE = SignatureKind.FINALIZE


def read_vote_kind(read: Fields, path: str) -> VoteKind:
    """Read the field `kind` of the array at `path`: one of the three kinds."""
    kind = read.uint("kind", VoteKind.FINALIZE)
    if kind < VoteKind.NOTARIZE:
        raise DecodeError(f"{path}.kind", f"must be 2, 3 or 4, is {kind}")
    return VoteKind(kind)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A strong set's signatures of one kind for one view: N(v,d), Z(v) or F(v,d). # C2"""

    kind: VoteKind
    epoch: Epoch
    view: View
    digest: Digest
    """Block digest; zero for a nullification."""
    signers: tuple[ValidatorIndex, ...]
    """Strictly ascending."""
    signatures: tuple[Signature, ...]
    """One per signer, in the same order."""

    def to_value(self) -> tuple[object, ...]:
        """Return the array; signers travel as a little-endian bitmap without trailing zero bytes."""
        return (self.kind, self.epoch, self.view, self.digest, encode_signers(self.signers), self.signatures)

    @classmethod
    def from_value(cls, value: object, path: str) -> Certificate:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        kind = read_vote_kind(read, path)
        epoch, view, digest = read.uint("epoch"), read.uint("view"), read.digest("digest")
        signers = decode_signers(read.blob("signers", COMMITTEE_SIZE_MAX // 8), f"{path}.signers")
        signatures = read.array("signatures", COMMITTEE_SIZE_MAX, read_signature)
        read.finish()
        if len(signers) != len(signatures):
            raise DecodeError(f"{path}.signatures", f"must be {len(signers)}, one per signer")
        if kind is VoteKind.NULLIFY and digest != ZERO_DIGEST:
            raise DecodeError(f"{path}.digest", "must be zero for a nullification")
        return cls(kind, epoch, view, digest, signers, signatures)

    def verify(self, chain_id: Digest, committee: Committee, verifier: Verifier) -> None:
        """Check epoch, strong power and every signature; raises `PeerError`. # C2 I7"""
        message = compute_signing_bytes(chain_id, self.epoch, SignatureKind(self.kind), self.view, self.digest)
        verify_signer_set(self.epoch, self.signers, self.signatures, message, committee, verifier)


def verify_signer_set(
    epoch: Epoch,
    signers: tuple[ValidatorIndex, ...],
    signatures: tuple[Signature, ...],
    message: bytes,
    committee: Committee,
    verifier: Verifier,
) -> None:
    """Check that a strong set of distinct committee members signed `message`; raises `PeerError`."""
    if epoch != committee.epoch:
        raise PeerError(f"certificate is of epoch {epoch}, not {committee.epoch}")
    if len(signers) != len(signatures):
        raise PeerError("certificate has not one signature per signer")
    if any(left >= right for left, right in pairwise(signers)):
        raise PeerError("certificate names its signers not strictly ascending")
    if signers and signers[-1] >= committee.size:
        raise PeerError(f"certificate names signer {signers[-1]} of a committee of {committee.size}")
    if not committee.is_strong(signers):
        raise PeerError(
            f"certificate has power {committee.get_power(signers)}, "
            f"below strong {committee.total_power - committee.fault_power}"
        )
    for signer, signature in zip(signers, signatures, strict=True):
        if not verifier(committee.validators[signer].public_key, message, signature):
            raise PeerError(f"certificate carries a wrong signature of validator {signer}")


def encode_signers(signers: tuple[ValidatorIndex, ...]) -> bytes:
    """Return the bitmap: bit i of byte i//8 is signer i; no trailing zero byte."""
    bits = 0
    for signer in signers:
        bits |= 1 << signer
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def decode_signers(bitmap: bytes, path: str) -> tuple[ValidatorIndex, ...]:
    """Read the bitmap; a trailing zero byte is refused, so one set has one encoding."""
    if bitmap and bitmap[-1] == 0:
        raise DecodeError(path, "must not end with a zero byte")
    bits = int.from_bytes(bitmap, "little")
    return tuple(index for index in range(bits.bit_length()) if bits >> index & 1)


@dataclass(frozen=True, slots=True)
class Vote:
    """One validator's notarize, nullify or finalize. Its signer is the channel's peer. # G4"""

    kind: VoteKind
    epoch: Epoch
    view: View
    digest: Digest
    signature: Signature
    is_resend: bool = False
    """Unsigned: asks the receiver for the certificate that moved it on. # F4"""
    entry: Certificate | None = None
    """Unsigned, nullify only: the certificate that let the sender enter the view. # F3"""

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        entry = None if self.entry is None else self.entry.to_value()
        return (self.kind, self.epoch, self.view, self.digest, self.signature, self.is_resend, entry)

    @classmethod
    def from_value(cls, value: object, path: str) -> Vote:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        kind = read_vote_kind(read, path)
        epoch, view, digest = read.uint("epoch"), read.uint("view"), read.digest("digest")
        vote = cls(
            kind,
            epoch,
            view,
            digest,
            read.signature("signature"),
            read.flag("is_resend"),
            read.optional("entry", Certificate.from_value),
        )
        read.finish()
        if kind is VoteKind.NULLIFY and digest != ZERO_DIGEST:
            raise DecodeError(f"{path}.digest", "must be zero for a nullify")
        if vote.entry is not None and kind is not VoteKind.NULLIFY:
            raise DecodeError(f"{path}.entry", "only a nullify carries one")
        return vote

    def compute_signing_bytes(self, chain_id: Digest) -> bytes:
        """Return what the signature covers."""
        return compute_signing_bytes(chain_id, self.epoch, SignatureKind(self.kind), self.view, self.digest)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A leader's block header with the certificates that justify its parent. # P3"""

    header: BlockHeader
    justification: tuple[Certificate, ...]
    signature: Signature
    """Leader's signature of kind proposal over the header's digest."""

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.header.to_value(), tuple(cert.to_value() for cert in self.justification), self.signature)

    @classmethod
    def from_value(cls, value: object, path: str) -> Proposal:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        proposal = cls(
            BlockHeader.from_value(read.take("header"), f"{path}.header"),
            read.array("justification", 64, Certificate.from_value),
            read.signature("signature"),
        )
        read.finish()
        return proposal
