"""Vote in the current view: notarize what the rules allow, give up what takes too long. # V1-V11"""

from __future__ import annotations

from sequencer.consensus import voting_rules as rules
from sequencer.consensus.own_votes import attach_entry
from sequencer.consensus.state import AgreementState
from sequencer.consensus.suspicion import notice_false_cut
from sequencer.consensus.view_change import ViewChange
from sequencer.consensus.view_record import ViewRecord
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.types.block import BlockHeader
from sequencer.types.effects import BanPeer, Broadcast
from sequencer.types.primitives import Instant
from sequencer.types.records import RecordKind
from sequencer.types.vote import VoteKind

LATE_DIVISOR = 2
"""T_LATE is `view_timeout_base_ms` divided by this: who delays a vote longer loses its standing. # L8"""


class Voting:
    """What this validator says to the proposal of the current view, or to its absence."""

    def __init__(self, state: AgreementState, view_change: ViewChange) -> None:
        self._state = state
        self._view_change = view_change

    def try_notarize(self, now: Instant) -> None:
        """Notarize the proposal of the current view iff all of V1-V9 hold. # V1 V10"""
        state, record = self._state, self._state.record
        state.clock.retest_ms = None
        if record.proposal is None or not state.own_votes.can_sign:
            return
        if not rules.may_notarize(record, state.view, state.finalized_view, state.own_votes.highest_view):
            return
        header = record.proposal.header
        verdict = self._check_proposal(header, now)
        if isinstance(verdict, rules.Accept):
            self._view_change.cast(record, VoteKind.NOTARIZE, header.digest, now, header)
        elif isinstance(verdict, rules.Refuse):
            if state.clock.retry_ms is None:
                self.give_up(record, now)
        else:
            state.clock.retest_ms = verdict.retest_ms
            self._fetch_batches(header, verdict, now)
            self._note_late(record, verdict, now)

    def _check_proposal(self, header: BlockHeader, now: Instant) -> rules.Verdict:
        """Apply V3-V9 in order; the first that does not accept decides."""
        state = self._state
        verdict = rules.check_parent_certified(header, state.finalized_view, state.finality.digest, state.records.get)
        if not isinstance(verdict, rules.Accept):
            return verdict
        parent = state.get_header(header.parent_digest, range(state.committee.size), now.mono_ms)
        if parent is None:
            return rules.Wait("header of the parent")  # V4
        verdict = rules.check_against_parent(header, parent, state.parameters, state.availability, now)
        if isinstance(verdict, rules.Refuse) and verdict.rule == "V5" and state.record.proposal is not None:
            notice_false_cut(state, state.record.proposal, parent)
        return self._check_inclusion(header, parent) if isinstance(verdict, rules.Accept) else verdict

    def _check_inclusion(self, header: BlockHeader, parent: BlockHeader) -> rules.Verdict:
        """Wait with a proposal that leaves out what has long been supported, as long as views succeed. # V8"""
        state, record = self._state, self._state.record
        if not state.inclusion.is_on or state.is_cut_frozen or not state.is_calm or state.leader == state.own_index:
            return rules.Accept()
        supported = state.availability.get_supported_tips()
        omitted = state.inclusion.find_omitted(header.view, state.leader, header.cut, parent.cut, supported)
        if omitted is None:
            return rules.Accept()
        state.counters.proposals_without_lane += record.omitted_lane is None
        record.omitted_lane = omitted
        return rules.Wait(f"lane {omitted}")

    def _fetch_batches(self, header: BlockHeader, verdict: rules.Wait, now: Instant) -> None:
        """Ask owner and leader for the batches that block the vote. # L6"""
        state = self._state
        leader = state.committee.get_leader(header.view)
        for lane, floor in verdict.missing_batches:
            sources = state.exclude_self(dict.fromkeys((lane, leader)))
            state.availability.fetch(lane, header.cut[lane], floor, sources, now.mono_ms)

    def _note_late(self, record: ViewRecord, verdict: rules.Wait, now: Instant) -> None:
        """Hold it against a lane that its batches delay the vote by T_LATE. # L8"""
        state = self._state
        if not verdict.missing_batches:
            return
        if record.missing_since_ms is None:
            record.missing_since_ms = now.mono_ms
        late_ms = record.missing_since_ms + state.parameters.view_timeout_base_ms // LATE_DIVISOR
        if now.mono_ms < late_ms:
            state.clock.retest_ms = late_ms
            return
        for lane, _ in verdict.missing_batches:
            if lane not in record.late_lanes:
                record.late_lanes.add(lane)
                state.availability.note_late(lane)

    def give_up(self, record: ViewRecord, now: Instant) -> None:
        """Nullify the current view, or repeat the vote that forbids it. # V11"""
        state = self._state
        state.clock.start_retry(now.mono_ms)
        if rules.may_nullify(record, state.view, state.finalized_view, state.own_votes.highest_view):
            self._view_change.cast(record, VoteKind.NULLIFY, ZERO_DIGEST, now)
        else:
            self._repeat(record)

    def _repeat(self, record: ViewRecord) -> None:
        """Send the vote that closes this view once more. # V11 T4"""
        state = self._state
        for kind in (VoteKind.FINALIZE, VoteKind.NULLIFY):
            if RecordKind(kind) in record.own:
                vote = state.own_votes.sign_vote(record.view, kind, record.own[RecordKind(kind)])
                entry = state.entry if kind is VoteKind.NULLIFY else None
                state.effects.append(Broadcast(attach_entry(vote, entry, is_resend=True)))
                return

    def follow_leader(self, now: Instant) -> None:
        """Do not wait for a leader that nullifies its own view. # V11"""
        state, record, leader = self._state, self._state.record, self._state.leader
        is_given_up = not state.own_votes.can_sign or state.clock.retry_ms is not None
        if is_given_up or not record.has_vote(leader, VoteKind.NULLIFY, ZERO_DIGEST):
            return
        if record.verify_vote(leader, VoteKind.NULLIFY, ZERO_DIGEST, state.chain_id, state.committee, state.verifier):
            self.give_up(record, now)
        else:
            state.effects.append(BanPeer(leader, f"wrong signature on a nullify of view {state.view}"))
