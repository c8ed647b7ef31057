"""Hash with SHA-256 under one tag per kind of value, so that no digest means two things.

digest = SHA-256(tag ‖ part ‖ …). Tags have a fixed width of 8 bytes. Wherever more than
one part is given, all but the last have a fixed length, so the input is injective.
"""

from __future__ import annotations

import enum
from hashlib import sha256

DIGEST_BYTES = 32
ZERO_DIGEST = bytes(DIGEST_BYTES)
"""Stands where a digest is absent: the parent of a lane's first batch, the digest of a nullify vote."""


class Tag(bytes, enum.Enum):
    """Every domain in which the protocol hashes; 8 bytes each."""

    GENESIS = b"ssq-gene"
    GENESIS_BLOCK = b"ssq-gblk"
    BLOCK = b"ssq-blck"
    BATCH_HEADER = b"ssq-bhdr"
    BATCH_PAYLOAD = b"ssq-bpay"
    BUNDLE = b"ssq-bndl"
    LEG = b"ssq-leg0"
    ITEM = b"ssq-item"
    COMMITMENT = b"ssq-cmmt"
    VALIDATORS = b"ssq-vals"
    EVIDENCE = b"ssq-evid"
    STATEMENT = b"ssq-stmt"
    ASSUMPTION = b"ssq-asmp"
    MESSAGE = b"ssq-mesg"
    PENDING = b"ssq-pend"
    ORDER = b"ssq-ordr"
    SCHEDULE = b"ssq-schd"
    RANK = b"ssq-rank"
    MERKLE_LEAF = b"ssq-mlef"
    MERKLE_NODE = b"ssq-mnod"
    MERKLE_ROOT = b"ssq-mrot"
    STATE_BUCKET = b"ssq-sbkt"
    STATE_NODE = b"ssq-snod"
    STATE_KEY = b"ssq-skey"
    SNAPSHOT_CHUNK = b"ssq-snap"


def hash_tagged(tag: Tag, *parts: bytes) -> bytes:
    """Return the 32-byte digest of `parts` in the domain of `tag`."""
    return sha256(tag + b"".join(parts)).digest()
