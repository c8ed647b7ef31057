"""Name the moments between writing and sending at which a process can die."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass


class Boundary(str, enum.Enum):
    """A moment on the way of a vote: written, synced, sent to one peer after the other. # D1"""

    WRITING = "writing"
    """Records are about to be written; none is."""
    WRITTEN = "written"
    """All are written, none is synced."""
    SYNCING = "syncing"
    """Some time within the sync."""
    SYNCED = "synced"
    """All are durable; nothing that waited for them is sent."""
    SENDING = "sending"
    """Some peers have their copy of a broadcast, the others never get theirs."""
    SENT = "sent"
    """Everything that waited for the sync is sent."""


BOUNDARIES: tuple[Boundary, ...] = tuple(Boundary)


class Survival(str, enum.Enum):
    """What a crash leaves of the records that were written and not synced."""

    PREFIX = "prefix"
    """A random prefix."""
    NOTHING = "nothing"
    TORN = "torn"
    """What a reader finds in a file that ends at a random byte."""


@dataclass(slots=True)
class Doom:
    """A death that waits for its moment."""

    boundary: Boundary
    skip: int
    """Boundaries of this kind to let pass."""
    kill: Callable[[], None]
    reached: tuple[int, ...] = ()
    """SENDING: peers that still get their copy."""
