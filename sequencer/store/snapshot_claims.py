"""Prove a stored snapshot to strangers with what the block store holds. # R2"""

from __future__ import annotations

from sequencer.store.block_reader import BlockReader
from sequencer.store.snapshots import Snapshots
from sequencer.types.primitives import Height
from sequencer.types.receipt import CHAIN_LENGTH_MAX, CertifiedChain
from sequencer.types.snapshot import SnapshotClaim


def find_claim(snapshots: Snapshots, reader: BlockReader, above: Height) -> SnapshotClaim | None:
    """Return the newest snapshot above a height that a stored certificate covers, with its proof."""
    heights = [height for height in snapshots.heights if height > above]
    claims = (make_claim(snapshots, reader, height) for height in reversed(heights))
    return next((claim for claim in claims if claim is not None), None)


def make_claim(snapshots: Snapshots, reader: BlockReader, height: Height) -> SnapshotClaim | None:
    """Join head, commitments and certificate; None if the height is not certified, or commitments are missing."""
    head, certificate = snapshots.get_head(height), reader.get_certificate_covering(height)
    if head is None or certificate is None or certificate.height - height >= CHAIN_LENGTH_MAX:
        return None
    blocks = [reader.get_executed(above) for above in range(height + 1, certificate.height + 1)]
    commitments = tuple(block.commitment for block in blocks if block is not None)
    if len(commitments) < len(blocks):
        return None
    chain = CertifiedChain((head.commitment, *commitments), certificate)
    return SnapshotClaim(head.header, head.size, head.chunks, chain)
