"""Claim what one key holds at one height, with all that ties it to that height's commitment.

A claim is proven against the commitment; a `StateProof` file adds the certified chain, and so
needs nothing but the genesis. Namespace 0 is the system state: sequences, deposits, fees.
"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.codec import U32_MAX, Fields, decode, encode
from sequencer.errors import VerificationError
from sequencer.state.proof import TreeProof
from sequencer.types.bundle import read_key, read_state_value
from sequencer.types.executed import ExecutionRow
from sequencer.types.primitives import Digest, RollupId, StateValue
from sequencer.types.receipt import PROOF_FILE_BYTES_MAX, CertifiedChain, MerklePath, read_proof_file

STATE_PROOF_FORMAT = "ssq-state-1"


@dataclass(frozen=True, slots=True)
class StateClaim:
    """`key` of `namespace` holds `value` (None: is absent)."""

    namespace: RollupId
    key: str
    value: StateValue | None
    tree: TreeProof
    settled_height: int
    receipt_root: Digest
    outbox_root: Digest
    row: MerklePath
    """Place of the namespace's row under the exec root; its state root is what `tree` leads to."""

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (
            self.namespace,
            self.key,
            self.value,
            self.tree.to_value(),
            self.settled_height,
            self.receipt_root,
            self.outbox_root,
            self.row.to_value(),
        )

    @classmethod
    def from_value(cls, value: object, path: str) -> StateClaim:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        claim = cls(
            read.uint("namespace", U32_MAX),
            read_key(read.take("key"), f"{path}.key"),
            read.optional("value", read_state_value),
            TreeProof.from_value(read.take("tree"), f"{path}.tree"),
            read.uint("settled_height"),
            read.digest("receipt_root"),
            read.digest("outbox_root"),
            MerklePath.from_value(read.take("row"), f"{path}.row"),
        )
        read.finish()
        return claim

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return encode(self.to_value())

    @classmethod
    def from_bytes(cls, data: bytes) -> StateClaim:
        """Read a claim; raises `DecodeError` naming the field."""
        return cls.from_value(decode(data[: PROOF_FILE_BYTES_MAX + 1], "claim"), "claim")

    def compute_exec_root(self) -> Digest | None:
        """Return the exec root under which the claim holds, or None if a path has a wrong length.

        Raises `VerificationError` if the tree proof says another value than the claim.
        """
        if self.tree.get_value(self.key) != self.value:
            raise VerificationError("state proof: the bucket does not hold the claimed value")
        state_root = self.tree.compute_root(self.key)
        row = ExecutionRow(self.namespace, self.settled_height, state_root, self.receipt_root, self.outbox_root)
        return self.row.compute_root(row.to_bytes())


@dataclass(frozen=True, slots=True)
class StateProof:
    """A claim about height h with the commitments h..H and the certificate of H."""

    chain: CertifiedChain
    claim: StateClaim

    def to_bytes(self) -> bytes:
        """Return the canonical bytes of a state proof file."""
        return encode((STATE_PROOF_FORMAT, self.chain.to_value(), self.claim.to_value()))

    @classmethod
    def from_bytes(cls, data: bytes) -> StateProof:
        """Read a state proof file; raises `DecodeError` naming the field."""
        read = read_proof_file(data, "proof", STATE_PROOF_FORMAT)
        proof = cls(
            CertifiedChain.from_value(read.take("chain"), "proof.chain"),
            StateClaim.from_value(read.take("claim"), "proof.claim"),
        )
        read.finish()
        return proof
