"""Make claims of snapshots that a strong set really signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.types.block import BlockHeader
from sequencer.types.commitment import Commitment
from sequencer.types.primitives import Digest
from sequencer.types.receipt import CertifiedChain
from sequencer.types.snapshot import SnapshotClaim, compute_manifest
from tests.unit.core_world import Group, name_digest


def make_header(group: Group, height: int) -> BlockHeader:
    """Return some header of a height."""
    return replace(group.child(group.root), height=height, view=2 * height)


def make_chain(group: Group, header: BlockHeader, length: int, signers: Sequence[int] | None = None) -> CertifiedChain:
    """Return `length` commitments from the header's height on, the last one certified."""
    commitments: list[Commitment] = []
    parent: Digest = ZERO_DIGEST
    for height in range(header.height, header.height + length):
        digest = header.digest if height == header.height else name_digest(f"block {height}")
        roots = (name_digest(f"root {number}") for number in range(4))
        commitment = Commitment(
            group.chain_id, 0, height, digest, 1_000 + height, parent, group.committee.digest, *roots
        )
        commitments.append(commitment)
        parent = commitment.digest
    height, digest = commitments[-1].height, commitments[-1].digest
    certificate = group.commitment_certificate(height, digest)
    if signers is not None:
        signatures = tuple(group.commitment_vote(signer, height, digest).signature for signer in signers)
        certificate = replace(certificate, signers=tuple(signers), signatures=signatures)
    return CertifiedChain(tuple(commitments), certificate)


def make_claim(
    group: Group, data: bytes, height: int = 8, length: int = 3, signers: Sequence[int] | None = None
) -> SnapshotClaim:
    """Return a claim that holds, of these bytes."""
    header = make_header(group, height)
    return SnapshotClaim(header, len(data), compute_manifest(data), make_chain(group, header, length, signers))
