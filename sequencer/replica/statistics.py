"""Freeze what can be counted about a replica."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sequencer.types.primitives import Height, View


@dataclass(frozen=True, slots=True)
class ReplicaStatistics:
    """A snapshot for people and metrics; nothing in the protocol depends on it."""

    role: str
    """validator, observer or full."""
    observer_reason: str | None
    alarm: str | None
    """Why the node stopped signing; None while all is well."""
    view: View
    finalized_view: View
    finalized_height: Height
    """Newest height whose finalized header is connected here."""
    executed_height: Height
    certified_height: Height
    """Newest height whose commitment is certified."""
    is_halted: bool
    """Safe halt: too many scheduled commitments without a certificate."""
    delivery_lag: int
    """Finalized blocks that wait for batches or execution."""
    mempool_size: int
    gossip_published: int
    gossip_received: int
    gossip_included: int
    peers: tuple[int, ...]
    """Connected validators."""
    following: int | None
    """Validator that this full node follows now; None on any other node, and while nobody is there."""
    counters: Mapping[str, int]
    """Limits that were reached and things that were refused, by name."""
