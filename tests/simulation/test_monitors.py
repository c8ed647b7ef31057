"""A monitor that judges decisions knows what a validator holds, and what it may hold."""

from __future__ import annotations

import pytest

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.simulation.checkers.forwarding import ForwardingMonitor
from sequencer.simulation.checkers.knowledge import Knowledge
from sequencer.simulation.node import SimulatedNode
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import run_seed
from sequencer.types.effects import Broadcast, Effect
from sequencer.types.events import Event, MessageReceived, TimerFired
from sequencer.types.primitives import Digest
from sequencer.types.vote import Certificate, Vote, VoteKind
from tests.simulation.scenes import Scene

A = bytes([1]) * 32
LIAR = 3


def make_watched_scene() -> Scene:
    """Return a scene in which validator 0 runs, 3 is Byzantine, and F1-F6 are watched."""
    scene = Scene()
    scene.ledger.faulty.add(LIAR)
    knowledge = Knowledge(scene.ledger, 4)
    knowledge.ask(ForwardingMonitor(scene.ledger, 4))
    scene.observers.add(knowledge)
    scene.nodes[0].boot()
    return scene


def tell(scene: Scene, peer: int, kind: VoteKind, view: int, digest: Digest = ZERO_DIGEST) -> None:
    """Let validator 0 handle a vote of `peer`, or cast it itself, and do nothing else."""
    vote = Vote(kind, 0, view, digest, bytes(64))
    event, effects = (None, (Broadcast(vote),)) if peer == 0 else (MessageReceived(peer, vote), ())
    scene.observers.on_handled(scene.nodes[0], event, effects)


def give_up(scene: Scene, view: int) -> None:
    """Let validator 0 nullify a view that a notarization let it into."""
    entry = Certificate(VoteKind.NOTARIZE, 0, view - 1, A, (), ())
    vote = Vote(VoteKind.NULLIFY, 0, view, ZERO_DIGEST, bytes(64), entry=entry)
    scene.observers.on_handled(scene.nodes[0], TimerFired(), (Broadcast(vote),))


def wait(scene: Scene) -> None:
    """Let longer than any view lasts go by."""
    scene.scheduler.run_until(60_000_000)


def find_view_of_another(scene: Scene) -> int:
    """Return the first view above 1 that validator 0 does not lead."""
    return next(view for view in range(2, 9) if scene.genesis.committee.get_leader(view) != 0)


def test_forwarding_monitor_leader_left_untold_is_reported() -> None:
    """F1: a view lasts its time, and its leader was never shown what led there."""
    scene = make_watched_scene()
    view = find_view_of_another(scene)
    for peer in (0, 1, 2):
        tell(scene, peer, VoteKind.NOTARIZE, view - 1, A)
    wait(scene)
    give_up(scene, view)
    assert scene.rules == ["F1"]


def test_forwarding_monitor_view_given_up_at_once_after_a_byzantine_vote_may_be_untold() -> None:
    """T5: who did not count the Byzantine vote enters later than it might have, and may give up at once. # F1"""
    scene = make_watched_scene()
    view = find_view_of_another(scene)
    for peer in (0, 1, LIAR):
        tell(scene, peer, VoteKind.NOTARIZE, view - 1, A)
    wait(scene)
    tell(scene, 2, VoteKind.NOTARIZE, view - 1, A)
    give_up(scene, view)
    assert scene.rules == []


def test_forwarding_monitor_nullification_kept_is_reported() -> None:
    """F6: three correct validators nullify, and who counts it says nothing."""
    scene = make_watched_scene()
    for peer in (0, 1, 2):
        tell(scene, peer, VoteKind.NULLIFY, 1)
    assert scene.rules == ["F6"]


def test_forwarding_monitor_late_nullify_below_a_finalized_view_is_no_nullification() -> None:
    """C4: who may have finalized a higher view, if with a Byzantine vote, need not count a late nullify. # F6"""
    scene = make_watched_scene()
    for peer in (0, 1):
        tell(scene, peer, VoteKind.NULLIFY, 1)
    for peer in (0, 1, LIAR):
        tell(scene, peer, VoteKind.FINALIZE, 2, A)
    tell(scene, 2, VoteKind.NULLIFY, 1)
    assert scene.rules == []


def test_knowledge_of_a_seed_encloses_the_view_of_every_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    """After every vote each correct validator is in a view between what it surely knows and what it may know.

    In this seed one starts on a snapshot above its newest stored finalization, and goes on from that. # R1
    """
    learn, outside, compared = Knowledge.on_handled, [], []

    def compare(self: Knowledge, node: SimulatedNode, event: Event | None, effects: tuple[Effect, ...]) -> None:
        learn(self, node, event, effects)
        mind, is_judged = self.minds[node.index], node.index not in self._ledger.faulty
        is_vote = event is None or (isinstance(event, MessageReceived) and isinstance(event.message, Vote))
        if is_vote and is_judged and not mind.is_adopting and node.replica and node.replica.observer_reason is None:
            view = node.replica.get_statistics().view
            compared.append(view)
            if not mind.sure_view <= view <= mind.view:
                outside.append((node.index, mind.sure_view, view, mind.view))

    monkeypatch.setattr(Knowledge, "on_handled", compare)
    run_seed(9, SimulationOptions(4, byzantine=1))
    assert compared
    assert outside == []
