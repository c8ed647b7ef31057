"""Run one view after the other: what each event changes and what it sends.

Promises: `take_effects` returns effects in the order in which they must be performed, every
signature behind the record that it rests on; `take_finalized` returns each finalized header
once, by height. A peer's wrong message raises `PeerError` and changes nothing that counts.
"""

from __future__ import annotations

from sequencer.consensus import voting_rules as rules
from sequencer.consensus.availability import Availability
from sequencer.consensus.block_tree import take_linked
from sequencer.consensus.finality import Anchor, Finality, FinalizedHeader
from sequencer.consensus.forwarding import (
    Forwarding,
    collect_certificates,
    collect_hello_certificates,
    find_way_out,
)
from sequencer.consensus.header_fetch import HeaderFetch
from sequencer.consensus.own_votes import OwnVotes, attach_entry
from sequencer.consensus.proposer import Parent, choose_parent, compute_proposal_time, make_header
from sequencer.consensus.timeouts import ADVANCE_FACTOR, Patience
from sequencer.consensus.view_clock import make_view_clock
from sequencer.consensus.view_record import ViewRecord, find_contradiction
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.crypto.signatures import Verifier
from sequencer.errors import PeerError
from sequencer.types.block import BlockHeader
from sequencer.types.committee import Committee
from sequencer.types.effects import BanPeer, Broadcast, Effect, RaiseAlarm, Send
from sequencer.types.messages import BlockHeaders, GetBlocks
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Digest, Instant, ValidatorIndex, View
from sequencer.types.records import RecordKind
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind

FUTURE_VIEWS_MAX = 16
"""Votes and proposals are kept for views up to this far ahead; a certificate may lead further."""


class Consensus:
    """One validator's (or follower's) view of the agreement in one epoch."""

    def __init__(
        self,
        chain_id: Digest,
        committee: Committee,
        parameters: Parameters,
        own_index: ValidatorIndex | None,
        own_votes: OwnVotes,
        verifier: Verifier,
        availability: Availability,
        anchor: Anchor,
    ) -> None:
        self._chain_id = chain_id
        self._committee = committee
        self._parameters = parameters
        self._own_index = own_index
        self._own_votes = own_votes
        self._verifier = verifier
        self._availability = availability
        self._finality = Finality(anchor)
        self._tree = self._finality.tree
        self._fetch = HeaderFetch(parameters.fetch_retry_ms)
        self._forwarding = Forwarding()
        self._patience = Patience()
        self._records: dict[View, ViewRecord] = {}
        self._effects: list[Effect] = []
        self.view: View = max(self.finalized_view + 1, own_votes.highest_view)
        self.is_cut_frozen = False
        """Set by the replica: propose no batches (safe halt, or delivery lags). # O1"""
        self.alarm: str | None = None
        """Why this node stopped signing: more than F validators are faulty. # C2"""
        self.views_nullified = 0
        """Nullifications seen; for the statistics."""
        self._entry: Certificate | None = None
        self._clock = make_view_clock(self.view, self.finalized_view, committee, parameters, 0, 0)

    # --- what the replica reads ---------------------------------------------------------

    @property
    def head(self) -> BlockHeader:
        """Newest header handed out as finalized (or executed before the start)."""
        return self._tree.head

    @property
    def is_finalized_connected(self) -> bool:
        """Tell whether the newest finalized block and all its ancestors were handed out."""
        return self._finality.is_connected

    @property
    def finalized_view(self) -> View:
        """Newest view known to be finalized."""
        return self._finality.view

    @property
    def finalized_digest(self) -> Digest:
        """Block of the newest finalized view."""
        return self._finality.digest

    @property
    def finalization(self) -> Certificate | None:
        """F certificate of the newest finalized view; None at genesis."""
        return self._finality.certificate

    def take_effects(self) -> list[Effect]:
        """Return what is to be done, once."""
        effects, self._effects = self._effects, []
        return effects

    def take_finalized(self) -> list[FinalizedHeader]:
        """Return newly finalized headers by height, once."""
        return self._finality.take()

    def get_timer(self) -> int | None:
        """Return the monotonic millisecond at which `on_timer` must be called."""
        clock = self._clock
        deadlines = [clock.retest_ms, clock.propose_ms, clock.forward_ms, self._fetch.get_timer()]
        if self._own_votes.can_sign:
            deadlines.append(clock.get_closing_time(self._is_proposed))
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def get_hello_certificates(self) -> tuple[Certificate, ...]:
        """Return F of the finalized view, then the newest N and Z above it, ascending. # F5"""
        return collect_hello_certificates(self._records, self.finalized_view, self.finalization)

    def get_hello_votes(self) -> tuple[Vote, ...]:
        """Return the own logged votes above the finalized view. # F5"""
        return self._own_votes.collect_hello_votes(self._records, self.finalized_view)

    # --- events -------------------------------------------------------------------------

    def start(self, now: Instant) -> None:
        """Take up the log: own votes count again, timers run. # R1"""
        for logged in self._own_votes.logged:
            if logged.number > self.finalized_view:
                self._get_record(logged.number).own[logged.kind] = logged.digest
        self._enter(self.view, None, now)
        if RecordKind.NULLIFY in self._get_record(self.view).own:
            self._clock.start_retry(now.mono_ms)
        for certificate in self._own_votes.logged_certificates:
            if certificate.view > self.finalized_view:
                self._apply_certificate(certificate, now)
        self._count_logged_votes(now)
        self._settle(now)

    def _count_logged_votes(self, now: Instant) -> None:
        """Own votes from before the start count again. # R1 F5"""
        if not self._own_votes.can_sign or self._own_index is None:
            return
        for record in list(self._records.values()):
            for vote in self._own_votes.resign(record):
                record.add_vote(self._own_index, vote, is_verified=True)
                self._try_certify(record, vote.kind, vote.digest, now)

    def on_proposal(self, peer: ValidatorIndex, proposal: Proposal, now: Instant) -> None:
        """A leader proposed a block. # V2 P3"""
        header = proposal.header
        self._verify_epoch(header.epoch)
        self._forwarding.note_view(peer, header.view)
        if not self.finalized_view < header.view <= self.view + FUTURE_VIEWS_MAX:
            return
        if peer != self._committee.get_leader(header.view):
            raise PeerError(f"validator {peer} proposed in view {header.view} of another leader")
        rules.verify_proposal(proposal, self._chain_id, self._committee, self._verifier)
        for certificate in proposal.justification:
            self._accept_certificate(certificate, now)
        self._keep_proposal(proposal, now)
        self._settle(now)

    def on_vote(self, peer: ValidatorIndex, vote: Vote, now: Instant) -> None:
        """A validator voted; its channel says who it is. # G4 C1 F3 F4"""
        self._verify_epoch(vote.epoch)
        # Who finalizes a view holds its notarization, so it has moved on. # V12 C3
        self._forwarding.note_view(peer, vote.view + (vote.kind is VoteKind.FINALIZE))
        if vote.entry is not None and vote.entry.view + 1 > self.view:
            self._accept_certificate(vote.entry, now)
        if vote.view < self.view and (vote.kind is VoteKind.NULLIFY or vote.is_resend):
            self._answer_stale(peer, vote.view, now)
        if self.finalized_view < vote.view <= self.view + FUTURE_VIEWS_MAX:
            self._count_vote(peer, vote, now)
        self._settle(now)

    def on_certificate(self, certificate: Certificate, now: Instant) -> None:
        """A peer or the catch-up handed in a certificate; raises `PeerError` if it is wrong. # C2"""
        self._verify_epoch(certificate.epoch)
        self._accept_certificate(certificate, now)
        self._settle(now)

    def on_get_blocks(self, peer: ValidatorIndex, request: GetBlocks) -> None:
        """A peer lacks a header; answer from it downwards as far as asked and held."""
        headers = self._tree.collect_down(request.digest, request.count)
        if headers:
            self._effects.append(Send(peer, BlockHeaders(headers)))

    def on_block_headers(self, reply: BlockHeaders, now: Instant) -> None:
        """Headers came; only a chain that starts with a wanted digest is kept."""
        if reply.headers and self._fetch.is_wanted(reply.headers[0].digest):
            self.add_headers(take_linked(reply.headers), now)

    def add_headers(self, headers: tuple[BlockHeader, ...], now: Instant) -> None:
        """Keep headers that digests or certificates vouch for, and go on with them."""
        for header in headers:
            self._tree.add(header)
            self._fetch.on_arrived(header.digest)
        self._settle(now)

    def on_disconnected(self, peer: ValidatorIndex) -> None:
        """What the peer was told may be lost."""
        self._forwarding.forget_peer(peer)

    def on_timer(self, now: Instant) -> None:
        """A time came: give the view up, say it again, forward, fetch. # T2 T3 T4 F1"""
        record = self._get_record(self.view)
        if self._own_votes.can_sign and now.mono_ms >= self._clock.get_closing_time(self._is_proposed):
            self._give_up(record, now)
        if self._clock.forward_ms is not None and now.mono_ms >= self._clock.forward_ms:
            self._forward_entry()
        self._settle(now)

    def recheck(self, now: Instant) -> None:
        """Lanes, clocks or the frozen flag changed: test again what waits."""
        self._settle(now)

    # --- the loop that brings everything to rest ----------------------------------------

    def _settle(self, now: Instant) -> None:
        view = 0
        while view != self.view:
            view = self.view
            self._connect_finalized(now)
            self._note_work(now)
            self._try_propose(now)
            self._try_notarize(now)
            self._follow_leader(now)
        self._effects.extend(self._fetch.poll(now.mono_ms))

    def _enter(self, view: View, entry: Certificate | None, now: Instant) -> None:
        """Enter `view` by `entry`. # C3"""
        self.view = view
        self._entry = entry
        self._clock = make_view_clock(
            view, self.finalized_view, self._committee, self._parameters, self._patience.steps, now.mono_ms
        )
        if entry is not None and self._committee.get_leader(view) != self._own_index:
            self._clock.forward_ms = now.mono_ms + self._clock.timeout_ms // 2

    def _note_work(self, now: Instant) -> None:
        """Remember since when a leader could have ordered something; timeouts run from there. # T2"""
        if self._clock.work_since_ms is not None or self._is_proposed or self.is_cut_frozen:
            return
        parent = self._choose_parent()
        header = None if parent is None else self._tree.get(parent.digest)
        cut = (header or self._tree.head).cut
        if self._availability.get_proposable_cut(cut, self._parameters.lane_advance_max, None) != cut:
            self._clock.work_since_ms = now.mono_ms

    # --- leading ------------------------------------------------------------------------

    def _try_propose(self, now: Instant) -> None:
        """Propose as soon as this leader may and its time has come. # P1 P2 P4 P5"""
        record = self._get_record(self.view)
        self._clock.propose_ms = None
        is_leader = self._own_votes.can_sign and self._committee.get_leader(self.view) == self._own_index
        if not is_leader or not rules.may_propose(record, self._own_votes.highest_view):
            return
        parent = self._choose_parent()
        header = None if parent is None else self._tree.get(parent.digest)
        if parent is None or header is None:
            self._wait_for_parent(record, parent, now)
            return
        cut = header.cut
        if not self.is_cut_frozen:
            cut = self._availability.get_proposable_cut(cut, self._parameters.lane_advance_max, self._own_index)
        received_ms = self._get_record(parent.view).proposal_received_ms
        due_ms = compute_proposal_time(cut != header.cut, received_ms, self._clock.entered_ms, self._parameters)
        if now.mono_ms < due_ms:
            self._clock.propose_ms = due_ms
        else:
            self._propose(record, parent, make_header(header, cut, parent, self.view, now), now)

    def _wait_for_parent(self, record: ViewRecord, parent: Parent | None, now: Instant) -> None:
        """Give what is missing one message delay to come; then say that there will be no proposal. # P1 P6"""
        if parent is not None:
            self._fetch.want(parent.digest, self._exclude_self(tuple(range(self._committee.size))), now.mono_ms)
        self._clock.propose_ms = self._clock.entered_ms + self._clock.timeout_ms
        if now.mono_ms >= self._clock.propose_ms:
            self._clock.propose_ms = None
            self._give_up(record, now)

    def _propose(self, record: ViewRecord, parent: Parent, header: BlockHeader, now: Instant) -> None:
        grounds = collect_certificates(self._records, self.finalized_view, record.view - 1)
        signature = self._own_votes.sign_proposal(record, header, self._effects, grounds)
        justification = parent.justification[: self._parameters.justification_certificates_max]
        proposal = Proposal(header, justification, signature)
        self._effects.append(Broadcast(proposal))
        self._keep_proposal(proposal, now)

    def _choose_parent(self) -> Parent | None:
        return choose_parent(
            self.view, self.finalized_view, self.finalized_digest, self.finalization, self._records.get
        )

    def _keep_proposal(self, proposal: Proposal, now: Instant) -> None:
        """Consider the first valid proposal of a view; a second one changes no vote. # V2"""
        if proposal.header.view <= self.finalized_view:
            return
        record = self._get_record(proposal.header.view)
        if record.proposal is None:
            record.proposal = proposal
            record.proposal_received_ms = now.mono_ms
            self._tree.add(proposal.header)
            self._fetch.on_arrived(proposal.header.digest)

    def _try_notarize(self, now: Instant) -> None:
        """Notarize the proposal of the current view iff all of V1-V9 hold. # V1 V10"""
        record = self._get_record(self.view)
        self._clock.retest_ms = None
        if record.proposal is None or not self._own_votes.can_sign:
            return
        if not rules.may_notarize(record, self.view, self.finalized_view, self._own_votes.highest_view):
            return
        header = record.proposal.header
        verdict = self._check_proposal(header, now)
        if isinstance(verdict, rules.Accept):
            self._cast(record, VoteKind.NOTARIZE, header.digest, now, header)
        elif isinstance(verdict, rules.Refuse):
            if self._clock.retry_ms is None:
                self._give_up(record, now)
        else:
            self._clock.retest_ms = verdict.retest_ms
            self._fetch_batches(header, verdict, now)

    def _check_proposal(self, header: BlockHeader, now: Instant) -> rules.Verdict:
        """Apply V3-V9 in order; the first that does not accept decides."""
        verdict = rules.check_parent_certified(header, self.finalized_view, self.finalized_digest, self._records.get)
        if not isinstance(verdict, rules.Accept):
            return verdict
        parent = self._tree.get(header.parent_digest)
        if parent is None:
            self._fetch.want(header.parent_digest, self._exclude_self(tuple(range(self._committee.size))), now.mono_ms)
            return rules.Wait("header of the parent")  # V4
        return rules.check_against_parent(header, parent, self._parameters, self._availability, now)

    def _fetch_batches(self, header: BlockHeader, verdict: rules.Wait, now: Instant) -> None:
        """Ask owner and leader for the batches that block the vote. # L6"""
        leader = self._committee.get_leader(header.view)
        for lane, floor in verdict.missing_batches:
            sources = self._exclude_self(tuple(dict.fromkeys((lane, leader))))
            self._availability.fetch(lane, header.cut[lane], floor, sources, now.mono_ms)

    def _cast(
        self, record: ViewRecord, kind: VoteKind, digest: Digest, now: Instant, header: BlockHeader | None = None
    ) -> None:
        """Log, send and count an own vote. # V10 V11 V12"""
        last_ground = record.view if kind is VoteKind.FINALIZE else record.view - 1
        grounds = collect_certificates(self._records, self.finalized_view, last_ground)
        vote = self._own_votes.cast(record, kind, digest, self._effects, header, grounds)
        sent = attach_entry(vote, self._entry, is_resend=False) if kind is VoteKind.NULLIFY else vote
        self._effects.append(Broadcast(sent))
        assert self._own_index is not None  # whoever can sign has an index
        record.add_vote(self._own_index, vote, is_verified=True)
        self._try_certify(record, kind, digest, now)

    def _give_up(self, record: ViewRecord, now: Instant) -> None:
        """Nullify the current view, or repeat the finalize that forbids it. # V11"""
        self._clock.start_retry(now.mono_ms)
        if rules.may_nullify(record, self.view, self.finalized_view, self._own_votes.highest_view):
            self._cast(record, VoteKind.NULLIFY, ZERO_DIGEST, now)
        else:
            self._repeat(record, now)

    def _repeat(self, record: ViewRecord, now: Instant) -> None:
        """Send the vote that closes this view once more. # V11 T4"""
        self._clock.start_retry(now.mono_ms)
        for kind in (VoteKind.FINALIZE, VoteKind.NULLIFY):
            if RecordKind(kind) in record.own:
                vote = self._own_votes.sign_vote(record.view, kind, record.own[RecordKind(kind)])
                entry = self._entry if kind is VoteKind.NULLIFY else None
                self._effects.append(Broadcast(attach_entry(vote, entry, is_resend=True)))
                return

    def _count_vote(self, peer: ValidatorIndex, vote: Vote, now: Instant) -> None:
        record = self._get_record(vote.view)
        if record.get_certificate(vote.kind) is not None or not record.add_vote(peer, vote, is_verified=False):
            return
        self._try_certify(record, vote.kind, vote.digest, now)

    def _follow_leader(self, now: Instant) -> None:
        """A leader that nullifies its own view will not be waited for. # V11"""
        record, leader = self._get_record(self.view), self._committee.get_leader(self.view)
        is_given_up = not self._own_votes.can_sign or self._clock.retry_ms is not None
        if is_given_up or not record.has_vote(leader, VoteKind.NULLIFY, ZERO_DIGEST):
            return
        if record.verify_vote(leader, VoteKind.NULLIFY, ZERO_DIGEST, self._chain_id, self._committee, self._verifier):
            self._give_up(record, now)
        else:
            self._effects.append(BanPeer(leader, f"wrong signature on a nullify of view {self.view}"))

    def _try_certify(self, record: ViewRecord, kind: VoteKind, digest: Digest, now: Instant) -> None:
        certificate, wrong = record.assemble(kind, digest, self._chain_id, self._committee, self._verifier)
        self._effects.extend(BanPeer(signer, f"wrong signature on a vote of view {record.view}") for signer in wrong)
        if certificate is None:
            return
        if kind is VoteKind.NULLIFY:
            self._effects.append(Broadcast(certificate))  # F6
        self._apply_certificate(certificate, now)

    # --- certificates -------------------------------------------------------------------

    def _accept_certificate(self, certificate: Certificate, now: Instant) -> None:
        """Verify a certificate from outside and apply it, unless it says nothing new. # C2"""
        if certificate.view < self.finalized_view:
            return
        record = self._records.get(certificate.view)
        if record is not None and record.holds(certificate):
            return
        certificate.verify(self._chain_id, self._committee, self._verifier)
        self._apply_certificate(certificate, now)

    def _apply_certificate(self, certificate: Certificate, now: Instant) -> None:
        """Take in a verified certificate: vote, move on, finalize. # C3 C4"""
        record = self._get_record(certificate.view)
        contradiction = find_contradiction(record, certificate)
        if contradiction is not None:
            self._stop_signing(contradiction)
            return
        if record.holds(certificate):
            return
        record.certificates[certificate.kind] = certificate
        if certificate.kind is VoteKind.NOTARIZE:
            self._on_notarized(record, certificate, now)
        elif certificate.kind is VoteKind.NULLIFY:
            self.views_nullified += 1
        else:
            given_up = sum(RecordKind.NULLIFY in passed.own for passed in self._records.values())
            self._patience.on_finalized(given_up, self._committee)
            self._finality.advance(certificate)
        if certificate.view >= self.view:
            self._enter(certificate.view + 1, certificate, now)

    def _on_notarized(self, record: ViewRecord, certificate: Certificate, now: Instant) -> None:
        """Finalize at this moment or never; learn the header that the certificate names. # V12 C2"""
        if self._own_votes.can_sign and rules.may_finalize(
            record, self.view, self.finalized_view, self._own_votes.highest_view
        ):
            self._cast(record, VoteKind.FINALIZE, certificate.digest, now)
        if self._tree.get(certificate.digest) is None:
            self._fetch.want(certificate.digest, self._exclude_self(certificate.signers), now.mono_ms)

    def _connect_finalized(self, now: Instant) -> None:
        """Hand out the finalized chain once all its headers are held, and forget what is below it. # C4"""
        if self._finality.is_connected:
            return
        missing = self._finality.connect()
        if missing is not None:
            signers = self.finalization.signers if self.finalization else ()
            self._fetch.want(missing, self._exclude_self(signers), now.mono_ms)
            return
        self._fetch.drop_all()  # nobody may hold what was skipped; what is needed is wanted again at once
        for view in [view for view in self._records if view < self.finalized_view]:
            del self._records[view]

    def _stop_signing(self, reason: str) -> None:
        """More than F validators are faulty: sign nothing more and say so. # C2"""
        if self.alarm is None:
            self.alarm = reason
            self._own_votes.stop()
            self._effects.append(RaiseAlarm(reason))

    def _forward_entry(self) -> None:
        """Tell the leader how we got here, unless it shows that it knows. # F1"""
        self._clock.forward_ms = None
        leader = self._committee.get_leader(self.view)
        is_informed = self._forwarding.get_peer_view(leader) >= self.view
        if self._entry is not None and not is_informed and not self._is_proposed:
            self._effects.append(Send(leader, self._entry))

    def _answer_stale(self, peer: ValidatorIndex, view: View, now: Instant) -> None:
        """Show a peer that is stuck in an old view the way out of it. # F4"""
        certificate = find_way_out(self._records, view, self.finalized_view, self.finalization)
        retry_ms = ADVANCE_FACTOR * self._parameters.view_timeout_base_ms
        if certificate is not None and self._forwarding.may_answer(peer, certificate.view, now.mono_ms, retry_ms):
            self._effects.append(Send(peer, certificate))

    @property
    def _is_proposed(self) -> bool:
        return self._get_record(self.view).proposal is not None

    def _get_record(self, view: View) -> ViewRecord:
        return self._records.setdefault(view, ViewRecord(view))

    def _verify_epoch(self, epoch: int) -> None:
        if epoch != self._committee.epoch:
            raise PeerError(f"message is of epoch {epoch}, not {self._committee.epoch}")

    def _exclude_self(self, peers: tuple[ValidatorIndex, ...]) -> tuple[ValidatorIndex, ...]:
        return tuple(peer for peer in peers if peer != self._own_index)
