"""Choose what a leader builds on, and when it proposes. # P1 P3 P4"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from sequencer.consensus.view_record import ViewRecord
from sequencer.types.block import BlockHeader
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Cut, Digest, Instant, View
from sequencer.types.vote import Certificate, VoteKind


class Parent(NamedTuple):
    """What a proposal of a view may build on, with the certificates that justify it."""

    view: View
    digest: Digest
    justification: tuple[Certificate, ...]


def choose_parent(
    view: View,
    finalized_view: View,
    finalized_digest: Digest,
    finalization: Certificate | None,
    get_record: Callable[[View], ViewRecord | None],
) -> Parent | None:
    """Return the highest notarized view below `view` over which every view is nullified, or None. # P1

    If both N(u) and Z(u) are held, N is taken. The finalized block needs no notarization, but its finalization: a node
    that stands on a snapshot (R2) may not hold it yet.
    """
    skipped: list[Certificate] = []
    for below in range(view - 1, finalized_view, -1):
        record = get_record(below)
        notarization = record.get_certificate(VoteKind.NOTARIZE) if record else None
        if notarization is not None:
            return Parent(below, notarization.digest, (notarization, *skipped))
        nullification = record.get_certificate(VoteKind.NULLIFY) if record else None
        if nullification is None:
            return None
        skipped.append(nullification)
    if finalization is None and finalized_view > 0:
        return None
    anchor = () if finalization is None else (finalization,)
    return Parent(finalized_view, finalized_digest, (*anchor, *skipped))


def compute_proposal_time(
    is_cut_advanced: bool, parent_received_ms: int, entered_ms: int, parameters: Parameters
) -> int:
    """Return the monotonic time at which the leader proposes what it has now. # P4"""
    if is_cut_advanced:
        return max(entered_ms, parent_received_ms + parameters.pace_ms)
    return entered_ms + parameters.idle_ms


def make_header(parent_header: BlockHeader, cut: Cut, parent: Parent, view: View, now: Instant) -> BlockHeader:
    """Return the header of `view` on `parent` with `cut`; its time is above the parent's. # P5"""
    return replace(
        parent_header,
        view=view,
        height=parent_header.height + 1,
        parent_view=parent.view,
        parent_digest=parent.digest,
        time_ms=max(parent_header.time_ms + 1, now.wall_ms),
        cut=cut,
    )
