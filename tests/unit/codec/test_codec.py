"""The codec accepts exactly one encoding of a value and names the field that is wrong."""

from __future__ import annotations

import msgpack
import pytest

from sequencer.codec import ARRAY_LENGTH_MAX, Fields, decode, encode, read_digest, read_signature
from sequencer.errors import DecodeError

VALUE = (1, b"two", "three", True, None, (2**64 - 1, ()))


def test_encode_nested_value_comes_back_equal() -> None:
    """What is encoded is read back as the same tuples."""
    assert decode(encode(VALUE), "value") == VALUE


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(encode((1,)) + b"\x00", "trailing", id="trailing bytes"),
        pytest.param(b"\x91\xcc\x01", "integer in two bytes", id="u8 for 1"),
        pytest.param(b"\x91\xcd\x00\x80", "integer in three bytes", id="u16 for 128"),
        pytest.param(b"\x91\xcf" + bytes(7) + b"\x01", "integer in nine bytes", id="u64 for 1"),
        pytest.param(b"\xdc\x00\x01\x01", "array16 of one", id="array16 for one"),
        pytest.param(b"\xc5\x00\x01a", "bin16 of one", id="bin16 for one byte"),
        pytest.param(b"\xd9\x01a", "str8 of one", id="str8 for one byte"),
        pytest.param(b"\x80", "map", id="empty map"),
        pytest.param(msgpack.packb({"a": 1}), "map", id="map"),
        pytest.param(b"\x92\x01\x80", "map", id="empty map inside"),
        pytest.param(msgpack.packb(msgpack.ExtType(5, b"x")), "extension", id="extension"),
        pytest.param(msgpack.packb(msgpack.Timestamp(1, 0)), "timestamp", id="timestamp"),
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"\x92\x01", "truncated", id="truncated"),
        pytest.param(b"\xc1", "reserved", id="reserved byte"),
        pytest.param(b"\xa1\xff", "utf-8", id="text that is not UTF-8"),
    ],
)
def test_decode_other_than_the_one_canonical_form_is_refused(data: bytes, reason: str) -> None:
    """Every second spelling of a value, and every type that no message has, is refused with the path."""
    with pytest.raises(DecodeError) as raised:
        decode(data, "thing")
    assert raised.value.path == "thing", reason


@pytest.mark.parametrize("depth", [2_000, 10_000, 200_000])
def test_decode_deep_nesting_raises_decode_error(depth: int) -> None:
    """Arrays in arrays exhaust no stack."""
    with pytest.raises(DecodeError):
        decode(b"\x91" * depth + b"\x90", "deep")


def test_decode_claimed_length_beyond_limit_is_refused_before_allocation() -> None:
    """A length that the data does not hold is not believed."""
    with pytest.raises(DecodeError):
        decode(b"\xdd\xff\xff\xff\xff", "huge")


def test_decode_array_above_limit_is_refused() -> None:
    """One array has at most 65,536 elements."""
    with pytest.raises(DecodeError):
        decode(encode(tuple([0] * (ARRAY_LENGTH_MAX + 1))), "wide")


def test_fields_missing_element_is_named() -> None:
    """A short array names the first field that it lacks."""
    read = Fields((1,), "message")
    read.uint("first")
    with pytest.raises(DecodeError, match=r"message\.second: is missing"):
        read.uint("second")


def test_fields_unread_element_is_refused_by_finish() -> None:
    """An array longer than the message is refused."""
    read = Fields((1, 2), "message")
    read.uint("first")
    with pytest.raises(DecodeError, match="has 2 elements, expected 1"):
        read.finish()


@pytest.mark.parametrize("value", [True, -1, 2**64, 1.0, "1", b"1", None])
def test_uint_other_than_unsigned_64_bits_is_refused(value: object) -> None:
    """A boolean is no integer, and neither is anything negative or too large."""
    with pytest.raises(DecodeError, match=r"message\.number"):
        Fields((value,), "message").uint("number")


@pytest.mark.parametrize("method", ["uint", "flag", "digest", "signature"])
def test_float_is_no_value_of_any_field(method: str) -> None:
    """No reader takes a float, however it is spelled."""
    read = Fields(decode(msgpack.packb((1.0,)), "message"), "message")
    with pytest.raises(DecodeError, match=r"message\.field"):
        getattr(read, method)("field")


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_flag_other_than_boolean_is_refused(value: object) -> None:
    """An integer is no boolean."""
    with pytest.raises(DecodeError, match=r"message\.flag"):
        Fields((value,), "message").flag("flag")


@pytest.mark.parametrize("value", [bytes(31), bytes(33), "x" * 32, None])
def test_digest_other_than_32_bytes_is_refused(value: object) -> None:
    """Digests have one length."""
    with pytest.raises(DecodeError, match=r"message\.digest"):
        Fields((value,), "message").digest("digest")


def test_text_longer_in_bytes_than_allowed_is_refused() -> None:
    """The bound counts UTF-8 bytes, not characters."""
    with pytest.raises(DecodeError, match=r"message\.name: must have at most 3 bytes"):
        Fields(("éé",), "message").text("name", 3)


def test_array_wrong_element_is_named_with_its_index() -> None:
    """The path leads down to the wrong element."""
    with pytest.raises(DecodeError, match=r"message\.list\[1\]"):
        Fields(((bytes(32), b""),), "message").array("list", 4, read_digest)


@pytest.mark.parametrize("elements", [(), (bytes(64),) * 3])
def test_array_outside_its_bounds_is_refused(elements: tuple[bytes, ...]) -> None:
    """Too few and too many elements are refused."""
    with pytest.raises(DecodeError, match=r"must have 1\.\.2 elements"):
        Fields((elements,), "message").array("list", 2, read_signature, 1)


def test_fields_of_no_array_are_refused() -> None:
    """What must be an array and is none is refused."""
    with pytest.raises(DecodeError, match="message: must be an array"):
        Fields(b"", "message")
