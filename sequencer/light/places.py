"""Verify where an item of a block stands: among all items, and each of its legs in its rollup. # A2"""

from __future__ import annotations

from sequencer.errors import VerificationError
from sequencer.types.commitment import Commitment
from sequencer.types.item import ItemKind
from sequencer.types.leaves import encode_envelope_leaf, encode_leg_leaf
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest
from sequencer.types.receipt import LegInclusion, NamespaceInclusion


def verify_places(
    kind: int, item_id: Digest, envelope: NamespaceInclusion, legs: tuple[LegInclusion, ...], commitment: Commitment
) -> None:
    """Raise `VerificationError` unless item and all its legs stand at the commitment's height."""
    if (kind in (ItemKind.BUNDLE, ItemKind.DELIVER)) != bool(legs):
        raise VerificationError("legs: must be there iff the item is a bundle or a delivery")
    if envelope.namespace != SYSTEM_NAMESPACE:
        raise VerificationError("envelope: is not in namespace 0")
    if envelope.compute_batch_root(encode_envelope_leaf(kind, item_id)) != commitment.batch_root:
        raise VerificationError(f"envelope: is not under the batch root of height {commitment.height}")
    for index, leg in enumerate(legs):
        leaf = encode_leg_leaf(item_id, index, len(legs), leg.leg_digest)
        if leg.inclusion.namespace == SYSTEM_NAMESPACE:
            raise VerificationError(f"legs[{index}]: is in namespace 0")
        if leg.inclusion.compute_batch_root(leaf) != commitment.batch_root:
            raise VerificationError(f"legs[{index}]: is not under the batch root of height {commitment.height}")
