"""Turn votes into certificates, and certificates into the next view and finality. # C1 C2 C3 C4

Own votes pass through here too: they are logged, sent and counted like everybody's, and the
moment at which a notarization is first held is the one moment to finalize. # V12
"""

from __future__ import annotations

from sequencer.consensus import voting_rules as rules
from sequencer.consensus.forwarding import collect_certificates
from sequencer.consensus.own_votes import attach_entry
from sequencer.consensus.state import AgreementState
from sequencer.consensus.suspicion import notice_certificate, notice_vote
from sequencer.consensus.view_clock import make_view_clock
from sequencer.consensus.view_record import ViewRecord, find_contradiction
from sequencer.types.block import BlockHeader
from sequencer.types.effects import BanPeer, Broadcast
from sequencer.types.primitives import Digest, Instant, ValidatorIndex, View
from sequencer.types.records import RecordKind
from sequencer.types.vote import Certificate, Vote, VoteKind


class ViewChange:
    """Counts votes and moves from view to view."""

    def __init__(self, state: AgreementState) -> None:
        self._state = state

    # --- votes --------------------------------------------------------------------------

    def count(self, peer: ValidatorIndex, vote: Vote, now: Instant) -> bool:
        """Keep a peer's vote, unverified, and certify if it completes a strong set; tell if it changes more. # C1"""
        record = self._state.get_record(vote.view)
        notice_vote(self._state, record, peer, vote)
        if record.get_certificate(vote.kind) is not None or not record.add_vote(peer, vote, is_verified=False):
            self._state.counters.votes_surplus += 1
            return False
        is_decided = self._try_certify(record, vote.kind, vote.digest, now)
        return is_decided or vote.kind is VoteKind.NULLIFY  # the leader's own is followed # V11

    def cast(
        self, record: ViewRecord, kind: VoteKind, digest: Digest, now: Instant, header: BlockHeader | None = None
    ) -> None:
        """Log, send and count an own vote. # V10 V11 V12"""
        state = self._state
        last_ground = record.view if kind is VoteKind.FINALIZE else record.view - 1
        grounds = collect_certificates(state.records, state.finalized_view, last_ground)
        vote = state.own_votes.cast(record, kind, digest, state.effects, header, grounds)
        sent = attach_entry(vote, state.entry, is_resend=False) if kind is VoteKind.NULLIFY else vote
        state.effects.append(Broadcast(sent))
        self._count_own(record, vote, now)

    def recount_logged(self, now: Instant) -> None:
        """Count own votes from before the start again. # R1 F5"""
        if not self._state.own_votes.can_sign:
            return
        for record in list(self._state.records.values()):
            for vote in self._state.own_votes.resign(record):
                self._count_own(record, vote, now)

    def _count_own(self, record: ViewRecord, vote: Vote, now: Instant) -> None:
        assert self._state.own_index is not None  # whoever can sign has an index
        record.add_vote(self._state.own_index, vote, is_verified=True)
        self._try_certify(record, vote.kind, vote.digest, now)

    def _try_certify(self, record: ViewRecord, kind: VoteKind, digest: Digest, now: Instant) -> bool:
        state = self._state
        certificate, wrong = record.assemble(kind, digest, state.chain_id, state.committee, state.verifier)
        for signer in wrong:
            state.effects.append(BanPeer(signer, f"wrong signature on a vote of view {record.view}"))
        if certificate is None:
            return bool(wrong)
        if kind is VoteKind.NULLIFY:
            state.effects.append(Broadcast(certificate))  # F6
        self.apply(certificate, now)
        return True

    # --- certificates -------------------------------------------------------------------

    def accept(self, certificate: Certificate, now: Instant) -> None:
        """Verify a certificate from outside and apply it, unless it says nothing new. # C2"""
        state = self._state
        if certificate.view < state.finalized_view:
            return
        record = state.records.get(certificate.view)
        if record is not None and record.holds(certificate):
            return
        certificate.verify(state.chain_id, state.committee, state.verifier)
        self.apply(certificate, now)

    def apply(self, certificate: Certificate, now: Instant) -> None:
        """Take in a verified certificate: vote, move on, finalize. # C3 C4"""
        record = self._state.get_record(certificate.view)
        notice_certificate(self._state, record, certificate)
        contradiction = find_contradiction(record, certificate)
        if contradiction is not None:
            self._state.stop_signing(contradiction)
            return
        if record.holds(certificate):
            return
        record.certificates[certificate.kind] = certificate
        self._state.activity.note(certificate.signers)
        if certificate.kind is VoteKind.NOTARIZE:
            self._on_notarized(record, certificate, now)
        elif certificate.kind is VoteKind.NULLIFY:
            self._state.views_nullified += 1
        else:
            self._on_finalized(certificate)
        if certificate.view >= self._state.view:
            self.enter(certificate.view + 1, certificate, now)

    def _on_notarized(self, record: ViewRecord, certificate: Certificate, now: Instant) -> None:
        """Finalize at this moment or never; learn the header that the certificate names. # V12 C2"""
        state = self._state
        highest_view = state.own_votes.highest_view
        if state.own_votes.can_sign and rules.may_finalize(record, state.view, state.finalized_view, highest_view):
            self.cast(record, VoteKind.FINALIZE, certificate.digest, now)
        state.get_header(certificate.digest, certificate.signers, now.mono_ms)

    def _on_finalized(self, certificate: Certificate) -> None:
        given_up = sum(RecordKind.NULLIFY in passed.own for passed in self._state.records.values())
        self._state.patience.on_finalized(given_up, self._state.committee)
        self._state.finality.advance(certificate)
        for view in [view for view in self._state.records if view < self._state.finalized_view]:
            del self._state.records[view]

    # --- views --------------------------------------------------------------------------

    def enter(self, view: View, entry: Certificate | None, now: Instant) -> None:
        """Enter `view` by `entry`. # C3"""
        state = self._state
        state.view = view
        state.entry = entry
        state.clock = make_view_clock(
            view, state.finalized_view, state.committee, state.parameters, state.patience.steps, now.mono_ms
        )
        if entry is not None and state.leader != state.own_index:
            state.clock.forward_ms = now.mono_ms + state.clock.timeout_ms // 2
        if state.inclusion.is_on:
            state.inclusion.on_entered(view, state.availability.get_supported_tips())
        state.activity.on_entered()
        state.clock.is_leader_silent = state.own_votes.can_sign and state.activity.is_silent(
            state.leader, lambda vote: state.verify_vote(state.leader, vote)
        )

    def connect_finalized(self, now: Instant) -> None:
        """Hand out the finalized chain once all its headers are held. # C4"""
        state = self._state
        if state.finality.is_connected:
            return
        missing = state.finality.connect()
        if missing is not None:
            signers = state.finalization.signers if state.finalization else ()
            state.fetch.want(missing, state.exclude_self(signers), now.mono_ms)
            return
        state.fetch.drop_all()  # nobody may hold what was skipped; what is needed is wanted again at once
