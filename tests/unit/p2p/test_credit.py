"""What is under way on one connection stays below the credit, and both sides agree on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.credit import ReceiveCredit, SendCredit
from p2p.errors import ProtocolViolation
from p2p.framing import RecordKind, RecordReader, decode_acknowledgement
from p2p.outgoing import OutgoingQueue
from p2p.protocols import CREDIT_BYTES, RECORD_BYTES_MAX


def test_sender_waits_when_credit_is_used_up() -> None:
    """A queue above the credit leaves only in part until the peer acknowledges."""
    queue = OutgoingQueue(1 << 20)
    queue.push(bytes(CREDIT_BYTES * 2))
    first = queue.take()
    assert CREDIT_BYTES - RECORD_BYTES_MAX < len(first) <= CREDIT_BYTES
    assert not queue.is_ready
    queue.credit.on_acknowledged(len(first))
    assert queue.is_ready


def test_control_records_leave_without_credit() -> None:
    """Heartbeats and acknowledgements pass a sender that has no credit; otherwise two such would wait for ever."""
    queue = OutgoingQueue(1 << 20)
    queue.push(bytes(CREDIT_BYTES * 2))
    queue.take()
    queue.set_acknowledgement(5)
    queue.set_acknowledgement(9)
    queue.set_heartbeat_due()
    records = RecordReader().feed(queue.take())
    assert [kind for kind, _ in records] == [RecordKind.ACKNOWLEDGE, RecordKind.HEARTBEAT]
    assert decode_acknowledgement(records[0][1]) == 9


def test_all_that_is_queued_leaves_in_one_batch() -> None:
    """Three hundred small messages are one write."""
    queue = OutgoingQueue(1 << 20)
    for number in range(300):
        queue.push(b"%d" % number)
    records = RecordReader().feed(queue.take())
    assert [body for _, body in records] == [b"%d" % number for number in range(300)]
    assert not queue.is_ready


def test_full_queue_refuses_and_keeps_what_it_has() -> None:
    """The bound counts bytes, and a refused message leaves no trace."""
    queue = OutgoingQueue(100)
    assert queue.push(bytes(60))
    assert not queue.push(bytes(41))
    assert queue.push(bytes(40))
    assert queue.queued_bytes == 100


@pytest.mark.parametrize("total", [-1, 11])
def test_acknowledgement_of_what_was_not_sent_is_a_violation(total: int) -> None:
    """A total may neither shrink nor exceed what left."""
    credit = SendCredit()
    credit.on_sent(10)
    with pytest.raises(ProtocolViolation, match="acknowledgement"):
        credit.on_acknowledged(total)


def test_peer_above_its_credit_is_a_violation() -> None:
    """A peer that ignores the credit is caught at the first byte too many."""
    credit = ReceiveCredit(limit=100, grant=50)
    credit.on_received(100)
    with pytest.raises(ProtocolViolation, match="credit"):
        credit.on_received(1)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60))
def test_sender_and_receiver_never_disagree(sizes: list[int]) -> None:
    """Whatever the sizes, a sender within its credit never oversteps the receiver's, and never gets stuck."""
    sender, receiver = SendCredit(limit=100), ReceiveCredit(limit=100, grant=40)
    for size in sizes:
        assert sender.available >= size
        sender.on_sent(size)
        receiver.on_received(size)
        total = receiver.on_taken(size)
        if total is not None:
            sender.on_acknowledged(total)
