"""The driver keeps the duties of a replica's caller."""

from __future__ import annotations

from functools import partial

import pytest
import trio
import trio.testing

from sequencer.errors import StoreError
from sequencer.node.driver import REQUESTS_MAX, TooManyRequests
from sequencer.store.interface import StoreEffect
from sequencer.types.effects import (
    Answer,
    BanPeer,
    CheckItems,
    Continue,
    Effect,
    LoadBlocks,
    PersistVote,
    RaiseAlarm,
    Submission,
    SubmissionStatus,
)
from sequencer.types.events import (
    BlocksLoaded,
    Continued,
    Event,
    ItemsChecked,
    ItemsGossiped,
    ItemsSubmitted,
    PeerConnected,
    TimerFired,
)
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.records import RecordKind, VoteRecord
from tests.unit.node.scripted import GatedStore, Notebook, ScriptedCore, make_driver, make_send, wait_until


def make_persist(view: int) -> PersistVote:
    return PersistVote(VoteRecord(RecordKind.NOTARIZE, 0, view, bytes(32)))


async def test_effects_behind_a_persist_wait_until_it_is_durable(nursery: trio.Nursery) -> None:
    """What precedes every Persist leaves at once; nothing behind one leaves while the disk works."""
    store, outside = GatedStore(), Notebook()
    store.gate.clear()
    core = ScriptedCore(first=[make_send(1), make_persist(1), make_send(2)])
    nursery.start_soon(make_driver(core, store, outside).run)

    await wait_until(lambda: store.entered)
    assert outside.lines == ["send 1"]

    store.gate.set()
    await wait_until(lambda: outside.lines == ["send 1", "send 2"])


async def test_turns_during_a_sync_keep_their_order_and_share_the_next_one(nursery: trio.Nursery) -> None:
    """The replica goes on while the disk works; its effects wait behind and cost one sync together."""
    store, outside = GatedStore(), Notebook()
    store.gate.clear()

    def script(event: Event) -> list[Effect]:
        assert isinstance(event, PeerConnected)
        return [make_persist(event.peer), make_send(event.peer)]

    core = ScriptedCore(script)
    driver = make_driver(core, store, outside)
    nursery.start_soon(driver.run)
    await driver.inbox.put(PeerConnected(1))
    await wait_until(lambda: store.entered)
    for peer in range(2, 6):
        await driver.inbox.put(PeerConnected(peer))
        await wait_until(partial(core.has_handled, peer))
    assert outside.lines == []

    store.gate.set()
    await wait_until(lambda: outside.lines == [f"send {peer}" for peer in range(1, 6)])

    groups: list[list[StoreEffect]] = store.groups
    assert groups == [[make_persist(1)], [make_persist(peer) for peer in range(2, 6)]]


async def test_failed_store_stops_the_node_before_anything_behind_it_is_sent() -> None:
    """An error of the disk ends the driver; what depended on it never leaves."""
    store, outside = GatedStore(), Notebook()
    store.failure = StoreError("cannot sync: Input/output error")
    core = ScriptedCore(first=[make_send(1), make_persist(1), make_send(2)])

    with pytest.raises(BaseExceptionGroup) as caught:
        await make_driver(core, store, outside).run()

    assert caught.group_contains(StoreError, match="Input/output error")
    assert outside.lines == ["send 1"]


async def test_requests_are_answered_by_the_event_that_bears_their_number(nursery: trio.Nursery) -> None:
    """Checks and loads come back; a slice of execution goes on behind what waits already."""
    core = ScriptedCore(
        lambda event: [CheckItems(7, (b"bad",)), LoadBlocks(8, 1, 5), Continue()] if event == PeerConnected(1) else []
    )
    driver = make_driver(core, GatedStore(), Notebook())
    await driver.inbox.put(PeerConnected(1))
    await driver.inbox.put(PeerConnected(2))
    nursery.start_soon(driver.run)

    await wait_until(lambda: len(core.events) == 5)

    assert core.events[:3] == [PeerConnected(1), PeerConnected(2), Continued()]
    checked = next(event for event in core.events if isinstance(event, ItemsChecked))
    assert checked.request == 7
    assert isinstance(checked.results[0], Rejection)
    assert checked.results[0].reason is Reason.MALFORMED
    assert BlocksLoaded(8, (), None) in core.events


async def test_timer_fires_once_and_never_early(nursery: trio.Nursery, autojump_clock: trio.testing.MockClock) -> None:
    """The replica is told at the time that it named."""
    core = ScriptedCore()
    core.timer = int(trio.current_time() * 1000) + 60_000

    def script(event: Event) -> list[Effect]:
        core.timer = None
        return []

    core._script = script
    due = core.timer
    nursery.start_soon(make_driver(core, GatedStore(), Notebook()).run)

    await wait_until_jumping(lambda: core.events)

    assert core.events == [TimerFired()]
    assert due <= core.instants[0].mono_ms <= due + 1


async def wait_until_jumping(condition: object) -> None:
    """Like `wait_until`, and lets the simulated clock jump."""
    with trio.fail_after(3600):
        while not condition():  # type: ignore[operator]  # a function without arguments
            await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(1):
                await trio.sleep_forever()


async def test_source_outside_waits_while_the_inbox_is_full() -> None:
    """A flood slows its source down; nothing is lost and memory stays bounded."""
    driver = make_driver(ScriptedCore(), GatedStore(), Notebook())
    with trio.move_on_after(0.05) as scope:
        for peer in range(1_000):
            await driver.inbox.put(PeerConnected(peer))
    assert scope.cancelled_caught
    assert len(driver.inbox) == 256


async def test_submission_returns_what_the_replica_answers(nursery: trio.Nursery) -> None:
    """One answer per request, and a request that its client gave up is forgotten."""
    submission = Submission(SubmissionStatus.ACCEPTED, bytes(32))
    core = ScriptedCore(
        lambda event: (
            [Answer(event.request, (submission,))]
            if isinstance(event, ItemsSubmitted) and event.items == (b"one",)
            else []
        )
    )
    driver = make_driver(core, GatedStore(), Notebook())
    nursery.start_soon(driver.run)

    assert await driver.submit([b"one"]) == (submission,)
    with trio.move_on_after(0.02):
        await driver.submit([b"never answered"])

    assert driver._answers == {}


async def test_submissions_beyond_the_bound_are_refused(nursery: trio.Nursery) -> None:
    """A client is told at once when too many wait."""
    driver = make_driver(ScriptedCore(), GatedStore(), Notebook())
    nursery.start_soon(driver.run)
    for _ in range(REQUESTS_MAX):
        nursery.start_soon(driver.submit, [b"waits"])
    await wait_until(lambda: len(driver._answers) == REQUESTS_MAX)
    with pytest.raises(TooManyRequests):
        await driver.submit([b"too many"])


async def test_bans_and_alarms_are_passed_on(nursery: trio.Nursery) -> None:
    """What the replica finds out about others reaches the network and the log."""
    outside = Notebook()
    core = ScriptedCore(first=[BanPeer(2, "bad"), RaiseAlarm("two finalizations")])
    nursery.start_soon(make_driver(core, GatedStore(), outside).run)
    await wait_until(lambda: outside.lines == ["ban 2", "alarm two finalizations"])


async def test_turn_is_bounded(nursery: trio.Nursery) -> None:
    """However much waits, other tasks run after 64 events."""
    core = ScriptedCore()
    driver = make_driver(core, GatedStore(), Notebook())
    for _ in range(200):
        await driver.inbox.put(ItemsGossiped((b"x",)))
    nursery.start_soon(driver.run)
    await wait_until(lambda: len(core.events) == 200)
    assert driver.counters["turns"] >= 4
