"""Decide whether this validator may vote: the safety rules, and nothing else.

Every function is pure. A verdict says what to do now: vote, wait (with the time of the next
test if time alone can change it), or give the view up for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sequencer.consensus.availability import Availability
from sequencer.consensus.view_record import ViewRecord
from sequencer.crypto.signatures import Verifier
from sequencer.errors import PeerError
from sequencer.types.block import BlockHeader
from sequencer.types.committee import Committee
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Cut, Digest, Instant, LaneLimits, Tip, ValidatorIndex, View
from sequencer.types.records import RecordKind
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Proposal, VoteKind


@dataclass(frozen=True, slots=True)
class Accept:
    """All of V1-V9 hold: notarize."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Something is missing now; test again on every input."""

    missing: str
    retest_ms: int | None = None
    """Monotonic time at which the passing of time alone makes a difference."""
    missing_batches: tuple[tuple[ValidatorIndex, Tip], ...] = ()
    """Lanes whose batches are missing, each with the parent's tip. # V6"""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The proposal breaks a rule for ever: nullify."""

    rule: str


Verdict = Accept | Wait | Refuse


def verify_proposal(proposal: Proposal, chain_id: Digest, committee: Committee, verifier: Verifier) -> None:
    """V2: one cut entry per lane and the leader's signature; raises `PeerError`. # V2"""
    header = proposal.header
    if len(header.cut) != committee.size:
        raise PeerError(f"proposal of view {header.view} has {len(header.cut)} cut entries")
    message = compute_signing_bytes(chain_id, header.epoch, SignatureKind.PROPOSAL, header.view, header.digest)
    leader = committee.validators[committee.get_leader(header.view)]
    if not verifier(leader.public_key, message, proposal.signature):
        raise PeerError(f"proposal of view {header.view} has a wrong signature")


def may_propose(record: ViewRecord, highest_logged_view: View) -> bool:
    """P1: once per view, never after nullify, and after a restart not below the log. # P1 R1"""
    return (
        record.proposal is None
        and record.view >= highest_logged_view
        and RecordKind.PROPOSAL not in record.own
        and RecordKind.NULLIFY not in record.own
    )


def may_notarize(record: ViewRecord, current_view: View, finalized_view: View, highest_logged_view: View) -> bool:
    """V1: only in the current view, once, and never after nullify; after a restart not below the log. # V1 R1"""
    return (
        record.view == current_view
        and record.view > finalized_view
        and record.view >= highest_logged_view
        and RecordKind.NOTARIZE not in record.own
        and RecordKind.NULLIFY not in record.own
    )


def may_nullify(record: ViewRecord, current_view: View, finalized_view: View, highest_logged_view: View) -> bool:
    """V11: only in the current view, once, and never after finalize. # V11 R1"""
    return (
        record.view == current_view
        and record.view > finalized_view
        and record.view >= highest_logged_view
        and RecordKind.FINALIZE not in record.own
        and RecordKind.NULLIFY not in record.own
    )


def may_finalize(record: ViewRecord, current_view: View, finalized_view: View, highest_logged_view: View) -> bool:
    """V12: at the moment N(v,d) is first obtained, unless nullified here or by a certificate. # V12 R1"""
    return (
        current_view <= record.view
        and record.view > finalized_view
        and record.view >= highest_logged_view
        and RecordKind.NULLIFY not in record.own
        and RecordKind.FINALIZE not in record.own
        and VoteKind.NULLIFY not in record.certificates
    )


def check_parent_certified(
    header: BlockHeader,
    finalized_view: View,
    finalized_digest: Digest,
    get_record: Callable[[View], ViewRecord | None],
) -> Verdict:
    """V3: the parent is notarized or finalized, and every skipped view is nullified. # V3 V9"""
    if header.flags:
        return Refuse("V9")
    if not finalized_view <= header.parent_view < header.view:
        return Refuse("V3")
    if header.parent_view == finalized_view:
        if header.parent_digest != finalized_digest:
            return Refuse("V3")
    else:
        record = get_record(header.parent_view)
        notarization = record.get_certificate(VoteKind.NOTARIZE) if record else None
        if notarization is None or notarization.digest != header.parent_digest:
            return Wait("notarization of the parent")
    for skipped in range(header.parent_view + 1, header.view):
        record = get_record(skipped)
        if record is None or record.get_certificate(VoteKind.NULLIFY) is None:
            return Wait(f"nullification of view {skipped}")
    return Accept()


def check_cut(cut: Cut, parent: Cut, advance_max: int) -> Verdict:
    """V5: no lane goes back, forks in place, or advances too far. # V5"""
    if len(cut) != len(parent):
        return Refuse("V2")
    for tip, before in zip(cut, parent, strict=True):
        if not before.position <= tip.position <= before.position + advance_max:
            return Refuse("V5")
        if tip.position == before.position and tip.digest != before.digest:
            return Refuse("V5")
    return Accept()


def check_lane_limits(cut: Cut, parent: Cut, limits: LaneLimits) -> Verdict:
    """L9: no lane that was filled with what is inadmissible advances by more than it may. # L9"""
    steps = [tip.position - before.position for tip, before in zip(cut, parent, strict=True)]
    if max(steps) <= 1:
        return Accept()
    if limits.voting is None:
        return Wait("execution of the blocks that the limits of lanes rest on")
    is_within = all(step <= limit for step, limit in zip(steps, limits.voting, strict=True))
    return Accept() if is_within else Refuse("L9")


def check_time(header: BlockHeader, parent: BlockHeader, drift_ms: int, now: Instant) -> Verdict:
    """V7: later than the parent, and not too far ahead of the wall clock. # V7"""
    if header.time_ms <= parent.time_ms:
        return Refuse("V7")
    early_ms = header.time_ms - (now.wall_ms + drift_ms)
    if early_ms > 0:
        return Wait("its time", now.mono_ms + early_ms)
    return Accept()


def check_availability(cut: Cut, parent: Cut, availability: Availability) -> Verdict:
    """V6: of every advanced lane the chain is held, or weak power of others has it. # V6"""
    missing = tuple(
        (lane, before)
        for lane, (tip, before) in enumerate(zip(cut, parent, strict=True))
        if tip.position > before.position and not availability.is_available(lane, tip, before)
    )
    return Wait("batches", missing_batches=missing) if missing else Accept()


def check_against_parent(
    header: BlockHeader, parent: BlockHeader, parameters: Parameters, availability: Availability, now: Instant
) -> Verdict:
    """V4-V7 L9: apply each rule that needs the parent's header; the first that does not accept decides."""
    if header.height != parent.height + 1:
        return Refuse("V4")
    verdicts = _apply_in_order(header, parent, parameters, availability, now)
    return next((verdict for verdict in verdicts if not isinstance(verdict, Accept)), Accept())


def _apply_in_order(
    header: BlockHeader, parent: BlockHeader, parameters: Parameters, availability: Availability, now: Instant
) -> Iterator[Verdict]:
    yield check_cut(header.cut, parent.cut, parameters.lane_advance_max)
    yield check_lane_limits(header.cut, parent.cut, availability.get_lane_limits(parent.height))
    yield check_time(header, parent, parameters.clock_drift_ms_max, now)
    yield check_availability(header.cut, parent.cut, availability)
