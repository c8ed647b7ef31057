"""The monitors of traffic fail on a run that breaks their rule, and only then; a dead node writes nothing."""

from __future__ import annotations

from sequencer.simulation.checkers.amplification import REQUESTS_MAX, AmplificationChecker
from sequencer.simulation.crash_points import Boundary, Doom
from sequencer.types.effects import Broadcast, PersistVote
from sequencer.types.messages import Batches, GetBatches, Have, Sync
from sequencer.types.records import RecordKind, VoteRecord
from tests.simulation.directed import Stage
from tests.simulation.scenes import Scene, make_batch

A = bytes([1]) * 32
ANSWER = Batches(2, (make_batch(2, 3), make_batch(2, 2)))


def make_scene() -> Scene:
    scene = Scene()
    scene.observers.add(AmplificationChecker(scene.ledger, 4))
    return scene


def test_amplification_checker_accepts_each_request_answered_once() -> None:
    """I14: two requests, two answers, neither longer than asked."""
    scene = make_scene()
    for high in (3, 9):
        scene.observers.on_received(scene.nodes[0], 1, GetBatches(2, A, 2, high))
    for _ in range(2):
        scene.observers.on_sent(scene.nodes[0], 1, ANSWER)
    assert scene.rules == []


def test_amplification_checker_reports_a_second_answer_to_one_request() -> None:
    """I14: nobody asked for the second one."""
    scene = make_scene()
    scene.observers.on_received(scene.nodes[0], 1, GetBatches(2, A, 2, 3))
    scene.observers.on_sent(scene.nodes[0], 1, ANSWER)
    scene.observers.on_sent(scene.nodes[0], 1, ANSWER)
    assert scene.rules == ["I14"]


def test_amplification_checker_reports_answers_to_another_peer_or_too_long() -> None:
    """I14: an answer belongs to its asker and is bounded by its request."""
    scene = make_scene()
    scene.observers.on_received(scene.nodes[0], 1, GetBatches(2, A, 3, 3))
    scene.observers.on_sent(scene.nodes[0], 2, ANSWER)
    scene.observers.on_sent(scene.nodes[0], 1, ANSWER)
    assert scene.rules == ["I14", "I14"]


def test_amplification_checker_reports_one_batch_asked_for_without_pause() -> None:
    """I14: the same request for ever; after its window it may be made again."""
    scene = make_scene()
    window_us = 40 * scene.genesis.parameters.fetch_retry_ms * 1_000
    for _ in range(2):
        for _ in range(REQUESTS_MAX):
            scene.observers.on_sent(scene.nodes[0], 1, GetBatches(2, A, 2, 3))
        scene.scheduler.now_us += window_us
    assert scene.rules == []
    for _ in range(REQUESTS_MAX + 1):
        scene.observers.on_sent(scene.nodes[0], 1, GetBatches(2, A, 2, 3))
    assert scene.rules == ["I14"]


def test_amplification_checker_reports_blocks_asked_for_without_pause() -> None:
    """I14: a node that chases a liar."""
    scene = make_scene()
    for _ in range(REQUESTS_MAX + 1):
        scene.observers.on_sent(scene.nodes[0], 1, Sync(7, 32))
    assert scene.rules == ["I14"]


def test_node_that_dies_at_a_send_writes_nothing_after_it() -> None:
    """What stands behind that send must not come to light in the next life. # D1"""
    stage = Stage()
    stage.advance(0.2)
    node = stage.nodes[0]
    node._is_syncing = False
    before = node.store.unsynced_count
    node.doom = Doom(Boundary.SENDING, 0, lambda: stage.crash(0))
    record = VoteRecord(RecordKind.NOTARIZE, 0, 9, A)
    node._perform((Broadcast(Have((), (0,) * 4)), PersistVote(record)))
    assert not node.is_running
    assert node.store.unsynced_count == 0, before
