"""Turn records into bytes and back; pure, so that a simulated store writes the same bytes.

A frame is len u32 ‖ kind u8 ‖ body ‖ crc32 u32, big endian; `len` counts kind and body, the
checksum covers all before it. A vote record's body is epoch u64 ‖ number u64 ‖ digest. # D1
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from sequencer.codec import Fields, decode, encode, read_digest
from sequencer.errors import DecodeError
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.primitives import Digest
from sequencer.types.records import FinalizedMark, RecordKind, VoteRecord
from sequencer.types.vote import Certificate

FRAME_BODY_BYTES_MAX = 256 << 20
"""Largest body of a frame; a longer length field is damage."""

_HEAD = struct.Struct(">IB")
_CHECK = struct.Struct(">I")
_VOTE = struct.Struct(">QQ32s")
FRAME_OVERHEAD_BYTES = _HEAD.size + _CHECK.size
VOTE_FRAME_BYTES = FRAME_OVERHEAD_BYTES + _VOTE.size
"""57."""


_BATCHES_MAX = 4_096
"""Batches that a stored block may name."""


class FrameKind(enum.IntEnum):
    """What a frame holds; 1..7 are `RecordKind`."""

    MARK = 16
    HEADER = 17
    CERTIFICATE = 18
    BATCH = 32
    BLOCK = 33
    EXECUTED = 34
    COMMITMENT_CERTIFICATE = 35
    EVIDENCE = 36
    SNAPSHOT_HEAD = 48


class Frame(NamedTuple):
    """One record found in a byte string."""

    offset: int
    kind: int
    body: bytes

    @property
    def length(self) -> int:
        """Bytes from the first of the length field to the last of the checksum."""
        return FRAME_OVERHEAD_BYTES + len(self.body)


def encode_frame(kind: int, body: bytes) -> bytes:
    """Return the frame around `body`."""
    covered = _HEAD.pack(1 + len(body), kind) + body
    return covered + _CHECK.pack(crc32(covered))


def read_frame(data: bytes, offset: int) -> Frame | None:
    """Return the frame at `offset`, or None if none stands there whole and undamaged."""
    if offset + FRAME_OVERHEAD_BYTES > len(data):
        return None
    length, kind = _HEAD.unpack_from(data, offset)
    end = offset + 4 + length
    if not 1 <= length <= FRAME_BODY_BYTES_MAX or end + 4 > len(data):
        return None
    if crc32(memoryview(data)[offset:end]) != _CHECK.unpack_from(data, end)[0]:
        return None
    return Frame(offset, kind, data[offset + _HEAD.size : end])


def scan_frames(data: bytes, offset: int = 0) -> Iterator[Frame]:
    """Yield the frames that follow each other from `offset` on, up to the first damage."""
    while (frame := read_frame(data, offset)) is not None:
        yield frame
        offset += frame.length


def has_vote_frame_after(data: bytes, offset: int) -> bool:
    """Tell whether a whole vote record stands anywhere beyond `offset`: then damage there is no torn tail. # D1"""
    mark = _CHECK.pack(1 + _VOTE.size)
    found = data.find(mark, offset + 1)
    while found >= 0:
        if read_frame(data, found) is not None:
            return True
        found = data.find(mark, found + 1)
    return False


def encode_vote_record(record: VoteRecord) -> bytes:
    """Return the frame of a vote record. # D1"""
    return encode_frame(record.kind, _VOTE.pack(record.epoch, record.number, record.digest))


def decode_vote_record(frame: Frame) -> VoteRecord:
    """Read a vote record; raises `DecodeError`."""
    if len(frame.body) != _VOTE.size or frame.kind not in RecordKind._value2member_map_:
        raise DecodeError("vote_record", f"has kind {frame.kind} and {len(frame.body)} bytes")
    epoch, number, digest = _VOTE.unpack(frame.body)
    return VoteRecord(RecordKind(frame.kind), epoch, number, digest)


def encode_mark(mark: FinalizedMark) -> bytes:
    """Return the frame that opens a segment of the vote log."""
    certificate = None if mark.finalization is None else mark.finalization.to_value()
    header = None if mark.header is None else mark.header.to_value()
    return encode_frame(FrameKind.MARK, encode((mark.epoch, mark.view, mark.height, mark.digest, certificate, header)))


def decode_mark(frame: Frame) -> FinalizedMark:
    """Read the head of a segment; raises `DecodeError`."""
    if frame.kind != FrameKind.MARK:
        raise DecodeError("mark", f"has kind {frame.kind}, not {FrameKind.MARK}")
    read = Fields(decode(frame.body, "mark"), "mark")
    mark = FinalizedMark(
        read.uint("epoch"),
        read.uint("view"),
        read.uint("height"),
        read.digest("digest"),
        read.optional("finalization", Certificate.from_value),
        read.optional("header", BlockHeader.from_value),
    )
    read.finish()
    return mark


def encode_header(header: BlockHeader) -> bytes:
    """Return the frame of a header that is logged with a vote."""
    return encode_frame(FrameKind.HEADER, encode(header.to_value()))


def decode_header(frame: Frame) -> BlockHeader:
    """Read a header; raises `DecodeError`."""
    return BlockHeader.from_value(decode(frame.body, "header"), "header")


def encode_certificate(certificate: Certificate) -> bytes:
    """Return the frame of a certificate that is logged with a vote."""
    return encode_frame(FrameKind.CERTIFICATE, encode(certificate.to_value()))


def decode_certificate(frame: Frame) -> Certificate:
    """Read a certificate; raises `DecodeError`."""
    return Certificate.from_value(decode(frame.body, "certificate"), "certificate")


class LogPosition(NamedTuple):
    """How far the vote log was durable at some moment; later positions compare greater."""

    segment: int
    size: int


class StoredBlock(NamedTuple):
    """A block as it is written: batches by digest, for they stand in the store themselves."""

    position: LogPosition
    """The vote log was durable at least this far: a shorter log is an old copy. # D1"""
    header: BlockHeader
    finalization: Certificate | None
    batches: tuple[Digest, ...]


def encode_stored_block(block: FinalizedBlock, position: LogPosition) -> bytes:
    """Return the body of a BLOCK frame."""
    certificate = None if block.finalization is None else block.finalization.to_value()
    digests = tuple(batch.digest for batch in block.batches)
    return encode((tuple(position), block.header.to_value(), certificate, digests))


def decode_stored_block(body: bytes) -> StoredBlock:
    """Read the body of a BLOCK frame; raises `DecodeError`."""
    read = Fields(decode(body, "block"), "block")
    where = Fields(read.take("position"), "block.position")
    position = LogPosition(where.uint("segment"), where.uint("size"))
    where.finish()
    block = StoredBlock(
        position,
        BlockHeader.from_value(read.take("header"), "block.header"),
        read.optional("finalization", Certificate.from_value),
        read.array("batches", _BATCHES_MAX, read_digest),
    )
    read.finish()
    return block


def decode_batch(body: bytes) -> Batch:
    """Read the body of a BATCH frame; raises `DecodeError`."""
    return Batch.from_value(decode(body, "batch"), "batch")


def decode_commitment_certificate(body: bytes) -> CommitmentCertificate:
    """Read the body of a COMMITMENT_CERTIFICATE frame; raises `DecodeError`."""
    return CommitmentCertificate.from_value(decode(body, "certificate"), "certificate")
