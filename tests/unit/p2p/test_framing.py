"""Records and messages survive any cutting of the stream, and nothing above a limit is waited for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import ProtocolViolation
from p2p.framing import (
    BODY_BYTES_MAX,
    HEADER_BYTES,
    MessageAssembler,
    RecordKind,
    RecordReader,
    cut_message,
    decode_acknowledgement,
    encode_acknowledgement,
    encode_record,
)
from p2p.protocols import RECORD_BYTES_MAX


def read_messages(chunks: list[bytes], message_bytes_max: int = 1 << 20) -> list[bytes]:
    reader, assembler, messages = RecordReader(), MessageAssembler(message_bytes_max), []
    for chunk in chunks:
        for kind, body in reader.feed(chunk):
            if kind in (RecordKind.PIECE, RecordKind.LAST):
                message = assembler.add(kind, body)
                if message is not None:
                    messages.append(message)
    return messages


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 40))
def test_messages_cut_anywhere_come_out_whole_and_in_order(messages: list[bytes], size: int) -> None:
    """How the stream is cut does not matter."""
    stream = b"".join(record for message in messages for record in cut_message(message))
    assert read_messages(cut(stream, size)) == messages


@pytest.mark.parametrize("length", [0, 1, BODY_BYTES_MAX, BODY_BYTES_MAX + 1, 3 * BODY_BYTES_MAX])
def test_message_of_any_length_is_cut_into_full_records(length: int) -> None:
    """Records fill one write and together carry the message."""
    payload = bytes(range(256)) * (length // 256 + 1)
    records = cut_message(payload[:length])
    assert all(len(record) <= RECORD_BYTES_MAX for record in records)
    assert read_messages(list(records)) == [payload[:length]]


def test_control_records_between_pieces_do_not_disturb_a_message() -> None:
    """A heartbeat and an acknowledgement may stand in the middle of a long message."""
    first, last = cut_message(b"x" * (BODY_BYTES_MAX + 10))
    stream = [first, encode_record(RecordKind.HEARTBEAT), encode_acknowledgement(7), last]
    assert read_messages(stream) == [b"x" * (BODY_BYTES_MAX + 10)]


def test_acknowledgement_carries_its_total() -> None:
    """The u64 comes back."""
    [(kind, body)] = RecordReader().feed(encode_acknowledgement(2**63 + 5))
    assert (kind, decode_acknowledgement(body)) == (RecordKind.ACKNOWLEDGE, 2**63 + 5)


@pytest.mark.parametrize(
    "header",
    [
        b"\x04\x00\x00\x00",  # an unknown kind
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01",  # a heartbeat with a body
        b"\x01\x00\x00\x07",  # a short acknowledgement
        b"\x02\x00\x00\x00",  # an empty piece, which would make progress of nothing
        b"\x03" + (BODY_BYTES_MAX + 1).to_bytes(3, "big"),
    ],
)
def test_wrong_header_is_refused_before_its_body_comes(header: bytes) -> None:
    """Four bytes are enough to see that a record breaks a bound."""
    with pytest.raises(ProtocolViolation, match="record"):
        RecordReader().feed(header)


def test_longest_record_is_accepted() -> None:
    """Control: the bound itself is allowed."""
    record = encode_record(RecordKind.LAST, bytes(BODY_BYTES_MAX))
    assert [len(body) for _, body in RecordReader().feed(record)] == [BODY_BYTES_MAX]


def test_message_above_the_limit_is_refused_piece_by_piece() -> None:
    """The assembler never holds more than one message of the limit."""
    assembler = MessageAssembler(100)
    assembler.add(RecordKind.PIECE, bytes(60))
    with pytest.raises(ProtocolViolation, match="message"):
        assembler.add(RecordKind.PIECE, bytes(41))


def test_trickled_record_is_seen_as_partial() -> None:
    """What has begun and not ended can be timed out."""
    reader = RecordReader()
    reader.feed(encode_record(RecordKind.LAST, b"abc")[: HEADER_BYTES + 1])
    assert reader.is_partial
    reader.feed(b"bc")
    assert not reader.is_partial
