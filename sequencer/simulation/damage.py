"""Turn simulated records into the bytes that a real node writes, and damage those."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sequencer.codec import encode
from sequencer.store.encoding import (
    FrameKind,
    LogPosition,
    encode_certificate,
    encode_frame,
    encode_header,
    encode_stored_block,
    encode_vote_record,
    scan_frames,
)
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.effects import PersistVote
from sequencer.types.evidence import Evidence, encode_evidence


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An execution state and the header that it is the state after."""

    header: BlockHeader
    state: bytes
    commitment: Commitment
    """Of the header's height."""


StoreRecord: TypeAlias = Batch | FinalizedBlock | CommitmentCertificate | Snapshot | Evidence


def frame_vote(effect: PersistVote) -> list[bytes]:
    """Return the frames that the vote log writes for a record, the record last."""
    header = [] if effect.header is None else [encode_header(effect.header)]
    return [*map(encode_certificate, effect.certificates), *header, encode_vote_record(effect.record)]


def frame_record(record: StoreRecord) -> bytes:
    """Return the frame that the block store writes; of a snapshot, which has a file of its own, its state."""
    match record:
        case Batch():
            return encode_frame(FrameKind.BATCH, encode(record.to_value()))
        case FinalizedBlock():
            return encode_frame(FrameKind.BLOCK, encode_stored_block(record, LogPosition(1, 0)))
        case CommitmentCertificate():
            return encode_frame(FrameKind.COMMITMENT_CERTIFICATE, encode(record.to_value()))
        case Snapshot():
            return encode_frame(FrameKind.SNAPSHOT_HEAD, record.state)
        case _:
            return encode_frame(FrameKind.EVIDENCE, encode_evidence(record))


def count_torn(groups: Sequence[Sequence[bytes]], rng: random.Random) -> int:
    """Cut the bytes of all groups of frames anywhere; count the leading groups that a reader finds whole."""
    data = b"".join(frame for group in groups for frame in group)
    whole = sum(1 for _ in scan_frames(data[: rng.randint(0, len(data))]))
    kept = 0
    for group in groups:
        whole -= len(group)
        if whole < 0:
            break
        kept += 1
    return kept


def turn_bit(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with one bit turned, anywhere."""
    turned = bytearray(data)
    turned[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(turned)
