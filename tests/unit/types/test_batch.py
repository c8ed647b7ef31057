"""A batch is named by its header; a payload that breaks a rule holds nothing for everybody. # L1 A4"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.codec import decode, encode
from sequencer.errors import DecodeError
from sequencer.types.batch import BatchHeader, decode_payload, encode_payload
from sequencer.types.parameters import BATCH_ITEMS_MAX, ITEM_BYTES_MAX
from tests.unit.core_world import Group, name_digest

BATCH = Group().batch(1, 3, name_digest("parent"), (b"a", b"b"))


def test_payload_comes_back_as_its_items() -> None:
    """The items of a payload are those it was made of, in order."""
    assert decode_payload(BATCH.payload) == (b"a", b"b")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        encode_payload([b"a"]) + b"\x00",
        encode(1),
        encode((b"a", 1)),
        encode(("a",)),
        encode_payload([bytes(ITEM_BYTES_MAX + 1)]),
        encode_payload([b""] * (BATCH_ITEMS_MAX + 1)),
    ],
    ids=["nothing", "noise", "trailing", "number", "mixed", "text", "item too large", "too many"],
)
def test_A4_payload_that_breaks_a_rule_holds_no_item(payload: bytes) -> None:
    """Every honest node sees the same empty batch, whoever made the payload."""
    assert decode_payload(payload) == ()


def test_payload_at_its_limits_is_read() -> None:
    """4,096 items and an item of 64 KB are allowed."""
    sizes = [len(decode_payload(encode_payload(items))) for items in ([b""] * BATCH_ITEMS_MAX, [bytes(ITEM_BYTES_MAX)])]
    assert sizes == [BATCH_ITEMS_MAX, 1]


@pytest.mark.parametrize(
    "field", ["epoch", "lane", "position", "parent", "payload_hash", "payload_bytes", "item_count"]
)
def test_batch_digest_binds_every_field(field: str) -> None:
    """No field of the header can change without another name."""
    value = name_digest("other") if field in ("parent", "payload_hash") else 77
    assert replace(BATCH.header, **{field: value}).digest != BATCH.digest  # type: ignore[arg-type] # one of the fields


@pytest.mark.parametrize("payload", [b"", BATCH.payload + b"x", BATCH.payload[:-1] + b"x"])
def test_L3_payload_other_than_the_header_says_is_not_intact(payload: bytes) -> None:
    """Size and hash are both compared."""
    assert not replace(BATCH, payload=payload).is_payload_intact


def test_L1_position_zero_is_refused() -> None:
    """Lanes count from 1."""
    array = decode(encode(replace(BATCH.header, position=0).to_value()), "h")
    with pytest.raises(DecodeError, match=r"h\.position"):
        BatchHeader.from_value(array, "h")
