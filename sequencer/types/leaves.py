"""Lay out the leaves of the batch root: envelopes, legs and the rollup table's rows."""

from __future__ import annotations

from sequencer.codec import Fields, decode, encode
from sequencer.types.parameters import LEGS_MAX
from sequencer.types.primitives import Digest, RollupId


def encode_envelope_leaf(kind: int, item_id: Digest) -> bytes:
    """Return a leaf of namespace 0: [kind, item id]; kind 0 is an item that no rule can read.

    There is one per item of the block, so a leaf's index is the item's index.
    """
    return encode((kind, item_id))


def get_envelope_kind(leaf: bytes) -> int:
    """Return the kind in an envelope's leaf: the byte after the array's head, for kinds are small integers."""
    return leaf[1]


def encode_leg_leaf(bundle_id: Digest, leg_index: int, leg_count: int, leg_digest: Digest) -> bytes:
    """Return a leaf of a rollup's namespace: [bundle id, leg index, leg count, leg hash]. # A2"""
    return encode((bundle_id, leg_index, leg_count, leg_digest))


def decode_leg_leaf(leaf: bytes) -> tuple[Digest, int, int, Digest]:
    """Read bundle id, leg index, leg count and leg hash; raises `DecodeError` naming the field."""
    read = Fields(decode(leaf, "leaf"), "leaf")
    bundle_id, index, count = read.digest("bundle_id"), read.uint("leg_index", LEGS_MAX - 1), read.uint("leg_count")
    leg_digest = read.digest("leg_digest")
    read.finish()
    return bundle_id, index, count, leg_digest


def encode_namespace_row(namespace: RollupId, count: int, root: Digest) -> bytes:
    """Return a row of the rollup table: [namespace, count, root]; count binds completeness."""
    return encode((namespace, count, root))


def encode_pending_leaf(item_id: Digest, deadline: int, entry_digest: Digest) -> bytes:
    """Return a leaf of the pending root: [id, deadline, H(entry)]; deadline 0: decided, but others rest on it."""
    return encode((item_id, deadline, entry_digest))
