"""Keep the evidence that a node holds in one small append-only file.

Promises: what was flushed is there after a restart; a torn or damaged end is cut off and counted, for
peers hold the same evidence. The replica bounds what is appended, and verifies again what is read.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sequencer.errors import DecodeError
from sequencer.store.disk import AppendFile, Disk, naming_failure
from sequencer.store.encoding import FrameKind, encode_frame, scan_frames
from sequencer.types.evidence import Evidence, decode_evidence, encode_evidence


class EvidenceLog:
    """The evidence of one home; used from one thread at a time."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.counters: Counter[str] = Counter()
        """Damage that was met, by name."""
        self.stored: tuple[Evidence, ...] = ()
        """What the file held when it was opened, in the order of writing."""
        self._file = AppendFile(path, disk)
        self._waiting: list[bytes] = []
        self._read(path)

    def _read(self, path: Path) -> None:
        with naming_failure("read", path):
            data = path.read_bytes()
        found: list[Evidence] = []
        end = 0
        for frame in scan_frames(data):
            end = frame.offset + frame.length
            try:
                found.append(decode_evidence(frame.body))
            except DecodeError:
                self.counters["evidence_undecodable"] += 1
        if end < len(data):
            self.counters["evidence_truncated"] += 1
            self._file.truncate(end)
        self.stored = tuple(found)

    def append(self, evidence: Evidence) -> None:
        """Take in a piece; it is durable after the next `flush`."""
        self._waiting.append(encode_frame(FrameKind.EVIDENCE, encode_evidence(evidence)))

    def flush(self) -> None:
        """Write and sync what waits; nothing happens if nothing does."""
        if not self._waiting:
            return
        self._file.write(b"".join(self._waiting))
        self._waiting.clear()
        self._file.sync()

    def close(self) -> None:
        """Close the file; what was not flushed is lost."""
        self._file.close()
