"""Lay out the 85 bytes that every protocol signature covers. # G2"""

from __future__ import annotations

import enum
import struct

from sequencer.types.primitives import Digest, Epoch

_LAYOUT = struct.Struct(">4s32sQBQ32s")
SIGNING_BYTES = _LAYOUT.size
"""85."""

_MAGIC = b"SSQ1"
_CLIENT_MAGIC = b"SSQT"


class SignatureKind(enum.IntEnum):
    """What a protocol signature says."""

    PROPOSAL = 1
    NOTARIZE = 2
    NULLIFY = 3
    FINALIZE = 4
    BATCH_HEADER = 5
    COMMITMENT = 6
    EXECUTOR = 7


def compute_signing_bytes(chain_id: Digest, epoch: Epoch, kind: SignatureKind, number: int, digest: Digest) -> bytes:
    """Return "SSQ1" ‖ chain_id ‖ epoch u64 ‖ kind u8 ‖ number u64 ‖ digest, big endian. # G2

    `number` is the view, the lane position, the height or 0, as the kind demands.
    """
    return _LAYOUT.pack(_MAGIC, chain_id, epoch, kind, number, digest)


def compute_client_signing_bytes(bundle_id: Digest) -> bytes:
    """Return "SSQT" ‖ bundle id: 36 bytes, so no client signature is ever a protocol signature. # A1"""
    return _CLIENT_MAGIC + bundle_id
