"""Whatever bytes a peer sends: they are refused with the field named, or taken by the replica without harm. # B21 G2"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.codec import decode
from sequencer.errors import DecodeError
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.replica import Replica
from sequencer.types.effects import RaiseAlarm
from sequencer.types.events import MessageReceived, PeerConnected
from sequencer.types.messages import (
    Accusation,
    Channel,
    Message,
    decode_message,
    encode_message,
    find_message_type,
    get_channel,
)
from tests.unit.core_world import VERIFY, Group, at, make_signer, name_digest
from tests.unit.types.test_evidence import NOTARIZE, make_false_proposal, make_pair, state
from tests.unit.types.test_messages import MESSAGES

GROUP = Group()
HOSTILE: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2**16,
    2**63,
    2**64 - 1,
    0.5,
    float("nan"),
    "",
    "text",
    b"",
    b"\x00" * 16,
    b"\xff" * 16,
    b"\x01" * 31,
    b"\x01" * 32,
    b"\x01" * 64,
    b"\x01" * 65,
    b"\x01" * 2_000,
    (),
    ((),),
    (0,) * 200,
    {},
    {1: 2},
    msgpack.ExtType(5, b"ext"),
    msgpack.Timestamp(1),
)
"""What may stand in the place of any field."""
SAMPLES: dict[str, Message] = {
    type(message).__name__: message
    for message in (
        *MESSAGES,
        state(NOTARIZE, name_digest("block")),
        Accusation(make_pair()),
        Accusation(make_false_proposal()),
    )
}
"""One well-formed message of each type."""


def get_places(value: object, above: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Yield the path of every element of nested tuples."""
    if isinstance(value, tuple):
        for place, element in enumerate(value):
            yield (*above, place)
            yield from get_places(element, (*above, place))


def put(value: object, place: tuple[int, ...], element: object) -> object:
    """Return nested tuples with another element at a place."""
    if not place:
        return element
    assert isinstance(value, tuple)  # get_places named it
    inner = put(value[place[0]], place[1:], element)
    return (*value[: place[0]], inner, *value[place[0] + 1 :])


@cache
def make_replica() -> Replica:
    """Return a running validator; whatever is thrown at it, it lives on."""
    replica = Replica(ReplicaConfig(GROUP.genesis, 0, make_signer(0), VERIFY))
    replica.start(at(0))
    for peer in range(1, GROUP.committee.size):
        replica.handle(PeerConnected(peer), at(0))
    return replica


def receive(data: bytes, channel: Channel) -> None:
    """Decode and handle as a node does: refused by name, or taken in without an exception or an alarm."""
    try:
        message = decode_message(data, channel)
    except DecodeError:
        return
    assert encode_message(message) == data, "two encodings of one message"
    effects = make_replica().handle(MessageReceived(1, message), at(10))
    assert not any(isinstance(effect, RaiseAlarm) for effect in effects)


def test_every_message_type_has_a_sample() -> None:
    """A new message is fuzzed, or this fails."""
    assert {number for number in range(1, 64) if find_message_type(bytes((0x92, number)))} == {
        encode_message(message)[1] for message in SAMPLES.values()
    }


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_any_field_replaced_by_anything_is_refused_or_harmless(name: str) -> None:
    """Every field of every message, at every depth, by every kind of value."""
    message = SAMPLES[name]
    value = decode(encode_message(message), "sample")
    for place in get_places(value):
        for element in HOSTILE:
            receive(msgpack.packb(put(value, place, element), use_bin_type=True), get_channel(message))
    assert make_replica().get_statistics().finalized_height == 0


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_any_field_missing_or_doubled_is_refused(name: str) -> None:
    """An array has exactly its fields, in order; those that repeat may be fewer, and then the message is another."""
    message = SAMPLES[name]
    value = decode(encode_message(message), "sample")
    for place in get_places(value):
        inner = value
        for step in place[:-1]:
            assert isinstance(inner, tuple)
            inner = inner[step]
        assert isinstance(inner, tuple)
        for changed in (inner[: place[-1]] + inner[place[-1] + 1 :], (*inner, inner[place[-1]])):
            data = msgpack.packb(put(value, place[:-1], changed), use_bin_type=True)
            receive(data, get_channel(message))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(Channel))
def test_arbitrary_bytes_are_refused_by_name(data: bytes, channel: Channel) -> None:
    """Nothing but `DecodeError` comes out of bytes that are no message."""
    receive(data, channel)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_spliced_messages_are_refused_or_harmless(name: str, data: st.DataObject) -> None:
    """A piece of one message in the middle of another."""
    whole = encode_message(SAMPLES[name])
    other = encode_message(SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))])
    first, last = sorted((data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))))
    low, high = sorted((data.draw(st.integers(0, len(other))), data.draw(st.integers(0, len(other)))))
    receive(whole[:first] + other[low:high] + whole[last:], get_channel(SAMPLES[name]))


def test_planted_exception_in_a_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a reader that trusts its input raises something else, and the test sees it."""
    monkeypatch.setattr("sequencer.codec.Fields.uint", lambda read, name, largest=0: int(read.take(name)))
    with pytest.raises((TypeError, ValueError)):
        test_any_field_replaced_by_anything_is_refused_or_harmless("Sync")
