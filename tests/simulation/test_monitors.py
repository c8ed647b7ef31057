"""A monitor that judges decisions knows what a validator holds, and what it may hold."""

from __future__ import annotations

import pytest

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.simulation.checkers.decisions import VoteMonitor
from sequencer.simulation.checkers.forwarding import ForwardingMonitor
from sequencer.simulation.checkers.knowledge import ANSWER_MS_MAX, FUTURE_VIEWS_MAX, Knowledge
from sequencer.simulation.node import SimulatedNode
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import run_seed
from sequencer.types.block import FinalizedBlock
from sequencer.types.effects import Broadcast, Effect, Send
from sequencer.types.events import Event, MessageReceived, PeerDisconnected, TimerFired
from sequencer.types.messages import SYNC_BLOCKS_MAX, Message, Sync, SyncBlocks
from sequencer.types.primitives import Digest, View
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind
from tests.simulation.scenes import Scene

A = bytes([1]) * 32
LIAR = 3
FINAL_VIEW = 9
"""What the Byzantine validator calls final in an answer that may be refused."""


def make_watched_scene(is_vote_watched: bool = False) -> Scene:
    """Return a scene in which validator 0 runs, 3 is Byzantine, and either F1-F6 or 0's new votes are watched."""
    scene = Scene()
    scene.ledger.faulty.add(LIAR)
    knowledge = Knowledge(scene.ledger, 4)
    knowledge.ask(VoteMonitor(scene.ledger) if is_vote_watched else ForwardingMonitor(scene.ledger, 4))
    scene.observers.add(knowledge)
    scene.nodes[0].boot()
    return scene


def tell(scene: Scene, peer: int, kind: VoteKind, view: int, digest: Digest = ZERO_DIGEST) -> None:
    """Let validator 0 handle a vote of `peer`, or cast it itself, and do nothing else."""
    vote = Vote(kind, 0, view, digest, bytes(64))
    event, effects = (None, (Broadcast(vote),)) if peer == 0 else (MessageReceived(peer, vote), ())
    scene.observers.on_handled(scene.nodes[0], event, effects)


def show(scene: Scene, peer: int, message: Message, *said: Vote) -> None:
    """Let validator 0 handle a message of `peer`, and say something about it at once."""
    effects = tuple(Broadcast(vote) for vote in said)
    scene.observers.on_handled(scene.nodes[0], MessageReceived(peer, message), effects)


def certify(scene: Scene, kind: VoteKind, view: View, digest: Digest = ZERO_DIGEST) -> Certificate:
    """Return a certificate that validators 0, 1 and 2 signed."""
    message = compute_signing_bytes(scene.genesis.chain_id, 0, SignatureKind(kind), view, digest)
    signatures = []
    for node in scene.nodes[:3]:
        assert node.config.signer is not None
        signatures.append(node.config.signer.sign(message))
    return Certificate(kind, 0, view, digest, (0, 1, 2), tuple(signatures))


def make_finalize(view: View) -> Vote:
    """Return validator 0's vote to finalize block A in `view`."""
    return Vote(VoteKind.FINALIZE, 0, view, A, bytes(64))


def make_proposal(scene: Scene, view: View, *justification: Certificate) -> Proposal:
    """Return a proposal of `view`; nobody looks at its signature, for its leader is correct."""
    return Proposal(scene.make_child(scene.genesis.header, view), justification, bytes(64))


def call_final(scene: Scene, peer: int = LIAR) -> None:
    """Let a peer answer with a finalization that is genuine; of the Byzantine validator the whole may be refused."""
    header = scene.make_child(scene.genesis.header, FINAL_VIEW)
    block = FinalizedBlock(header, certify(scene, VoteKind.FINALIZE, FINAL_VIEW, header.digest), ())
    show(scene, peer, SyncBlocks((block,), None))


def ask(scene: Scene, peer: int) -> None:
    """Let validator 0 ask a peer for blocks."""
    scene.observers.on_handled(scene.nodes[0], TimerFired(), (Send(peer, Sync(1, SYNC_BLOCKS_MAX)),))


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


def is_led_by_correct(scene: Scene, view: View) -> bool:
    """Tell whether the leader is another correct validator."""
    return scene.genesis.committee.get_leader(view) not in (0, LIAR)


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


def test_vote_monitor_proposal_tells_what_an_answer_that_may_be_refused_called_final() -> None:
    """V12: who refused a forged answer finalizes what the next proposal shows to be notarized. # R2 P3"""
    scene = make_watched_scene(is_vote_watched=True)
    call_final(scene)
    proposal = make_proposal(scene, 3, certify(scene, VoteKind.NOTARIZE, 2, A))
    show(scene, scene.genesis.committee.get_leader(3), proposal, make_finalize(2))
    assert scene.rules == []


def test_vote_monitor_entry_of_a_nullify_tells_what_an_answer_that_may_be_refused_called_final() -> None:
    """V12: the same, told by a nullify that carries what let its sender in. # R2 F3"""
    scene = make_watched_scene(is_vote_watched=True)
    call_final(scene)
    entry = certify(scene, VoteKind.NOTARIZE, 2, A)
    show(scene, 1, Vote(VoteKind.NULLIFY, 0, 3, ZERO_DIGEST, bytes(64), entry=entry), make_finalize(2))
    assert scene.rules == []


def test_vote_monitor_finalize_of_what_nothing_shows_to_be_notarized_is_reported() -> None:
    """V12: that an answer may have been refused excuses nobody who has seen no notarization of the view."""
    scene = make_watched_scene(is_vote_watched=True)
    call_final(scene)
    proposal = make_proposal(scene, 3, certify(scene, VoteKind.NULLIFY, 2))
    show(scene, scene.genesis.committee.get_leader(3), proposal, make_finalize(2))
    assert scene.rules == ["V12"]


def test_vote_monitor_finalize_later_than_at_the_moment_of_notarization_is_reported() -> None:
    """V12: a proposal that is surely read gives the one moment to finalize, whatever was called final before."""
    scene = make_watched_scene(is_vote_watched=True)
    call_final(scene)
    proposal = make_proposal(scene, 3, certify(scene, VoteKind.NOTARIZE, 2, A))
    show(scene, scene.genesis.committee.get_leader(3), proposal)
    tell(scene, 0, VoteKind.FINALIZE, 2, A)
    assert scene.rules == ["V12", "V12"]
    assert scene.ledger.violations[0].detail == "finalizes later than at the moment of notarization"


def test_vote_monitor_proposal_that_may_be_too_far_ahead_may_be_dropped() -> None:
    """C1: who refused a forged answer is in view 1 still, and reads no proposal of a view far above it. # V1"""
    scene = make_watched_scene(is_vote_watched=True)
    call_final(scene)
    view = next(view for view in range(2 + FUTURE_VIEWS_MAX, 20 + FUTURE_VIEWS_MAX) if is_led_by_correct(scene, view))
    proposal = make_proposal(scene, view, certify(scene, VoteKind.NOTARIZE, view - 1, A))
    show(scene, scene.genesis.committee.get_leader(view), proposal)
    tell(scene, 0, VoteKind.NULLIFY, 1)
    assert scene.rules == []


def test_vote_monitor_vote_in_a_view_that_a_proposal_has_surely_ended_is_reported() -> None:
    """V1: a proposal of a view that is not too far ahead is read, and leads into its view."""
    scene = make_watched_scene(is_vote_watched=True)
    view = next(view for view in range(1 + FUTURE_VIEWS_MAX, 1, -1) if is_led_by_correct(scene, view))
    proposal = make_proposal(scene, view, certify(scene, VoteKind.NOTARIZE, view - 1, A))
    show(scene, scene.genesis.committee.get_leader(view), proposal)
    tell(scene, 0, VoteKind.NULLIFY, 1)
    assert scene.rules == ["V1"]


@pytest.mark.parametrize(("view", "rules"), [(2 + FUTURE_VIEWS_MAX, []), (1 + FUTURE_VIEWS_MAX, ["V12", "V12"])])
def test_vote_monitor_votes_that_may_be_too_far_ahead_may_be_dropped(view: View, rules: list[str]) -> None:
    """C1: with votes that it dropped an own vote makes no notarization, so the moment to finalize comes later. # V12"""
    scene = make_watched_scene(is_vote_watched=True)
    call_final(scene)
    for peer in (1, 2):
        tell(scene, peer, VoteKind.NOTARIZE, view, A)
    show(scene, 1, certify(scene, VoteKind.NOTARIZE, view - 1, A))
    tell(scene, 0, VoteKind.NOTARIZE, view, A)
    show(scene, 2, certify(scene, VoteKind.NOTARIZE, view, A), make_finalize(view))
    assert scene.rules == rules


def test_vote_monitor_vote_below_what_an_awaited_answer_proves_final_is_reported() -> None:
    """C4: a correct peer answers in time what it was asked, so it is read."""
    scene = make_watched_scene(is_vote_watched=True)
    ask(scene, 1)
    call_final(scene, 1)
    tell(scene, 0, VoteKind.NULLIFY, 1)
    assert scene.rules == ["C4", "V1"]


def test_vote_monitor_answer_that_nobody_waits_for_may_be_dropped() -> None:
    """R2: what comes too late, from another peer, twice, or over a new connection proves nothing final. # C4"""
    late, other, again, broken = (make_watched_scene(is_vote_watched=True) for _ in range(4))
    ask(late, 1)
    late.nodes[0].pause(lambda: None)
    late.scheduler.run_until(1_000 * ANSWER_MS_MAX)
    call_final(late, 1)
    ask(other, 2)
    call_final(other, 1)
    ask(again, 1)
    show(again, 1, SyncBlocks((), None))
    call_final(again, 1)
    ask(broken, 1)
    broken.observers.on_handled(broken.nodes[0], PeerDisconnected(1), ())
    call_final(broken, 1)
    scenes = (late, other, again, broken)
    for scene in scenes:
        tell(scene, 0, VoteKind.NULLIFY, 1)
    assert [scene.rules for scene in scenes] == [[], [], [], []]


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
