"""Carry proofs of what was ordered, sent and attested to a stranger: the bytes of five kinds of file.

As in a receipt no byte is free: each enters a digest that is signed, or is compared with one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.codec import ARRAY_LENGTH_MAX, U32_MAX, Fields, encode, read_signature
from sequencer.crypto.merkle import compute_root
from sequencer.errors import DecodeError
from sequencer.types.executed import ExecutionRow
from sequencer.types.genesis import EXECUTORS_MAX
from sequencer.types.leaves import encode_namespace_row
from sequencer.types.message import CrossMessage
from sequencer.types.parameters import LEGS_MAX
from sequencer.types.primitives import Digest, RollupId
from sequencer.types.receipt import CertifiedChain, LegInclusion, MerklePath, NamespaceInclusion, read_proof_file
from sequencer.types.verdict import ExecutorCertificate, StatementKind, read_statement
from sequencer.types.vote import decode_signers, encode_signers

INCLUSION_FORMAT = "ssq-inclusion-1"
LIST_FORMAT = "ssq-list-1"
ABSENCE_FORMAT = "ssq-absence-1"
MESSAGE_FORMAT = "ssq-message-1"
CERTIFICATE_FORMAT = "ssq-certificate-1"
LEAF_BYTES_MAX = 128
"""Bytes of a leaf under the batch root."""


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """An item stands in a block, and each leg of a bundle in its rollup's list; says nothing of its outcome."""

    chain: CertifiedChain
    kind: int
    """`ItemKind`, or 0 for an item that fails a stateless check."""
    item_id: Digest
    envelope: NamespaceInclusion
    """Place among all items of the block."""
    legs: tuple[LegInclusion, ...]
    """All legs of a bundle, in order, or both of a delivery; none for another item."""

    def to_bytes(self) -> bytes:
        """Return the canonical bytes of the file."""
        legs = tuple(leg.to_value() for leg in self.legs)
        return encode(
            (INCLUSION_FORMAT, self.chain.to_value(), self.kind, self.item_id, self.envelope.to_value(), legs)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> InclusionProof:
        """Read the file; raises `DecodeError` naming the field."""
        read = read_proof_file(data, "proof", INCLUSION_FORMAT)
        proof = cls(
            CertifiedChain.from_value(read.take("chain"), "proof.chain"),
            read.uint("kind", 5),
            read.digest("item_id"),
            NamespaceInclusion.from_value(read.take("envelope"), "proof.envelope"),
            read.array("legs", LEGS_MAX, LegInclusion.from_value),
        )
        read.finish()
        return proof


@dataclass(frozen=True, slots=True)
class ListProof:
    """All that a height holds for one namespace, complete and in order. # A2"""

    chain: CertifiedChain
    namespace: RollupId
    leaves: tuple[bytes, ...]
    row: MerklePath
    """Place of [namespace, count, root] under the batch root; count and root are those of the leaves."""

    def to_bytes(self) -> bytes:
        """Return the canonical bytes of the file."""
        return encode((LIST_FORMAT, self.chain.to_value(), self.namespace, self.leaves, self.row.to_value()))

    @classmethod
    def from_bytes(cls, data: bytes) -> ListProof:
        """Read the file; raises `DecodeError` naming the field."""
        read = read_proof_file(data, "proof", LIST_FORMAT)
        proof = cls(
            CertifiedChain.from_value(read.take("chain"), "proof.chain"),
            read.uint("namespace", U32_MAX),
            read.array("leaves", ARRAY_LENGTH_MAX, _read_leaf, 1),
            MerklePath.from_value(read.take("row"), "proof.row"),
        )
        read.finish()
        return proof

    def compute_batch_root(self) -> Digest | None:
        """Return the batch root that the whole list leads to, or None if the path has a wrong length."""
        row = encode_namespace_row(self.namespace, len(self.leaves), compute_root(self.leaves))
        return self.row.compute_root(row)


@dataclass(frozen=True, slots=True)
class NamespaceRow:
    """A row of the rollup table with its place in it."""

    namespace: RollupId
    count: int
    root: Digest
    path: MerklePath

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.namespace, self.count, self.root, self.path.to_value())

    @classmethod
    def from_value(cls, value: object, path: str) -> NamespaceRow:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        row = cls(
            read.uint("namespace", U32_MAX),
            read.uint("count"),
            read.digest("root"),
            MerklePath.from_value(read.take("path"), f"{path}.path"),
        )
        read.finish()
        return row

    def compute_batch_root(self) -> Digest | None:
        """Return the batch root that the row leads to, or None if its path has a wrong length."""
        return self.path.compute_root(encode_namespace_row(self.namespace, self.count, self.root))


@dataclass(frozen=True, slots=True)
class AbsenceProof:
    """A height holds nothing for the namespaces between two rows: they are neighbours in the table."""

    chain: CertifiedChain
    before: NamespaceRow | None
    """The row below the gap; None if nothing is below it."""
    after: NamespaceRow | None
    """The row above the gap; None if nothing is above it."""

    def to_bytes(self) -> bytes:
        """Return the canonical bytes of the file."""
        rows = tuple(None if row is None else row.to_value() for row in (self.before, self.after))
        return encode((ABSENCE_FORMAT, self.chain.to_value(), *rows))

    @classmethod
    def from_bytes(cls, data: bytes) -> AbsenceProof:
        """Read the file; raises `DecodeError` naming the field."""
        read = read_proof_file(data, "proof", ABSENCE_FORMAT)
        proof = cls(
            CertifiedChain.from_value(read.take("chain"), "proof.chain"),
            read.optional("before", NamespaceRow.from_value),
            read.optional("after", NamespaceRow.from_value),
        )
        read.finish()
        return proof


@dataclass(frozen=True, slots=True)
class MessageProof:
    """A message is in the outbox of its source's row: sent for good, and not yet delivered there. # A19"""

    chain: CertifiedChain
    message: CrossMessage
    path: MerklePath
    """From the message to the outbox root."""
    settled_height: int
    state_root: Digest
    receipt_root: Digest
    row: MerklePath
    """Place of the source's row under the exec root."""

    def to_bytes(self) -> bytes:
        """Return the canonical bytes of the file."""
        row = (self.settled_height, self.state_root, self.receipt_root, self.row.to_value())
        return encode((MESSAGE_FORMAT, self.chain.to_value(), self.message.to_value(), self.path.to_value(), *row))

    @classmethod
    def from_bytes(cls, data: bytes) -> MessageProof:
        """Read the file; raises `DecodeError` naming the field."""
        read = read_proof_file(data, "proof", MESSAGE_FORMAT)
        proof = cls(
            CertifiedChain.from_value(read.take("chain"), "proof.chain"),
            CrossMessage.from_value(read.take("message"), "proof.message"),
            MerklePath.from_value(read.take("path"), "proof.path"),
            read.uint("settled_height"),
            read.digest("state_root"),
            read.digest("receipt_root"),
            MerklePath.from_value(read.take("row"), "proof.row"),
        )
        read.finish()
        return proof

    def compute_exec_root(self) -> Digest | None:
        """Return the exec root that the message leads to, or None if a path has a wrong length."""
        outbox_root = self.path.compute_root(self.message.to_bytes())
        if outbox_root is None:
            return None
        roots = (self.state_root, self.receipt_root, outbox_root)
        return self.row.compute_root(ExecutionRow(self.message.source, self.settled_height, *roots).to_bytes())


def encode_certificate_file(certificate: ExecutorCertificate) -> bytes:
    """Return the file of what executors attest; it needs no chain, for their keys are in the genesis. # A9"""
    signers = encode_signers(certificate.signers)
    return encode((CERTIFICATE_FORMAT, certificate.statement.to_value(), signers, certificate.signatures))


def decode_certificate_file(data: bytes) -> ExecutorCertificate:
    """Read the file; raises `DecodeError` naming the field. It may still be false."""
    read = read_proof_file(data, "certificate", CERTIFICATE_FORMAT)
    stated = Fields(read.take("statement"), "certificate.statement")
    statement = read_statement(stated.uint("kind", StatementKind.ROOT), stated, "certificate.statement")
    signers = decode_signers(read.blob("signers", EXECUTORS_MAX // 8), "certificate.signers")
    signatures = read.array("signatures", EXECUTORS_MAX, read_signature)
    read.finish()
    return ExecutorCertificate(statement, signers, signatures)


def _read_leaf(value: object, path: str) -> bytes:
    if type(value) is not bytes or len(value) > LEAF_BYTES_MAX:
        raise DecodeError(path, f"must be at most {LEAF_BYTES_MAX} bytes")
    return value
