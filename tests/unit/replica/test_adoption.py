"""While a snapshot is made durable the replica stands still, and what comes meanwhile waits. # R2 I11"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.errors import StoreError
from sequencer.execution.executor import Executor
from sequencer.replica.adoption import MESSAGES_WAITING_MAX, Adoption
from sequencer.sync.state_sync import FetchedSnapshot
from sequencer.types.events import Event, ItemsGossiped, MessageReceived, PeerConnected, PeerDisconnected, TimerFired
from sequencer.types.messages import Sync
from sequencer.types.receipt import CertifiedChain
from sequencer.types.snapshot import SnapshotClaim, compute_manifest
from tests.unit.core_world import Group, make_genesis, name_digest

GENESIS = make_genesis()
EXECUTOR = Executor(GENESIS)
DATA = EXECUTOR.take_snapshot()
CHAIN = CertifiedChain((EXECUTOR.commitment,), Group(GENESIS).commitment_certificate(0, EXECUTOR.commitment.digest))
RIGHT = FetchedSnapshot(SnapshotClaim(EXECUTOR.header, len(DATA), compute_manifest(DATA), CHAIN), DATA, (1,))


def begin() -> Adoption:
    adoption = Adoption()
    adoption.begin(RIGHT, GENESIS)
    return adoption


def test_R2_right_snapshot_is_handed_over_with_the_state_that_it_is() -> None:
    """The control of the refusals below."""
    adoption = Adoption()
    effect = adoption.begin(RIGHT, GENESIS)
    assert (effect.claim, effect.snapshot, adoption.is_running) == (RIGHT.claim, DATA, True)
    restored, waiting = adoption.end()
    assert restored is not None
    assert (restored.commitment, waiting, adoption.is_running) == (EXECUTOR.commitment, (), False)


WRONG = {
    "altered_byte": replace(RIGHT, data=DATA[:-1] + bytes([DATA[-1] ^ 1])),
    "no_snapshot": replace(RIGHT, data=b"state"),
    "another_commitment": replace(
        RIGHT,
        claim=replace(
            RIGHT.claim, chain=replace(CHAIN, commitments=(replace(EXECUTOR.commitment, exec_root=name_digest("x")),))
        ),
    ),
}


@pytest.mark.parametrize("fetched", WRONG.values(), ids=list(WRONG))
def test_R2_wrong_snapshot_is_refused_and_nothing_changes(fetched: FetchedSnapshot) -> None:
    """A whole that does not hash to the certified commitment never reaches the store."""
    adoption = Adoption()
    with pytest.raises(StoreError, match="snapshot of height 0"):
        adoption.begin(fetched, GENESIS)
    assert not adoption.is_running


def test_R2_events_come_back_in_their_order_and_timers_do_not() -> None:
    """A timer is asked for anew by who stands on the snapshot."""
    adoption = begin()
    events: list[Event] = [PeerConnected(1), MessageReceived(1, Sync(1, 1)), ItemsGossiped(()), PeerDisconnected(1)]
    for event in events:
        adoption.defer(event)
        adoption.defer(TimerFired())
    assert adoption.end()[1] == tuple(events)


def test_I11_messages_that_wait_are_bounded_and_the_coming_of_peers_is_not_lost() -> None:
    """Who floods meanwhile is counted; what the replica itself asked for and who is there always finds room."""
    adoption = begin()
    for _ in range(MESSAGES_WAITING_MAX + 3):
        adoption.defer(MessageReceived(1, Sync(1, 1)))
    adoption.defer(PeerConnected(2))
    assert (adoption.messages_waiting, adoption.events_dropped) == (MESSAGES_WAITING_MAX, 3)
    waiting = adoption.end()[1]
    assert (len(waiting), waiting[-1], adoption.messages_waiting) == (MESSAGES_WAITING_MAX + 1, PeerConnected(2), 0)
