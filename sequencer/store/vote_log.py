"""Remember what this validator signed, so that no restart makes it contradict itself. # D1 R1

Promises: a record is durable once `sync` has returned; a record at or below the mark's view,
or one that contradicts another, is refused as a broken invariant before it is written. A
segment appears under its name only when it is whole, and the one before goes only after
that, so a crash at any moment leaves all that still matters. Entries per segment ≤ 4,096 plus
those carried over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from sequencer.errors import DecodeError, InvariantViolation, StoreError
from sequencer.store.disk import AppendFile, Disk, naming_failure, remove_file
from sequencer.store.encoding import (
    FrameKind,
    LogPosition,
    decode_certificate,
    decode_header,
    decode_mark,
    decode_vote_record,
    encode_certificate,
    encode_header,
    encode_mark,
    encode_vote_record,
    has_vote_frame_after,
    scan_frames,
)
from sequencer.types.block import BlockHeader
from sequencer.types.primitives import Digest
from sequencer.types.records import FinalizedMark, RecordKind, VoteRecord, split_have_number
from sequencer.types.vote import Certificate, VoteKind

SEGMENT_RECORDS_MAX = 4_096
"""New records after which the log goes on in the next segment."""
CARRIED_PER_KIND_MAX = 256
"""Newest own batches, and newest commitments, that move to the next segment; above any lane window."""
VIEW_KINDS = frozenset({RecordKind.PROPOSAL, RecordKind.NOTARIZE, RecordKind.NULLIFY, RecordKind.FINALIZE})
"""Kinds whose number is a view; those at or below the finalized view no longer matter."""


_GROUND_KINDS = (FrameKind.HEADER, FrameKind.CERTIFICATE)


class VoteLogUnusable(StoreError):
    """The log is missing or damaged where it was durable: this node must not sign. # D1"""


class SegmentContent(NamedTuple):
    """What one segment file says."""

    mark: FinalizedMark
    records: tuple[VoteRecord, ...]
    headers: tuple[BlockHeader, ...]
    certificates: tuple[Certificate, ...]
    good_bytes: int
    """Bytes up to the torn tail, or all of them."""


class VoteLog:
    """The open log of one epoch; used from one thread."""

    def __init__(self, directory: Path, number: int, content: SegmentContent, disk: Disk) -> None:
        self.mark = content.mark
        self.position = LogPosition(number, content.good_bytes)
        """How far the log is durable."""
        self._directory = directory
        self._disk = disk
        self._known = {_get_key(record): record for record in content.records}
        self._headers = {header.digest: header for header in content.headers}
        self._certificates = {_name_certificate(certificate): certificate for certificate in content.certificates}
        self._buffer: list[bytes] = []
        self._fresh_count = 0
        self._file = AppendFile(get_segment_path(directory, number), disk)
        if self._file.size > content.good_bytes:
            self._file.truncate(content.good_bytes)

    @property
    def records(self) -> tuple[VoteRecord, ...]:
        """All records that the log holds, in the order of their writing."""
        return tuple(self._known.values())

    @property
    def headers(self) -> tuple[BlockHeader, ...]:
        """All headers that were logged with records, in the order of their writing."""
        return tuple(self._headers.values())

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All certificates that were logged with records, in the order of their writing."""
        return tuple(self._certificates.values())

    def append(
        self, record: VoteRecord, header: BlockHeader | None = None, certificates: Iterable[Certificate] = ()
    ) -> None:
        """Take in a record, the header that it names and the certificates that it rests on.

        They are durable after the next `sync`; what is known already is not written again.
        """
        if record.kind in VIEW_KINDS and record.number <= self.mark.view:
            raise InvariantViolation(f"{record.kind.name} of view {record.number} at or below {self.mark.view}")
        if self._known.get(_get_key(record)) == record:
            return
        self._refuse_contradiction(record)
        for certificate in certificates:
            if self._certificates.setdefault(_name_certificate(certificate), certificate) is certificate:
                self._buffer.append(encode_certificate(certificate))
        if header is not None and self._headers.setdefault(header.digest, header) is header:
            self._buffer.append(encode_header(header))
        self._known[_get_key(record)] = record
        self._buffer.append(encode_vote_record(record))

    def _refuse_contradiction(self, record: VoteRecord) -> None:
        known = self._known.get(_get_key(record))
        if known is not None:
            raise InvariantViolation(f"second {record.kind.name} {record.number} with another digest")  # X1 X2 X4 X5 X6
        rival = {RecordKind.NULLIFY: RecordKind.FINALIZE, RecordKind.FINALIZE: RecordKind.NULLIFY}.get(record.kind)
        if rival is not None and (rival, record.epoch, record.number) in self._known:
            raise InvariantViolation(f"{record.kind.name} and {rival.name} in view {record.number}")  # X3

    def sync(self) -> None:
        """Write and sync what was appended; nothing if there is nothing."""
        if not self._buffer:
            return
        self._file.write(b"".join(self._buffer))
        self._file.sync()
        self._fresh_count += len(self._buffer)
        self._buffer.clear()
        self.position = LogPosition(self.position.segment, self._file.size)

    def roll_if_full(self, mark: FinalizedMark) -> None:
        """Go on in a new segment that opens with `mark`, if this one is full and nothing is unsynced."""
        if self._fresh_count < SEGMENT_RECORDS_MAX or self._buffer or mark.view <= self.mark.view:
            return
        carried = select_carried(self._known.values(), mark)
        headers = [header for header in self._headers.values() if header.view >= mark.view]
        certificates = [certificate for certificate in self._certificates.values() if certificate.view >= mark.view]
        number = self.position.segment + 1
        data = encode_segment(mark, carried, headers, certificates)
        self._disk.replace(get_segment_path(self._directory, number), data)
        old = self._file
        self._file = AppendFile(get_segment_path(self._directory, number), self._disk)
        old.close()
        remove_file(old.path)
        self.mark, self.position, self._fresh_count = mark, LogPosition(number, len(data)), 0
        self._known = {_get_key(record): record for record in carried}
        self._headers = {header.digest: header for header in headers}
        self._certificates = {_name_certificate(certificate): certificate for certificate in certificates}

    def close(self) -> None:
        """Close the file; what was not synced is lost."""
        self._file.close()


def create_vote_log(directory: Path, mark: FinalizedMark, disk: Disk) -> None:
    """Write the first segment, so that "missing" differs from "new"; raises `StoreError` if a log is there."""
    with naming_failure("create", directory):
        directory.mkdir(parents=True, exist_ok=True)
    if _list_segments(directory):
        raise StoreError(f"{directory} already holds a vote log")
    disk.replace(get_segment_path(directory, 1), encode_segment(mark, (), (), ()))


def open_vote_log(directory: Path, disk: Disk) -> VoteLog:
    """Open the newest segment and drop a torn tail; raises `VoteLogUnusable` with the reason. # D1"""
    segments = _list_segments(directory)
    if not segments:
        raise VoteLogUnusable(f"vote log is missing: no segment in {directory.name}/")
    number, path = segments[-1]
    content = read_segment(path)
    for _, older in segments[:-1]:
        remove_file(older)
    return VoteLog(directory, number, content, disk)


def read_records(path: Path) -> tuple[FinalizedMark, tuple[VoteRecord, ...]]:
    """Read a log without opening it for writing: `path` is a segment, or the directory of the newest one."""
    if path.is_dir():
        segments = _list_segments(path)
        if not segments:
            raise VoteLogUnusable(f"vote log is missing: no segment in {path.name}/")
        path = segments[-1][1]
    content = read_segment(path)
    return content.mark, content.records


def read_segment(path: Path) -> SegmentContent:
    """Read one segment; raises `VoteLogUnusable` if it is damaged before its tail. # D1"""
    with naming_failure("read", path):
        data = path.read_bytes()
    return parse_segment(data, path.name)


def parse_segment(data: bytes, name: str) -> SegmentContent:
    """Read the bytes of a segment; raises `VoteLogUnusable` if they are damaged before their tail. # D1"""
    frames = list(scan_frames(data))
    good_bytes = frames[-1].offset + frames[-1].length if frames else 0
    if not frames:
        raise VoteLogUnusable(f"vote log {name} is damaged at its first record")
    if good_bytes < len(data) and has_vote_frame_after(data, good_bytes):
        raise VoteLogUnusable(f"vote log {name} is damaged at byte {good_bytes}, before its tail")
    try:
        headers = tuple(decode_header(frame) for frame in frames[1:] if frame.kind == FrameKind.HEADER)
        certificates = tuple(decode_certificate(frame) for frame in frames[1:] if frame.kind == FrameKind.CERTIFICATE)
        records = tuple(decode_vote_record(frame) for frame in frames[1:] if frame.kind not in _GROUND_KINDS)
        return SegmentContent(decode_mark(frames[0]), records, headers, certificates, good_bytes)
    except DecodeError as error:
        raise VoteLogUnusable(f"vote log {name} holds what it must not: {error}") from error


def select_carried(records: Iterable[VoteRecord], mark: FinalizedMark) -> tuple[VoteRecord, ...]:
    """Return what the next segment must repeat: views and HAVEs above the mark, newest own batches and commitments."""
    kept = list(records)
    views = [record for record in kept if record.kind in VIEW_KINDS and record.number >= mark.view]  # C4
    choices = [record for record in kept if record.kind is RecordKind.HAVE and _is_undecided(record, mark)]  # L4
    return (*views, *choices, *_newest(kept, RecordKind.OWN_BATCH), *_newest(kept, RecordKind.COMMITMENT))


def _is_undecided(record: VoteRecord, mark: FinalizedMark) -> bool:
    """Tell whether a HAVE record is about a position that the marked block has not finalized."""
    lane, position = split_have_number(record.number)
    return mark.header is None or lane >= len(mark.header.cut) or position > mark.header.cut[lane].position


def get_segment_path(directory: Path, number: int) -> Path:
    """Return the path of a segment."""
    return directory / f"{number:08d}.log"


def _newest(records: Sequence[VoteRecord], kind: RecordKind) -> list[VoteRecord]:
    return sorted((r for r in records if r.kind is kind), key=lambda r: r.number)[-CARRIED_PER_KIND_MAX:]


def _get_key(record: VoteRecord) -> tuple[RecordKind, int, int]:
    return (record.kind, record.epoch, record.number)


def _name_certificate(certificate: Certificate) -> tuple[VoteKind, int, int, Digest]:
    return (certificate.kind, certificate.epoch, certificate.view, certificate.digest)


def encode_segment(
    mark: FinalizedMark,
    records: Sequence[VoteRecord],
    headers: Sequence[BlockHeader],
    certificates: Sequence[Certificate],
) -> bytes:
    """Return a whole segment: its mark, what its records rest on, and the records."""
    grounds = [*map(encode_certificate, certificates), *map(encode_header, headers)]
    return b"".join([encode_mark(mark), *grounds, *map(encode_vote_record, records)])


def _list_segments(directory: Path) -> list[tuple[int, Path]]:
    return sorted((int(path.stem), path) for path in directory.glob("[0-9]" * 8 + ".log"))


def make_genesis_mark(digest: Digest) -> FinalizedMark:
    """Return the mark of a validator that has signed nothing: the genesis block at view 0."""
    return FinalizedMark(0, 0, 0, digest, None)
