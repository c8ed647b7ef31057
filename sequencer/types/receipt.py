"""Carry proofs to a stranger: a receipt's bytes, and what other proof files share with them.

Nothing here is redundant and nothing is free: every field enters a digest that the certificate
signs, or is compared with one, so that no byte of a file can change unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from sequencer.codec import U32_MAX, Fields, decode, encode, read_digest
from sequencer.crypto.merkle import PATH_LENGTH_MAX, compute_path, compute_root_from_path
from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, PeerError, VerificationError
from sequencer.types.bundle import DECIDE_WITHIN_MAX
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.committee import Committee
from sequencer.types.leaves import encode_namespace_row
from sequencer.types.outcome import OutcomeLeaf
from sequencer.types.parameters import LEGS_MAX
from sequencer.types.primitives import Digest, RollupId

RECEIPT_FORMAT = "ssq-receipt-2"
DECIDED_AFTER_MAX = DECIDE_WITHIN_MAX
"""Heights from order to decision: no ancestor's deadline is further away. # A21"""
CHAIN_LENGTH_MAX = 4_096
"""Commitments from the proven height to the certified one."""
PROOF_FILE_BYTES_MAX = 4 << 20
"""Bytes of one proof file."""


@dataclass(frozen=True, slots=True)
class MerklePath:
    """One element's place in a counted list, and the siblings up to its root."""

    index: int
    count: int
    siblings: tuple[Digest, ...]

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.index, self.count, self.siblings)

    @classmethod
    def from_value(cls, value: object, path: str) -> MerklePath:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        found = cls(read.uint("index"), read.uint("count"), read.array("siblings", PATH_LENGTH_MAX, read_digest))
        read.finish()
        return found

    @classmethod
    def build(cls, elements: tuple[bytes, ...], index: int) -> MerklePath:
        """Return the path of the element at `index`; hashes the whole list."""
        return cls(index, len(elements), compute_path(elements, index))

    def compute_root(self, element: bytes) -> Digest | None:
        """Return the root that the path leads to, or None if it has a wrong length."""
        return compute_root_from_path(element, self.index, self.count, self.siblings)


@dataclass(frozen=True, slots=True)
class NamespaceInclusion:
    """A leaf's place in its namespace, and the namespace's row in the rollup table."""

    namespace: RollupId
    position: MerklePath
    row: MerklePath

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.namespace, self.position.to_value(), self.row.to_value())

    @classmethod
    def from_value(cls, value: object, path: str) -> NamespaceInclusion:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        inclusion = cls(
            read.uint("namespace", U32_MAX),
            MerklePath.from_value(read.take("position"), f"{path}.position"),
            MerklePath.from_value(read.take("row"), f"{path}.row"),
        )
        read.finish()
        return inclusion

    def compute_batch_root(self, leaf: bytes) -> Digest | None:
        """Return the batch root that the leaf leads to, or None if a path has a wrong length."""
        root = self.position.compute_root(leaf)
        if root is None:
            return None
        return self.row.compute_root(encode_namespace_row(self.namespace, self.position.count, root))


@dataclass(frozen=True, slots=True)
class LegInclusion:
    """One leg of a bundle with its place in its rollup's list."""

    leg_digest: Digest
    inclusion: NamespaceInclusion

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.leg_digest, self.inclusion.to_value())

    @classmethod
    def from_value(cls, value: object, path: str) -> LegInclusion:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        leg = cls(read.digest("leg_digest"), NamespaceInclusion.from_value(read.take("inclusion"), f"{path}.inclusion"))
        read.finish()
        return leg


@dataclass(frozen=True, slots=True)
class CertifiedChain:
    """The commitments of heights h..H, each the parent of the next, and the certificate of H."""

    commitments: tuple[Commitment, ...]
    certificate: CommitmentCertificate

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (tuple(commitment.to_value() for commitment in self.commitments), self.certificate.to_value())

    @classmethod
    def from_value(cls, value: object, path: str) -> CertifiedChain:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        chain = cls(
            read.array("commitments", CHAIN_LENGTH_MAX, Commitment.from_value, 1),
            CommitmentCertificate.from_value(read.take("certificate"), f"{path}.certificate"),
        )
        read.finish()
        return chain

    def verify(self, chain_id: Digest, committee: Committee, verifier: Verifier) -> None:
        """Check that the first commitment is certified; raises `VerificationError` naming the step that failed.

        Steps: every commitment is of this network and committee; each is the parent of the next; the
        certificate names the last; it has strong power; every signature in it is good.
        """
        for commitment in self.commitments:
            _verify_network(commitment, chain_id, committee)
        for parent, child in pairwise(self.commitments):
            if child.height != parent.height + 1 or child.parent != parent.digest:
                raise VerificationError(f"chain: commitment of height {child.height} does not follow {parent.height}")
        last = self.commitments[-1]
        if (self.certificate.height, self.certificate.digest) != (last.height, last.digest):
            raise VerificationError(f"certificate: names another commitment than that of height {last.height}")
        try:
            self.certificate.verify(chain_id, committee, verifier)
        except PeerError as error:
            raise VerificationError(f"certificate: {error}") from None


def _verify_network(commitment: Commitment, chain_id: Digest, committee: Committee) -> None:
    if commitment.chain_id != chain_id:
        raise VerificationError(f"chain: commitment of height {commitment.height} is of another network")
    if (commitment.epoch, commitment.validators_hash) != (committee.epoch, committee.digest):
        raise VerificationError(f"chain: commitment of height {commitment.height} names another committee")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one bundle or delivery, where it stood, and the proof of both."""

    chain: CertifiedChain
    """From the height where it was ordered over the one where it was decided to the certified one."""
    decided_after: int
    """Heights from the one to the other; at most `DECIDED_AFTER_MAX`."""
    kind: int
    """`ItemKind`: 1 a bundle, 5 a delivery."""
    outcome: OutcomeLeaf
    outcome_path: MerklePath
    envelope: NamespaceInclusion
    """Place of the item among all items of its block."""
    legs: tuple[LegInclusion, ...]
    """All legs, in order; of a delivery the destination and the source."""

    def to_bytes(self) -> bytes:
        """Return the canonical bytes of a receipt file."""
        return encode(
            (
                RECEIPT_FORMAT,
                self.chain.to_value(),
                self.decided_after,
                self.kind,
                (self.outcome.bundle_id, self.outcome.status, self.outcome.reason),
                self.outcome_path.to_value(),
                self.envelope.to_value(),
                tuple(leg.to_value() for leg in self.legs),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Receipt:
        """Read a receipt file; raises `DecodeError` naming the field."""
        read = read_proof_file(data, "receipt", RECEIPT_FORMAT)
        receipt = cls(
            CertifiedChain.from_value(read.take("chain"), "receipt.chain"),
            read.uint("decided_after", DECIDED_AFTER_MAX),
            read.uint("kind", 5),
            OutcomeLeaf.from_value(read.take("outcome"), "receipt.outcome"),
            MerklePath.from_value(read.take("outcome_path"), "receipt.outcome_path"),
            NamespaceInclusion.from_value(read.take("envelope"), "receipt.envelope"),
            read.array("legs", LEGS_MAX, LegInclusion.from_value, 1),
        )
        read.finish()
        if receipt.decided_after >= len(receipt.chain.commitments):
            raise DecodeError("receipt.decided_after", "lies beyond the last commitment")
        return receipt


def read_proof_file(data: bytes, path: str, file_format: str) -> Fields:
    """Open a proof file and read its first field, the format; raises `DecodeError`."""
    if len(data) > PROOF_FILE_BYTES_MAX:
        raise DecodeError(path, f"has {len(data)} bytes, at most {PROOF_FILE_BYTES_MAX} are allowed")
    read = Fields(decode(data, path), path)
    found = read.text("format", 32)
    if found != file_format:
        raise DecodeError(f"{path}.format", f"is {found!r}, not {file_format!r}")
    return read
