"""Name the plain values that the protocol counts and addresses with."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Digest: TypeAlias = bytes
"""32 bytes, always the result of `hash_tagged`."""

Address: TypeAlias = bytes
"""A 32-byte Ed25519 public key; it is the account itself."""

Signature: TypeAlias = bytes
"""64 bytes."""

ValidatorIndex: TypeAlias = int
"""Position in the committee, 0..n-1; also the number of that validator's lane."""

Epoch: TypeAlias = int
View: TypeAlias = int
Height: TypeAlias = int
Position: TypeAlias = int
"""Place in a lane, from 1; 0 stands before the first batch."""

RollupId: TypeAlias = int
"""A rollup's namespace, 1..2^32-1; 0 is the system."""

SYSTEM_NAMESPACE: RollupId = 0

StateValue: TypeAlias = int | bytes
"""What a state key holds: an unsigned 64-bit amount ≥ 1, or 1..1024 bytes. Zero and empty mean absent."""


class Instant(NamedTuple):
    """What the clocks show when an event is handled; the core knows no other time."""

    mono_ms: int
    """Monotonic clock, milliseconds; timers use it."""
    wall_ms: int
    """Wall clock, milliseconds since 1970; block timestamps use it."""


class Tip(NamedTuple):
    """One lane's entry in a cut: the digest of the batch at `position` (zero digest at 0)."""

    position: Position
    digest: Digest


Cut: TypeAlias = tuple[Tip, ...]
"""One tip per validator lane, by validator index."""


class Supported(NamedTuple):
    """The highest supported position of a lane, and the peers that said HAVE for it. # L5 V8"""

    position: Position
    holders: frozenset[ValidatorIndex]


class LaneLimits(NamedTuple):
    """How many batches a block may add to each lane. # V5 L9"""

    leading: tuple[int, ...]
    """What this validator proposes at most."""
    voting: tuple[int, ...] | None
    """What it votes for at most; None while it has not executed the blocks that decide it."""


Bounds: TypeAlias = dict[str, tuple[int, int]]
"""Tables by name, each with its size and its bound. # I11"""


def get_earliest(*times: int | None) -> int | None:
    """Return the smallest of the times that are set, or None if none is."""
    earliest: int | None = None
    for time in times:
        if time is not None and (earliest is None or time < earliest):
            earliest = time
    return earliest
