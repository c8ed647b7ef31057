"""Encode values as canonical msgpack arrays, and read them back field by field.

One value has one encoding: arrays only (no maps), minimal integers, no trailing bytes.
`decode` re-encodes what it read and compares, because msgpack itself accepts more than one
spelling. Readers name the path of the first wrong field; none of them takes a float.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgpack

from sequencer.errors import DecodeError

U8_MAX = 2**8 - 1
U16_MAX = 2**16 - 1
U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1

ARRAY_LENGTH_MAX = 65_536
"""Elements of any one array; a frame of empty arrays would otherwise grow 72-fold in memory."""

STRING_BYTES_MAX = 1_024
"""Bytes of any one text field."""

_T = TypeVar("_T")

_PACKER = msgpack.Packer(use_bin_type=True)
"""One for all: making one costs more than what it packs. It keeps nothing between two calls, also after an error."""


def encode(value: object) -> bytes:
    """Return the canonical encoding of nested tuples of int, bytes, str, bool and None."""
    return _PACKER.pack(value)  # type: ignore[no-any-return] # msgpack's stub says Any


def decode(data: bytes, path: str) -> object:
    """Read one canonical value; arrays come back as tuples.

    Raises `DecodeError` naming `path` if `data` is not exactly one canonical value.
    The caller bounds `len(data)` first.
    """
    try:
        value: object = msgpack.unpackb(
            data,
            use_list=False,
            raw=False,
            object_hook=_refuse_map,
            max_array_len=ARRAY_LENGTH_MAX,
            max_map_len=0,
            max_ext_len=0,
            max_str_len=STRING_BYTES_MAX,
            max_bin_len=len(data),
        )
        canonical = encode(value)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise DecodeError(path, f"is not msgpack: {error or type(error).__name__}") from None
    if canonical != data:
        raise DecodeError(path, "is not in canonical form")
    return value


def _refuse_map(_: object) -> object:
    raise ValueError("a map")


class Fields:
    """Reads the elements of one decoded array in order, each with its type and bound.

    `finish` must be called last: it refuses elements that nobody read.
    """

    __slots__ = ("_items", "_next", "_path")

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, tuple):
            raise DecodeError(path, "must be an array")
        self._items = value
        self._next = 0
        self._path = path

    def take(self, name: str) -> object:
        """Return the next element as it is."""
        if self._next >= len(self._items):
            raise DecodeError(f"{self._path}.{name}", "is missing")
        self._next += 1
        return self._items[self._next - 1]

    def uint(self, name: str, largest: int = U64_MAX) -> int:
        """Return the next element as an integer in 0..`largest`."""
        value = self.take(name)
        if type(value) is not int:
            raise DecodeError(f"{self._path}.{name}", "must be an integer")
        if not 0 <= value <= largest:
            raise DecodeError(f"{self._path}.{name}", f"must be in 0..{largest}, is {value}")
        return value

    def flag(self, name: str) -> bool:
        """Return the next element as a boolean."""
        value = self.take(name)
        if type(value) is not bool:
            raise DecodeError(f"{self._path}.{name}", "must be true or false")
        return value

    def blob(self, name: str, largest: int, smallest: int = 0) -> bytes:
        """Return the next element as bytes of length `smallest`..`largest`."""
        value = self.take(name)
        if type(value) is not bytes:
            raise DecodeError(f"{self._path}.{name}", "must be bytes")
        if not smallest <= len(value) <= largest:
            raise DecodeError(f"{self._path}.{name}", f"must have {smallest}..{largest} bytes, has {len(value)}")
        return value

    def digest(self, name: str) -> bytes:
        """Return the next element as 32 bytes."""
        return self.blob(name, 32, 32)

    def signature(self, name: str) -> bytes:
        """Return the next element as 64 bytes."""
        return self.blob(name, 64, 64)

    def text(self, name: str, largest: int) -> str:
        """Return the next element as text of at most `largest` UTF-8 bytes."""
        value = self.take(name)
        if type(value) is not str:
            raise DecodeError(f"{self._path}.{name}", "must be text")
        if len(value.encode()) > largest:
            raise DecodeError(f"{self._path}.{name}", f"must have at most {largest} bytes")
        return value

    def array(self, name: str, largest: int, read: Callable[[object, str], _T], smallest: int = 0) -> tuple[_T, ...]:
        """Return the next element as an array of `smallest`..`largest` values, each read by `read(value, path)`.

        `read` is given an empty path; the element's own is put before it only when it raises.
        """
        value = self.take(name)
        if not isinstance(value, tuple):
            raise DecodeError(f"{self._path}.{name}", "must be an array")
        if not smallest <= len(value) <= largest:
            raise DecodeError(f"{self._path}.{name}", f"must have {smallest}..{largest} elements, has {len(value)}")
        elements: list[_T] = []
        try:
            for element in value:
                elements.append(read(element, ""))
        except DecodeError as error:
            raise DecodeError(f"{self._path}.{name}[{len(elements)}]{error.path}", error.reason) from None
        return tuple(elements)

    def optional(self, name: str, read: Callable[[object, str], _T]) -> _T | None:
        """Return None, or the next element read by `read(value, path)`."""
        value = self.take(name)
        return None if value is None else read(value, f"{self._path}.{name}")

    def finish(self) -> None:
        """Refuse elements beyond the last one read."""
        if self._next != len(self._items):
            raise DecodeError(self._path, f"has {len(self._items)} elements, expected {self._next}")


def read_digest(value: object, path: str) -> bytes:
    """Read one 32-byte string; for use with `Fields.array` and `Fields.optional`."""
    if type(value) is not bytes or len(value) != 32:
        raise DecodeError(path, "must be 32 bytes")
    return value


def read_signature(value: object, path: str) -> bytes:
    """Read one 64-byte string; for use with `Fields.array`."""
    if type(value) is not bytes or len(value) != 64:
        raise DecodeError(path, "must be 64 bytes")
    return value
