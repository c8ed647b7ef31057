"""Lead a view: choose what to build on and what to order, and propose it once. # P1-P6"""

from __future__ import annotations

from sequencer.consensus import voting_rules as rules
from sequencer.consensus.forwarding import collect_certificates
from sequencer.consensus.proposer import Parent, choose_parent, compute_proposal_time, make_header
from sequencer.consensus.state import AgreementState
from sequencer.consensus.suspicion import notice_proposal
from sequencer.consensus.view_record import ViewRecord
from sequencer.consensus.voting import Voting
from sequencer.types.block import BlockHeader
from sequencer.types.effects import Broadcast
from sequencer.types.primitives import Instant
from sequencer.types.vote import Proposal


class Leading:
    """What this validator does with the views that it leads, and the proposals of all views."""

    def __init__(self, state: AgreementState, voting: Voting) -> None:
        self._state = state
        self._voting = voting

    def keep_proposal(self, proposal: Proposal, now: Instant) -> None:
        """Consider the first valid proposal of a view; a second one changes no vote. # V2"""
        state = self._state
        if proposal.header.view <= state.finalized_view:
            return
        record = state.get_record(proposal.header.view)
        notice_proposal(state, record, proposal)
        if record.proposal is None:
            record.proposal = proposal
            record.proposal_received_ms = now.mono_ms
            state.tree.add(proposal.header)
            state.fetch.on_arrived(proposal.header.digest)
        else:
            state.counters.proposals_surplus += 1

    def note_work(self, now: Instant) -> None:
        """Remember since when a leader could have ordered something; timeouts run from there. # T2 T3"""
        clock = self._state.clock
        if clock.work_since_ms is None and (self._state.is_proposed or self._is_work_known()):
            clock.work_since_ms = now.mono_ms

    def _is_work_known(self) -> bool:
        """Tell whether a leader that knows what this node knows would order something."""
        state = self._state
        if state.is_cut_frozen:
            return False
        parent = self._choose_parent()
        header = None if parent is None else state.tree.get(parent.digest)
        cut = (header or state.tree.head).cut
        return state.availability.get_supported_cut(cut, (1,) * len(cut)) != cut

    def try_propose(self, now: Instant) -> None:
        """Propose as soon as this leader may and its time has come. # P1 P2 P4 P5"""
        state, record = self._state, self._state.record
        state.clock.propose_ms = None
        is_leader = state.own_votes.can_sign and state.leader == state.own_index
        if not is_leader or not rules.may_propose(record, state.own_votes.highest_view):
            return
        parent = self._choose_parent()
        header = None if parent is None else state.tree.get(parent.digest)
        if parent is None or header is None:
            self._wait_for_parent(record, parent, now)
        else:
            self._propose_in_time(record, parent, header, now)

    def _propose_in_time(self, record: ViewRecord, parent: Parent, parent_header: BlockHeader, now: Instant) -> None:
        """Propose now, or note when. # P2 P4"""
        state, cut = self._state, parent_header.cut
        if not state.is_cut_frozen:
            limits = state.availability.get_lane_limits(parent_header.height).leading
            if not state.is_calm:
                limits = (1,) * len(limits)  # votable for those, too, who have not executed what L9 reads
            cut = state.availability.get_proposable_cut(cut, limits, state.is_calm, now.mono_ms)
        received_ms = state.get_record(parent.view).proposal_received_ms
        is_advanced = cut != parent_header.cut
        due_ms = compute_proposal_time(is_advanced, received_ms, state.clock.entered_ms, state.parameters)
        if not is_advanced and not state.is_cut_frozen and state.availability.is_more_held_elsewhere(cut):
            # The others see work, so they wait 3 T for this proposal and not T_IDLE. # T2 P4
            due_ms = min(due_ms, state.clock.entered_ms + state.clock.timeout_ms)
        if now.mono_ms < due_ms:
            state.clock.propose_ms = due_ms
        else:
            self._propose(record, parent, make_header(parent_header, cut, parent, state.view, now), now)

    def _wait_for_parent(self, record: ViewRecord, parent: Parent | None, now: Instant) -> None:
        """Give what is missing one message delay to come; then say that there will be no proposal. # P1 P6"""
        state = self._state
        if parent is not None:
            state.get_header(parent.digest, range(state.committee.size), now.mono_ms)
        state.clock.propose_ms = state.clock.entered_ms + state.clock.timeout_ms
        if now.mono_ms >= state.clock.propose_ms:
            state.clock.propose_ms = None
            self._voting.give_up(record, now)

    def _propose(self, record: ViewRecord, parent: Parent, header: BlockHeader, now: Instant) -> None:
        state = self._state
        grounds = collect_certificates(state.records, state.finalized_view, record.view - 1)
        signature = state.own_votes.sign_proposal(record, header, state.effects, grounds)
        justification = parent.justification[: state.parameters.justification_certificates_max]
        proposal = Proposal(header, justification, signature)
        state.effects.append(Broadcast(proposal))
        self.keep_proposal(proposal, now)
        self.note_work(now)

    def _choose_parent(self) -> Parent | None:
        state = self._state
        return choose_parent(
            state.view, state.finalized_view, state.finality.digest, state.finalization, state.records.get
        )
