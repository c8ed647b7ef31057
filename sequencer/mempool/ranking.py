"""Rank validators per transaction, so that one of them includes what came by gossip at once."""

from __future__ import annotations

from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.types.primitives import Digest, ValidatorIndex


def compute_rank(bundle_id: Digest, own_index: ValidatorIndex, size: int) -> int:
    """Return this validator's rank, 0..size-1, by H(RANK ‖ id ‖ validator)."""
    own = _compute_weight(bundle_id, own_index)
    return sum(1 for index in range(size) if _compute_weight(bundle_id, index) < own)


def _compute_weight(bundle_id: Digest, index: ValidatorIndex) -> bytes:
    return hash_tagged(Tag.RANK, bundle_id, index.to_bytes(8, "big"))
