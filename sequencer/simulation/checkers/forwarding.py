"""Judge whether a validator tells the others what they need to go on. # F1 F3 F4 F5 F6"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sequencer.simulation.checkers.knowledge import DecisionMonitor, Mind
from sequencer.simulation.checkers.ledger import Ledger
from sequencer.types.effects import Broadcast, Effect
from sequencer.types.events import Event, MessageReceived
from sequencer.types.messages import HELLO_CERTIFICATES_MAX, HELLO_VOTES_MAX, Hello
from sequencer.types.primitives import View
from sequencer.types.records import RecordKind
from sequencer.types.vote import Certificate, Vote, VoteKind

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode

RETRY_FACTOR = 5
LEAST_WAIT_FACTOR = 3
"""A view that is given up later than this many T_BASE was not given up at once, so T/2 had passed."""


class ForwardingMonitor(DecisionMonitor):
    """Certificates reach the next leader, who is late and who connects; nullifications reach everybody."""

    def __init__(self, ledger: Ledger, validators: int) -> None:
        self._ledger = ledger
        self._parameters = ledger.genesis.parameters
        self._answered: list[dict[tuple[int, View], int]] = [{} for _ in range(validators)]
        """Per validator: when a peer was last told a certificate of a view."""

    def on_vote(self, node: SimulatedNode, mind: Mind, vote: Vote) -> None:
        """A nullify carries what let its sender in. # F3"""
        if vote.kind is not VoteKind.NULLIFY or vote.view != mind.view or not mind.is_entered_by_certificate:
            return
        if vote.entry is None or vote.entry.view != vote.view - 1:
            self._ledger.report("F3", vote.view, node.index, "nullifies without showing what let it into the view")

    def _check_leader_told(self, node: SimulatedNode, mind: Mind, effects: tuple[Effect, ...]) -> None:
        """Who gives a view up has told its leader how it got there, or knows that it needs no telling. # F1"""
        view = mind.view
        if not mind.is_entered_by_certificate or not any(_gives_up(effect, view) for effect in effects):
            return
        # With a Byzantine vote it may have entered later than the model: such a view may be given up at once. # T5
        waited_ms = node.get_instant().mono_ms - mind.sure_entered_ms if mind.sure_view == view else 0
        if waited_ms < LEAST_WAIT_FACTOR * self._parameters.view_timeout_base_ms:
            return
        leader = self._ledger.genesis.committee.get_leader(view)
        is_informed = leader == node.index or mind.peer_views.get(leader, 0) >= view or view in mind.proposals
        if not is_informed and (leader, view - 1) not in self._answered[node.index]:
            self._ledger.report("F1", view, node.index, f"gives up without telling validator {leader} how it got here")

    def on_certificate(self, node: SimulatedNode, mind: Mind, peer: int | None, certificate: Certificate) -> None:
        """Remember who was told what."""
        if peer is not None:
            self._answered[node.index][peer, certificate.view] = node.get_instant().mono_ms

    def on_hello(self, node: SimulatedNode, mind: Mind, peer: int, hello: Hello) -> None:
        """A hello carries the finalization, the newest certificates and the own votes above it. # F5"""
        report, view = self._ledger.report, hello.finalized_view
        shown = {(certificate.kind, certificate.view) for certificate in hello.certificates}
        if view != mind.installed_view and (VoteKind.FINALIZE, view) not in shown:
            report("F5", view, node.index, "says hello without the finalization of its finalized view")
        held = [key for key in mind.certain if key[1] > view and key[0] is not VoteKind.FINALIZE]
        missing = [key for key in held if key not in shown]
        if missing and len(shown) < HELLO_CERTIFICATES_MAX:
            report("F5", missing[0][1], node.index, f"says hello without the certificate {missing[0][0].name} it holds")
        said = {(RecordKind(vote.kind), vote.view) for vote in hello.votes}
        own = {key for key in mind.decided if key[1] > view and key[0] is not RecordKind.PROPOSAL}
        if (
            own - said
            and len(said) < HELLO_VOTES_MAX
            and node.replica is not None
            and node.replica.observer_reason is None
        ):
            kind, number = min(own - said)
            report("F5", number, node.index, f"says hello without the {kind.name.lower()} that it logged")

    def on_decided(self, node: SimulatedNode, mind: Mind, event: Event | None, effects: tuple[Effect, ...]) -> None:
        """Who is late is answered at once; a nullification made of votes goes to all. # F4 F6"""
        if event is None:
            self._answered[node.index] = {}
            return
        if effects:
            self._check_leader_told(node, mind, effects)
        for view in mind.assembled:
            if not any(_shows(effect, VoteKind.NULLIFY, view) for effect in effects):
                self._ledger.report("F6", view, node.index, "keeps a nullification that it made of votes to itself")
        if isinstance(event, MessageReceived) and isinstance(event.message, Vote):
            vote = event.message
            if vote.view < mind.view_before and (vote.is_resend or vote.kind is VoteKind.NULLIFY):
                self._check_answer(node, mind, event.peer, vote)

    def _check_answer(self, node: SimulatedNode, mind: Mind, peer: int, vote: Vote) -> None:
        view = vote.view
        if peer in self._ledger.faulty:
            return
        if view <= mind.finalized_before:
            keys = [(VoteKind.FINALIZE, mind.finalized_before)]
        else:
            keys = [key for key in ((VoteKind.NOTARIZE, view), (VoteKind.NULLIFY, view)) if mind.held_before(*key)][:1]
        if not keys or not mind.held_before(*keys[0]):
            return
        now_ms, retry_ms = node.get_instant().mono_ms, RETRY_FACTOR * self._parameters.view_timeout_base_ms
        told = self._answered[node.index].items()
        if not any(p == peer and w >= view and now_ms - told_ms < retry_ms for (p, w), told_ms in told):
            self._ledger.report("F4", view, node.index, f"leaves validator {peer}, which is late, without an answer")


def _shows(effect: Effect, kind: VoteKind, view: View) -> bool:
    if not isinstance(effect, Broadcast) or not isinstance(effect.message, Certificate):
        return False
    return effect.message.kind is kind and effect.message.view == view


def _gives_up(effect: Effect, view: View) -> bool:
    if not isinstance(effect, Broadcast) or not isinstance(effect.message, Vote):
        return False
    return effect.message.kind is VoteKind.NULLIFY and effect.message.view == view and not effect.message.is_resend
