"""Read JSON strictly: one spelling per value, every wrong field named by its path.

Amounts (u64) are decimal strings; heights, sequences and counts are numbers up to 2^64-1;
bytes are `0x` and lower-case hex. Unknown members, duplicate keys, floats and NaN are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from sequencer.codec import U64_MAX
from sequencer.errors import DecodeError

DEPTH_MAX = 32
"""Arrays and objects within each other; a bundle needs 8."""
STRUCTURE_MAX = 20_000
"""Brackets, commas and colons of one text, those within strings too; bounds what parsing it may cost."""

_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,19})\Z")
_HEX_DIGITS = "0123456789abcdef"
_T = TypeVar("_T")


def parse_json(text: bytes, path: str = "body") -> object:
    """Return the value of one JSON text; raises `DecodeError` if it is not exactly one.

    The caller bounds `len(text)` first. Every step is linear in it, whatever it holds.
    """
    if sum(text.count(mark) for mark in (b"[", b"{", b",", b":")) > STRUCTURE_MAX:
        raise DecodeError(path, f"has more than {STRUCTURE_MAX} elements")
    try:
        value: object = json.loads(text.decode(), object_pairs_hook=_make_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise DecodeError(path, f"is nested more than {DEPTH_MAX} deep") from None
    except ValueError as error:
        raise DecodeError(path, f"is not JSON: {error}") from None
    if not _is_shallow(value):
        raise DecodeError(path, f"is nested more than {DEPTH_MAX} deep")
    return value


def _is_shallow(value: object) -> bool:
    """Tell whether at most `DEPTH_MAX` arrays and objects stand within each other; walks level by level."""
    level = _get_containers([value])
    for _ in range(DEPTH_MAX):
        level = [inner for outer in level for inner in _get_containers(outer)]
        if not level:
            return True
    return not level


def _get_containers(container: list[object] | dict[str, object]) -> list[list[object] | dict[str, object]]:
    inner = container.values() if isinstance(container, dict) else container
    return [value for value in inner if isinstance(value, list | dict)]


def _make_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has the same key twice")
    return made


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")


def to_hex(data: bytes) -> str:
    """Return `0x` and lower-case hex."""
    return "0x" + data.hex()


class Members:
    """Reads the members of one JSON object, each with its type and bound.

    `finish` must be called last: it refuses members that nobody asked for.
    """

    __slots__ = ("_members", "_path")

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise DecodeError(path, "must be an object")
        self._members = dict(value)
        self._path = path

    def path(self, name: str) -> str:
        """Return the path of a member."""
        return f"{self._path}.{name}"

    def has(self, name: str) -> bool:
        """Tell whether the member is there and not yet read."""
        return name in self._members

    def take(self, name: str) -> object:
        """Return the member as it is; raises `DecodeError` if it is missing."""
        if name not in self._members:
            raise DecodeError(self.path(name), "is missing")
        return self._members.pop(name)

    def read(self, name: str, reader: Callable[[object, str], _T]) -> _T:
        """Return the member as `reader(value, path)` reads it."""
        return reader(self.take(name), self.path(name))

    def optional(self, name: str, reader: Callable[[object, str], _T]) -> _T | None:
        """Return None if the member is absent or null, else as `reader` reads it."""
        value = self._members.pop(name, None)
        return None if value is None else reader(value, self.path(name))

    def number(self, name: str, largest: int = U64_MAX, smallest: int = 0) -> int:
        """Return a JSON integer in `smallest`..`largest`."""
        return read_number(self.take(name), self.path(name), largest, smallest)

    def digest(self, name: str) -> bytes:
        """Return 32 bytes given as hex."""
        return read_hex(self.take(name), self.path(name), 32, 32)

    def array(self, name: str, largest: int, reader: Callable[[object, str], _T], smallest: int = 0) -> tuple[_T, ...]:
        """Return an array of `smallest`..`largest` values, each as `reader(value, path)` reads it."""
        path = self.path(name)
        values = read_array(self.take(name), path, largest, smallest)
        return tuple(reader(value, f"{path}[{index}]") for index, value in enumerate(values))

    def finish(self) -> None:
        """Refuse members that were not read."""
        for name in self._members:
            raise DecodeError(self.path(name[:64]), "is not a known field")


def read_number(value: object, path: str, largest: int = U64_MAX, smallest: int = 0) -> int:
    """Read a JSON integer in `smallest`..`largest`."""
    if type(value) is not int:
        raise DecodeError(path, "must be an integer")
    if not smallest <= value <= largest:
        raise DecodeError(path, f"must be in {smallest}..{largest}")
    return value


def read_amount(value: object, path: str) -> int:
    """Read a u64 given as decimal string."""
    if type(value) is not str or not _DECIMAL.match(value) or int(value) > U64_MAX:
        raise DecodeError(path, f"must be a decimal string in 0..{U64_MAX}")
    return int(value)


def read_hex(value: object, path: str, largest: int, smallest: int = 0) -> bytes:
    """Read `smallest`..`largest` bytes given as `0x` and lower-case hex."""
    if type(value) is not str or value[:2] != "0x" or len(value) % 2 or value[2:].strip(_HEX_DIGITS):
        raise DecodeError(path, "must be 0x and lower-case hex of whole bytes")
    if not smallest <= len(value) // 2 - 1 <= largest:
        wanted = str(largest) if smallest == largest else f"{smallest}..{largest}"
        raise DecodeError(path, f"must have {wanted} bytes, has {len(value) // 2 - 1}")
    return bytes.fromhex(value[2:])


def read_digest(value: object, path: str) -> bytes:
    """Read 32 bytes given as hex."""
    return read_hex(value, path, 32, 32)


def read_text(value: object, path: str, largest: int = 128) -> str:
    """Read text of at most `largest` UTF-8 bytes."""
    if type(value) is not str:
        raise DecodeError(path, "must be text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:  # a lone surrogate, spelled \ud800
        raise DecodeError(path, "must be Unicode text") from None
    if size > largest:
        raise DecodeError(path, f"must have at most {largest} bytes, has {size}")
    return value


def read_flag(value: object, path: str) -> bool:
    """Read true or false."""
    if type(value) is not bool:
        raise DecodeError(path, "must be true or false")
    return value


def read_array(value: object, path: str, largest: int, smallest: int = 0) -> Sequence[object]:
    """Read an array of `smallest`..`largest` values, not looked at yet."""
    if not isinstance(value, list):
        raise DecodeError(path, "must be an array")
    if not smallest <= len(value) <= largest:
        raise DecodeError(path, f"must have {smallest}..{largest} elements, has {len(value)}")
    return value
