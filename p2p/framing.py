"""Cut messages into records and put them together again, with every length bounded.

A record is one byte of kind, three bytes of length (big endian) and the body, at most
`RECORD_BYTES_MAX` with its header. A message is any number of PIECE records and one LAST.
HEARTBEAT and ACKNOWLEDGE may stand between the pieces of a message, so that a long message
holds up neither. Pure: bytes in, records out; memory is bounded by one record and one message.
"""

from __future__ import annotations

import enum
import struct
from collections import deque
from typing import Final

from p2p.errors import ProtocolViolation
from p2p.protocols import RECORD_BYTES_MAX

HEADER_BYTES: Final = 4
BODY_BYTES_MAX: Final = RECORD_BYTES_MAX - HEADER_BYTES
_HEADER: Final = struct.Struct("!I")
_TOTAL: Final = struct.Struct("!Q")


class RecordKind(enum.IntEnum):
    """What a record carries."""

    HEARTBEAT = 0
    """Empty: I am alive."""
    ACKNOWLEDGE = 1
    """u64: so many bytes of your PIECE and LAST records, headers included, are taken since the start."""
    PIECE = 2
    """A part of a message that is not its end."""
    LAST = 3
    """The end of a message."""


_BODY_BYTES: Final[dict[int, tuple[int, int]]] = {
    RecordKind.HEARTBEAT: (0, 0),
    RecordKind.ACKNOWLEDGE: (_TOTAL.size, _TOTAL.size),
    RecordKind.PIECE: (1, BODY_BYTES_MAX),
    RecordKind.LAST: (0, BODY_BYTES_MAX),
}
"""Least and most bytes of a body, by kind."""


def encode_record(kind: RecordKind, body: bytes | memoryview = b"") -> bytes:
    """Return one record."""
    return b"".join((_HEADER.pack(kind << 24 | len(body)), body))


def encode_acknowledgement(total: int) -> bytes:
    """Return the record that acknowledges `total` bytes since the start of the stream."""
    return encode_record(RecordKind.ACKNOWLEDGE, _TOTAL.pack(total))


def decode_acknowledgement(body: bytes) -> int:
    """Return the total of an ACKNOWLEDGE body."""
    total: int = _TOTAL.unpack(body)[0]
    return total


def cut_message(payload: bytes) -> deque[bytes]:
    """Return the records of one message, in order."""
    view, records = memoryview(payload), deque[bytes]()
    while len(view) > BODY_BYTES_MAX:
        records.append(encode_record(RecordKind.PIECE, view[:BODY_BYTES_MAX]))
        view = view[BODY_BYTES_MAX:]
    records.append(encode_record(RecordKind.LAST, view))
    return records


class RecordReader:
    """Take bytes as they come and give whole records; keeps less than one record between calls."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def is_partial(self) -> bool:
        """Whether a record has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[tuple[RecordKind, bytes]]:
        """Return the records that `data` completes.

        Raises `ProtocolViolation` on an unknown kind or a length outside its bounds, as soon as
        the header is there: the body of a wrong record is never waited for.
        """
        buffer, position, records = self._buffer, 0, []
        buffer += data
        while len(buffer) - position >= HEADER_BYTES:
            kind, length = _read_header(buffer, position)
            end = position + HEADER_BYTES + length
            if len(buffer) < end:
                break
            records.append((kind, bytes(buffer[position + HEADER_BYTES : end])))
            position = end
        del buffer[:position]
        return records


def _read_header(buffer: bytearray, position: int) -> tuple[RecordKind, int]:
    word: int = _HEADER.unpack_from(buffer, position)[0]
    kind, length = word >> 24, word & 0xFFFFFF
    if kind not in _BODY_BYTES:
        raise ProtocolViolation(f"record: kind {kind} is unknown")
    low, high = _BODY_BYTES[kind]
    if not low <= length <= high:
        raise ProtocolViolation(f"record: {length} bytes of kind {kind} lie outside {low}..{high}")
    return RecordKind(kind), length


class MessageAssembler:
    """Join PIECE and LAST records to messages of at most `message_bytes_max` bytes."""

    def __init__(self, message_bytes_max: int) -> None:
        self._message_bytes_max = message_bytes_max
        self._pieces = bytearray()
        self._is_open = False

    @property
    def is_partial(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._is_open

    def add(self, kind: RecordKind, body: bytes) -> bytes | None:
        """Return the message that this record ends, or None; raises `ProtocolViolation` when it is too long."""
        if len(self._pieces) + len(body) > self._message_bytes_max:
            raise ProtocolViolation(f"message: longer than {self._message_bytes_max} bytes")
        if kind is RecordKind.PIECE:
            self._pieces += body
            self._is_open = True
            return None
        if not self._is_open:
            return body
        message = bytes(self._pieces) + body
        self._pieces.clear()
        self._is_open = False
        return message
