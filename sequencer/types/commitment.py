"""Commit to what a height did: the commitment that validators sign, its votes and its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sequencer.codec import Fields, encode, read_signature
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError
from sequencer.types.committee import Committee
from sequencer.types.parameters import COMMITTEE_SIZE_MAX
from sequencer.types.primitives import Digest, Epoch, Height, Signature, ValidatorIndex
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import decode_signers, encode_signers, verify_signer_set


@dataclass(frozen=True)
class Commitment:
    """All that a block at `height` means, computed by executing it; covers the height itself."""

    chain_id: Digest
    epoch: Epoch
    height: Height
    block_digest: Digest
    time_ms: int
    parent: Digest
    """Digest of the commitment of height - 1; so a certificate at H covers every h ≤ H."""
    validators_hash: Digest
    batch_root: Digest
    """Rollup table over one tree per namespace: every item addressed to it, in order."""
    pending_root: Digest
    """Undecided bundles with their deadlines."""
    outcome_root: Digest
    """Bundles decided at this height, sorted by id."""
    exec_root: Digest
    """Per rollup settled height, state, receipt and outbox root; row 0 is the system state."""

    @cached_property
    def digest(self) -> Digest:
        """H(COMMITMENT ‖ commitment): what validators sign."""
        return hash_tagged(Tag.COMMITMENT, encode(self.to_value()))

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (
            self.chain_id,
            self.epoch,
            self.height,
            self.block_digest,
            self.time_ms,
            self.parent,
            self.validators_hash,
            self.batch_root,
            self.pending_root,
            self.outcome_root,
            self.exec_root,
        )

    @classmethod
    def from_value(cls, value: object, path: str) -> Commitment:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        commitment = cls(
            read.digest("chain_id"),
            read.uint("epoch"),
            read.uint("height"),
            read.digest("block_digest"),
            read.uint("time_ms"),
            read.digest("parent"),
            read.digest("validators_hash"),
            read.digest("batch_root"),
            read.digest("pending_root"),
            read.digest("outcome_root"),
            read.digest("exec_root"),
        )
        read.finish()
        return commitment


def is_commitment_scheduled(parent_time_ms: int, time_ms: int, interval_ms: int) -> bool:
    """Tell whether validators sign the commitment of a block: the first of each interval of block time."""
    return time_ms // interval_ms > parent_time_ms // interval_ms


@dataclass(frozen=True, slots=True)
class CommitmentVote:
    """One validator's signature on the commitment of a height (message CKPT)."""

    epoch: Epoch
    height: Height
    digest: Digest
    signature: Signature

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.epoch, self.height, self.digest, self.signature)

    @classmethod
    def from_value(cls, value: object, path: str) -> CommitmentVote:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        vote = cls(read.uint("epoch"), read.uint("height"), read.digest("digest"), read.signature("signature"))
        read.finish()
        return vote

    def compute_signing_bytes(self, chain_id: Digest) -> bytes:
        """Return what the signature covers."""
        return compute_signing_bytes(chain_id, self.epoch, SignatureKind.COMMITMENT, self.height, self.digest)


@dataclass(frozen=True, slots=True)
class CommitmentCertificate:
    """A strong set's signatures on the commitment of one height."""

    epoch: Epoch
    height: Height
    digest: Digest
    signers: tuple[ValidatorIndex, ...]
    signatures: tuple[Signature, ...]

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.epoch, self.height, self.digest, encode_signers(self.signers), self.signatures)

    @classmethod
    def from_value(cls, value: object, path: str) -> CommitmentCertificate:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        epoch, height, digest = read.uint("epoch"), read.uint("height"), read.digest("digest")
        signers = decode_signers(read.blob("signers", COMMITTEE_SIZE_MAX // 8), f"{path}.signers")
        signatures = read.array("signatures", COMMITTEE_SIZE_MAX, read_signature)
        read.finish()
        if len(signers) != len(signatures):
            raise DecodeError(f"{path}.signatures", f"must be {len(signers)}, one per signer")
        return cls(epoch, height, digest, signers, signatures)

    def verify(self, chain_id: Digest, committee: Committee, verifier: Verifier) -> None:
        """Check epoch, strong power and every signature; raises `PeerError`."""
        message = compute_signing_bytes(chain_id, self.epoch, SignatureKind.COMMITMENT, self.height, self.digest)
        verify_signer_set(self.epoch, self.signers, self.signatures, message, committee, verifier)
