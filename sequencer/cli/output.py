"""Write for people and for programs: text on stderr, one JSON object per line on stdout.

The last JSON line of a command is its result. Colour appears only on a terminal and never under NO_COLOR.
"""

from __future__ import annotations

import enum
import json
import os
import sys
from collections.abc import Mapping
from typing import TextIO


class Colour(str, enum.Enum):
    """Escape sequences of the few colours in use."""

    BOLD = "\x1b[1m"
    DIM = "\x1b[2m"
    RED = "\x1b[31m"
    GREEN = "\x1b[32m"
    YELLOW = "\x1b[33m"


_RESET = "\x1b[0m"


def is_coloured(stream: TextIO) -> bool:
    """Tell whether `stream` is a terminal whose user has not asked for plain text."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: Colour, stream: TextIO) -> str:
    """Return `text` in `colour` if `stream` shows colours, else as it is."""
    return f"{colour.value}{text}{_RESET}" if is_coloured(stream) else text


def print_json(value: Mapping[str, object]) -> None:
    """Write one object as one line on stdout, at once."""
    print(json.dumps(value, separators=(",", ":")), flush=True)


def print_text(text: str, stream: TextIO | None = None) -> None:
    """Write one line for people, on stderr unless told otherwise, at once."""
    print(text, file=stream or sys.stderr, flush=True)


def print_result(result: Mapping[str, object], is_json: bool) -> None:
    """Write a command's result: the JSON line, or `name  value` lines on stdout for people."""
    if is_json:
        print_json(result)
        return
    width = max((len(name) for name in result), default=0)
    for name, value in result.items():
        print(f"{name:<{width}}  {value if isinstance(value, str | int | float) else json.dumps(value)}")
