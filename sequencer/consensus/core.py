"""Run one view after the other: hand each event to the part that it concerns, then bring all to rest.

Promises: `take_effects` returns effects in the order in which they must be performed, every
signature behind the record that it rests on; `take_finalized` returns each finalized header
once, by height. A peer's wrong message raises `PeerError` and changes nothing that counts.
"""

from __future__ import annotations

from sequencer.consensus import voting_rules as rules
from sequencer.consensus.availability import Availability
from sequencer.consensus.block_tree import take_linked
from sequencer.consensus.bounds import compute_bounds
from sequencer.consensus.counters import ConsensusCounters
from sequencer.consensus.finality import Anchor, FinalizedHeader
from sequencer.consensus.forwarding import ALL_VIEWS, collect_certificates, collect_hello_certificates, find_way_out
from sequencer.consensus.leading import Leading
from sequencer.consensus.own_votes import OwnVotes
from sequencer.consensus.state import FUTURE_VIEWS_MAX, AgreementState
from sequencer.consensus.suspicion import find_rivals, notice_vote
from sequencer.consensus.timeouts import ADVANCE_FACTOR
from sequencer.consensus.view_change import ViewChange
from sequencer.consensus.voting import Voting
from sequencer.crypto.signatures import Verifier
from sequencer.errors import PeerError
from sequencer.types.block import BlockHeader
from sequencer.types.committee import Committee
from sequencer.types.effects import Effect, Send
from sequencer.types.evidence import Evidence, Statement
from sequencer.types.messages import CERTIFICATES_PER_ANSWER_MAX, BlockHeaders, GetBlocks, GetCertificates
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Bounds, Digest, Height, Instant, ValidatorIndex, View, get_earliest
from sequencer.types.records import RecordKind
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind


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
        self._state = AgreementState(
            chain_id, committee, parameters, own_index, own_votes, verifier, availability, anchor
        )
        self._view_change = ViewChange(self._state)
        self._voting = Voting(self._state, self._view_change)
        self._leading = Leading(self._state, self._voting)

    # --- what the replica reads ---------------------------------------------------------

    @property
    def view(self) -> View:
        """The current view."""
        return self._state.view

    @property
    def alarm(self) -> str | None:
        """Why this node stopped signing; None while all is well. # C2"""
        return self._state.alarm

    @property
    def views_nullified(self) -> int:
        """Nullifications seen; for the statistics."""
        return self._state.views_nullified

    @property
    def counters(self) -> ConsensusCounters:
        """How often bounds were reached."""
        return self._state.counters

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of every table. # I11"""
        return compute_bounds(self._state)

    @property
    def head(self) -> BlockHeader:
        """Newest header handed out as finalized (or executed before the start)."""
        return self._state.tree.head

    def is_due(self, now: Instant) -> bool:
        """Tell whether time alone may let this node act: a proposal waits for its time, which comes early when the
        wall clock jumps, so every input tests it again; or the time to propose or to fetch has come. # V7 P4
        """
        if self._state.clock.retest_ms is not None:
            return True
        due_ms = get_earliest(self._state.clock.propose_ms, self._state.fetch.get_timer())
        return due_ms is not None and now.mono_ms >= due_ms

    @property
    def is_finalized_connected(self) -> bool:
        """Tell whether the newest finalized block and all its ancestors were handed out."""
        return self._state.finality.is_connected

    @property
    def finalized_view(self) -> View:
        """Newest view known to be finalized."""
        return self._state.finalized_view

    @property
    def finalized_digest(self) -> Digest:
        """Block of the newest finalized view."""
        return self._state.finality.digest

    @property
    def finalization(self) -> Certificate | None:
        """F certificate of the newest finalized view; None at genesis."""
        return self._state.finalization

    def get_finalizers(self) -> tuple[tuple[ValidatorIndex, ...], Height]:
        """Return who finalized the newest finalized view, and its height; 0 while its header is not held."""
        certificate, header = self.finalization, self._state.tree.get(self.finalized_digest)
        return ((), 0) if certificate is None or header is None else (certificate.signers, header.height)

    def freeze_cut(self, is_frozen: bool) -> None:
        """Propose no batches while frozen (safe halt, or delivery lags). # O1 E2"""
        self._state.is_cut_frozen = is_frozen

    def take_effects(self) -> list[Effect]:
        """Return what is to be done, once."""
        effects, self._state.effects = self._state.effects, []
        return effects

    def take_finalized(self) -> list[FinalizedHeader]:
        """Return newly finalized headers by height, once."""
        return self._state.finality.take()

    def take_suspicions(self) -> list[Evidence | Statement]:
        """Return what was noticed and nobody has verified, once. # X1-X4 X7"""
        suspicions, self._state.suspicions = self._state.suspicions, []
        return suspicions

    def find_rivals(self, statement: Statement) -> list[Statement]:
        """Return what is held here of the statement's signer and view that may exclude it."""
        return find_rivals(self._state, statement)

    def get_timer(self) -> int | None:
        """Return the monotonic millisecond at which `on_timer` must be called."""
        state, clock = self._state, self._state.clock
        closing_ms = clock.get_closing_time(state.is_proposed) if state.own_votes.can_sign else None
        return get_earliest(clock.retest_ms, clock.propose_ms, clock.forward_ms, state.fetch.get_timer(), closing_ms)

    def get_hello_certificates(self) -> tuple[Certificate, ...]:
        """Return F of the finalized view, then the newest N and Z above it, ascending. # F5"""
        state = self._state
        return collect_hello_certificates(state.records, state.finalized_view, state.finalization)

    def get_hello_votes(self) -> tuple[Vote, ...]:
        """Return the own logged votes above the finalized view. # F5"""
        return self._state.own_votes.collect_hello_votes(self._state.records, self.finalized_view)

    # --- events -------------------------------------------------------------------------

    def start(self, now: Instant) -> None:
        """Take up the log: own votes count again, timers run. # R1"""
        state = self._state
        for logged in state.own_votes.logged:
            if logged.number > state.finalized_view:
                state.get_record(logged.number).own[logged.kind] = logged.digest
        self._view_change.enter(state.view, None, now)
        if RecordKind.NULLIFY in state.record.own:
            state.clock.start_retry(now.mono_ms)
        for certificate in state.own_votes.logged_certificates:
            if certificate.view > state.finalized_view:
                self._view_change.apply(certificate, now)
        self._view_change.recount_logged(now)
        self._settle(now)

    def on_proposal(self, peer: ValidatorIndex, proposal: Proposal, now: Instant) -> None:
        """A leader proposed a block. # V2 P3"""
        state, header = self._state, proposal.header
        self._verify_epoch(header.epoch)
        state.forwarding.note_view(peer, header.view)
        if not state.finalized_view < header.view <= state.view + FUTURE_VIEWS_MAX:
            if header.view > state.view:
                state.counters.proposals_beyond_window += 1
                self._ask_certificates(peer, header.view, now)
            return
        if peer != state.committee.get_leader(header.view):
            raise PeerError(f"validator {peer} proposed in view {header.view} of another leader")
        rules.verify_proposal(proposal, state.chain_id, state.committee, state.verifier)
        state.activity.note((peer,))
        for certificate in proposal.justification:
            self._view_change.accept(certificate, now)
        if len(proposal.justification) >= state.parameters.justification_certificates_max:
            self._ask_certificates(peer, header.view - 1, now)  # P3
        self._leading.keep_proposal(proposal, now)
        self._settle(now)

    def on_vote(self, peer: ValidatorIndex, vote: Vote, now: Instant) -> bool:
        """A validator voted; its channel says who it is. Tell whether anything follows from it. # G4 C1 F3 F4"""
        self._verify_epoch(vote.epoch)
        self._state.activity.note_unverified(peer, vote)
        # Who finalizes a view holds its notarization, so it has moved on. # V12 C3
        self._state.forwarding.note_view(peer, vote.view + (vote.kind is VoteKind.FINALIZE))
        is_news = self.is_due(now)
        if vote.entry is not None and vote.entry.view + 1 > self.view:
            is_news = True
            self._view_change.accept(vote.entry, now)
        if vote.view < self.view and (vote.kind is VoteKind.NULLIFY or vote.is_resend):
            self._answer_stale(peer, vote.view, now)
            is_news = True
        if self.finalized_view < vote.view <= self.view + FUTURE_VIEWS_MAX:
            is_news |= self._view_change.count(peer, vote, now)
        elif vote.view == self.finalized_view and vote.view in self._state.records:
            notice_vote(self._state, self._state.records[vote.view], peer, vote)  # X3
        elif vote.view > self.view:
            self._state.counters.votes_beyond_window += 1
            self._ask_certificates(peer, vote.view, now)
        if is_news:
            self._settle(now)
        return is_news or bool(self._state.suspicions or self._state.effects)

    def on_certificate(self, certificate: Certificate, now: Instant) -> None:
        """A peer or the catch-up handed in a certificate; raises `PeerError` if it is wrong. # C2"""
        self._verify_epoch(certificate.epoch)
        self._view_change.accept(certificate, now)
        self._settle(now)

    def on_get_certificates(self, peer: ValidatorIndex, request: GetCertificates, now: Instant) -> None:
        """A peer lacks certificates; answer with what is held of the range, the newest finalization first. # P3"""
        state = self._state
        if not state.forwarding.may_answer(peer, ALL_VIEWS, now.mono_ms, self._retry_ms):
            return
        above = collect_certificates(state.records, max(state.finalized_view, request.low - 1), request.high)
        final = state.finalization
        if final is not None and final.view >= request.low:
            state.effects.append(Send(peer, final))
        state.effects.extend(Send(peer, certificate) for certificate in above[:CERTIFICATES_PER_ANSWER_MAX])

    def on_get_blocks(self, peer: ValidatorIndex, request: GetBlocks) -> None:
        """A peer lacks a header; answer from it downwards as far as asked and held."""
        headers = self._state.tree.collect_down(request.digest, request.count)
        if headers:
            self._state.effects.append(Send(peer, BlockHeaders(headers)))

    def on_block_headers(self, reply: BlockHeaders, now: Instant) -> None:
        """Headers came; only a chain that starts with a wanted digest is kept."""
        if reply.headers and self._state.fetch.is_wanted(reply.headers[0].digest):
            self.add_headers(take_linked(reply.headers), now)

    def add_headers(self, headers: tuple[BlockHeader, ...], now: Instant) -> None:
        """Keep headers that digests or certificates vouch for, and go on with them."""
        for header in headers:
            self._state.tree.add(header)
            self._state.fetch.on_arrived(header.digest)
        self._settle(now)

    def on_finalized_chain(self, finalization: Certificate, now: Instant) -> None:
        """Catch-up added the headers from the head up to the block that this verified finalization names. # R2"""
        self._state.finality.connect_proven(finalization)
        self._settle(now)

    def on_disconnected(self, peer: ValidatorIndex) -> None:
        """What the peer was told may be lost."""
        self._state.forwarding.forget_peer(peer)

    def on_timer(self, now: Instant) -> None:
        """A time came: give the view up, say it again, forward, fetch. # T2 T3 T4 F1"""
        state = self._state
        if state.own_votes.can_sign and now.mono_ms >= state.clock.get_closing_time(state.is_proposed):
            state.counters.leaders_skipped += state.clock.is_leader_silent and state.clock.retry_ms is None
            self._voting.give_up(state.record, now)
        if state.clock.forward_ms is not None and now.mono_ms >= state.clock.forward_ms:
            self._forward_entry()
        self._settle(now)

    def recheck(self, now: Instant) -> None:
        """Lanes, clocks or the frozen flag changed: test again what waits."""
        self._settle(now)

    # --- inside -------------------------------------------------------------------------

    def _settle(self, now: Instant) -> None:
        """Do what the state allows until the view stands still."""
        view = 0
        while view != self.view:
            view = self.view
            self._view_change.connect_finalized(now)
            self._leading.note_work(now)
            self._leading.try_propose(now)
            self._voting.try_notarize(now)
            self._voting.follow_leader(now)
        self._state.effects.extend(self._state.fetch.poll(now.mono_ms))

    def _ask_certificates(self, peer: ValidatorIndex, last_view: View, now: Instant) -> None:
        """Ask a peer for what leads up to a view that it has shown to know; once per T_RETRY. # P3 C2"""
        state = self._state
        low = state.find_unproven_view()
        if low <= last_view and state.forwarding.may_ask(peer, now.mono_ms, self._retry_ms):
            state.counters.certificates_asked += 1
            state.effects.append(Send(peer, GetCertificates(low, last_view)))

    @property
    def _retry_ms(self) -> int:
        return ADVANCE_FACTOR * self._state.parameters.view_timeout_base_ms

    def _forward_entry(self) -> None:
        """Tell the leader how we got here, unless it shows that it knows. # F1"""
        state = self._state
        state.clock.forward_ms = None
        is_informed = state.forwarding.get_peer_view(state.leader) >= state.view
        if state.entry is not None and not is_informed and not state.is_proposed:
            state.effects.append(Send(state.leader, state.entry))

    def _answer_stale(self, peer: ValidatorIndex, view: View, now: Instant) -> None:
        """Show a peer that is stuck in an old view the way out of it. # F4"""
        state = self._state
        certificate = find_way_out(state.records, view, state.finalized_view, state.finalization)
        if certificate is None:
            return
        if state.forwarding.may_answer(peer, certificate.view, now.mono_ms, self._retry_ms):
            state.effects.append(Send(peer, certificate))

    def _verify_epoch(self, epoch: int) -> None:
        if epoch != self._state.committee.epoch:
            raise PeerError(f"message is of epoch {epoch}, not {self._state.committee.epoch}")
