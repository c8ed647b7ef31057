"""Count how often bounds of the agreement were reached, for the statistics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ConsensusCounters:
    """Nothing in the protocol depends on these."""

    votes_beyond_window: int = 0
    """Votes for views too far ahead: only the view that their sender has reached is remembered."""
    votes_surplus: int = 0
    """Votes of which the same or two others of the kind are kept, or whose kind is certified."""
    proposals_beyond_window: int = 0
    proposals_surplus: int = 0
    """Proposals after the first one of their view."""
    proposals_without_lane: int = 0
    """Proposals held back because they leave out what has long been supported. # V8"""
    leaders_skipped: int = 0
    """Views given up at once, because their leader was silent. # T5"""
    certificates_asked: int = 0
    """Requests to peers that are ahead, or that proposed without all grounds. # P3 C2"""
