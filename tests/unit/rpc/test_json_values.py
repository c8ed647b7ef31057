"""JSON is read strictly, and reading costs little whatever it holds."""

from __future__ import annotations

from contextlib import suppress

import pytest

from sequencer.errors import DecodeError
from sequencer.rpc.json_values import DEPTH_MAX, Members, parse_json, read_amount


def test_depth_is_counted_outside_of_strings() -> None:
    """Brackets within text, after escaped quotes too, are no structure."""
    text = b'["' + b"[" * 100 + b'\\"' + b"{" * 100 + b'"]'
    assert parse_json(text) == ["[" * 100 + '"' + "{" * 100]


def test_depth_at_the_limit_is_read_and_one_more_is_not() -> None:
    """The limit is exact."""
    parse_json(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX)
    with pytest.raises(DecodeError, match="deep"):
        parse_json(b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1))


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "unit", [b'"', b'"\\', b'\\"', b"[", b"{", b"[],", b'{"a":1},', b"1", b"-", b"\xf0\x9f\x98\x80", b"\\ud800"]
)
@pytest.mark.parametrize("start", [b"", b'"', b"[" * 40, b"[" * 40 + b'"'])
def test_a_mebibyte_of_anything_is_read_or_refused_quickly(start: bytes, unit: bytes) -> None:
    """No text makes reading quadratic: the node's consensus waits meanwhile."""
    text = (start + unit * (1 << 20))[: 1 << 20]
    with suppress(DecodeError):
        parse_json(text)


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', '{"x":{"a":1,"a":1}}', "NaN", "[Infinity]", "-Infinity", "", "1 2"])
def test_what_is_not_one_plain_json_text_is_refused(text: str) -> None:
    """Duplicate keys and the numbers that JSON does not have."""
    with pytest.raises(DecodeError):
        parse_json(text.encode())


@pytest.mark.parametrize(
    "value", ["", "01", "1.0", "-1", "+1", " 1", "1 ", "1_0", "٣", "18446744073709551616", 1, None]
)
def test_amount_has_one_spelling(value: object) -> None:
    """Decimal digits without sign, space or leading zero, at most 2^64-1."""
    with pytest.raises(DecodeError):
        read_amount(value, "$")


def test_unread_member_is_named() -> None:
    """`finish` tells which member nobody asked for."""
    read = Members({"a": 1, "b": 2}, "$")
    read.take("a")
    with pytest.raises(DecodeError, match=r"\$\.b"):
        read.finish()
