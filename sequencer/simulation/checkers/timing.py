"""Judge when a validator gives up a view, and how often it says so. # T1 T2 T3 T4 T5"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.simulation.checkers.knowledge import DecisionMonitor, Mind
from sequencer.simulation.checkers.ledger import Ledger
from sequencer.types.primitives import View
from sequencer.types.vote import Vote, VoteKind

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode

PROPOSAL_FACTOR, ADVANCE_FACTOR, RETRY_FACTOR = 3, 5, 5


class TimeMonitor(DecisionMonitor):
    """A view is given up for a reason, or after the time that the rules leave it; a vote is repeated in good time."""

    def __init__(self, ledger: Ledger, validators: int) -> None:
        self._ledger = ledger
        self._committee = ledger.genesis.committee
        self._parameters = ledger.genesis.parameters
        self._leader_gap = max(1, self._committee.leader_gap_max)
        self._said: list[tuple[View, int]] = [(0, 0)] * validators
        """Per validator: the newest view that it closed, and when it said so last."""

    def on_vote(self, node: SimulatedNode, mind: Mind, vote: Vote) -> None:
        """Check nullify votes, and whatever is repeated."""
        now_ms = node.get_instant().mono_ms
        if vote.is_resend:
            self._check_repetition(node.index, mind, vote, now_ms)
        elif vote.kind is VoteKind.NULLIFY:
            self._check_patience(node.index, mind, vote, now_ms - mind.entered_ms)
        if vote.is_resend or vote.kind is VoteKind.NULLIFY:
            self._said[node.index] = (vote.view, now_ms)

    def compute_view_time(self, mind: Mind, view: View) -> int:
        """Return the least T that the rules allow: patience may make it longer. # T1"""
        k = view - 1 - mind.finalized_view
        exponent = min(max(0, k - 2) // (self._leader_gap + 1), 40)
        grown_ms = self._parameters.view_timeout_base_ms * int(3**exponent) // (1 << exponent)
        return min(grown_ms, self._parameters.view_timeout_max_ms)

    def _check_repetition(self, node: int, mind: Mind, vote: Vote, now_ms: int) -> None:
        view, said_ms = self._said[node]
        entered_ms = mind.entered_ms if mind.view == view else 0  # a Byzantine vote may lead the model ahead
        least_ms = max(said_ms, entered_ms) + RETRY_FACTOR * self._parameters.view_timeout_base_ms
        if view == vote.view and now_ms < least_ms:
            self._ledger.report("T4", view, node, f"repeats its vote {least_ms - now_ms} ms too soon")

    def _check_patience(self, node: int, mind: Mind, vote: Vote, waited_ms: int) -> None:
        view = vote.view
        if view != mind.view or self._is_excused(node, mind, view, waited_ms):
            return
        is_proposed = view in mind.proposals
        factor = ADVANCE_FACTOR if is_proposed else PROPOSAL_FACTOR
        if waited_ms < factor * self._parameters.view_timeout_base_ms:
            is_at_once = waited_ms < self._parameters.view_timeout_base_ms
            rule = "T3" if is_proposed else "T5" if is_at_once else "T2"
            self._ledger.report(rule, view, node, f"gives the view up after {waited_ms} ms, less than {factor} T")
        elif waited_ms < factor * self.compute_view_time(mind, view):
            self._ledger.report("T1", view, node, f"gives the view up after {waited_ms} ms: T does not grow")

    def _is_excused(self, node: int, mind: Mind, view: View, waited_ms: int) -> bool:
        """The leader gave up itself, could not build, is silent, or its proposal can never be accepted. # V11 P6 T5"""
        leader = self._committee.get_leader(view)
        if leader == node:
            return waited_ms >= self._parameters.view_timeout_base_ms
        if leader in mind.votes.get((VoteKind.NULLIFY, view, ZERO_DIGEST), ()):
            return True
        proposed = mind.proposals.get(view)
        if proposed is None:  # nobody waits for who was not heard for n views # T5
            silence = mind.views_entered - mind.heard_at_entry.get(leader, 0)
            return leader in self._ledger.faulty or silence >= self._committee.size
        return leader in self._ledger.faulty or proposed[0].header.parent_view <= mind.finalized_view
