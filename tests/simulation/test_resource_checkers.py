"""The monitors of traffic fail on a run that breaks their rule, and only then; a dead node writes nothing."""

from __future__ import annotations

import pytest

from sequencer.simulation.checkers.amplification import REQUESTS_MAX, TRIES, AmplificationChecker
from sequencer.simulation.crash_points import Boundary, Doom
from sequencer.simulation.faults.clocks import RATES
from sequencer.simulation.scheduler import MILLISECOND
from sequencer.types.effects import Broadcast, PersistVote, Send
from sequencer.types.messages import Batches, GetBatches, Have, Message, Sync
from sequencer.types.parameters import Parameters
from sequencer.types.records import RecordKind, VoteRecord
from tests.simulation.directed import Stage
from tests.simulation.scenes import Scene, make_batch

A = bytes([1]) * 32
ANSWER = Batches(2, (make_batch(2, 3), make_batch(2, 2)))
REQUEST = GetBatches(2, A, 2, 3)
WINDOW_US = TRIES * Parameters().fetch_retry_ms * MILLISECOND
"""In which a scene's nodes may ask `REQUESTS_MAX` times."""


def make_scene() -> Scene:
    scene = Scene()
    scene.observers.add(AmplificationChecker(scene.ledger, 4))
    return scene


def ask(scene: Scene, count: int, request: Message = REQUEST) -> None:
    """Let node 0 decide `count` times, now, to send `request`."""
    for _ in range(count):
        scene.observers.on_handled(scene.nodes[0], None, (Send(1, request),))


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
    for _ in range(2):
        ask(scene, REQUESTS_MAX)
        scene.scheduler.now_us += WINDOW_US
    assert scene.rules == []
    ask(scene, REQUESTS_MAX + 1)
    assert scene.rules == ["I14"]


def test_amplification_checker_reports_blocks_asked_for_without_pause() -> None:
    """I14: a node that chases a liar."""
    scene = make_scene()
    ask(scene, REQUESTS_MAX + 1, Sync(7, 32))
    assert scene.rules == ["I14"]


@pytest.mark.parametrize(("early_ms", "rules"), [(0, []), (1, ["I14"])])
def test_amplification_checker_counts_whole_milliseconds(early_ms: int, rules: list[str]) -> None:
    """I14: the first request comes between two ticks of the clock that times the others, and costs none of them."""
    scene = make_scene()
    scene.scheduler.now_us += 983
    ask(scene, REQUESTS_MAX)
    scene.scheduler.now_us = WINDOW_US - early_ms * MILLISECOND
    ask(scene, 1)
    assert scene.rules == rules


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("early_ms", "rules"), [(0, []), (1, ["I14"])])
def test_amplification_checker_goes_by_the_clock_of_who_asks(rate: int, early_ms: int, rules: list[str]) -> None:
    """I14: T_FETCH passes sooner on a fast clock, and later on a slow one."""
    scene = make_scene()
    clock = scene.nodes[0].clock
    clock.set_rate(rate)
    ask(scene, REQUESTS_MAX)
    scene.scheduler.now_us = clock.get_due_us(WINDOW_US // MILLISECOND - early_ms)
    ask(scene, 1)
    assert scene.rules == rules


def test_amplification_checker_does_not_mind_when_a_request_leaves() -> None:
    """I14: a slow disk or a pause holds back a request that was decided in good time."""
    scene = make_scene()
    ask(scene, REQUESTS_MAX)
    scene.scheduler.now_us += WINDOW_US // 2
    for _ in range(REQUESTS_MAX):
        scene.observers.on_sent(scene.nodes[0], 1, REQUEST)
    scene.scheduler.now_us += WINDOW_US // 2
    ask(scene, REQUESTS_MAX)
    assert scene.rules == []


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
