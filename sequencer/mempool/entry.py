"""Describe one transaction that a mempool holds."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sequencer.types.item import SignedBundle
from sequencer.types.primitives import Address, Digest, Height


class Stage(enum.Enum):
    """How far a held transaction has come."""

    HELD = "held"
    """Waits for its predecessor, for room, or for its turn by rank."""
    LANED = "laned"
    """Handed to the own lane."""


@dataclass(slots=True)
class Entry:
    """One transaction from admission until it is executed or expired."""

    signed: SignedBundle
    admitted_ms: int
    admitted_height: Height
    """Executed height at which it was admitted: what is held back is so for a few heights from here on."""
    is_gossiped: bool
    """It came by gossip, so it is included by rank and not gossiped again."""
    include_ms: int
    """Not handed to the lane before this time."""
    gossip_ms: int | None
    """When it is gossiped; None if never (again)."""
    stage: Stage = Stage.HELD
    is_held_back: bool = False
    """It would have aborted when its turn came."""
    judged_height: Height | None = None
    """Executed height at which it was found that it would abort."""

    @property
    def id(self) -> Digest:
        """The bundle's id."""
        return self.signed.id

    @property
    def channel_key(self) -> tuple[Address, int]:
        """The payer's channel."""
        return (self.signed.bundle.payer, self.signed.bundle.channel)

    @property
    def sequence(self) -> int:
        """The place in the payer's channel."""
        return self.signed.bundle.sequence
