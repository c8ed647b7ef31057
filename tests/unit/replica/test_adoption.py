"""While a snapshot is made durable the replica stands still, and what comes meanwhile waits. # R2 I11"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from sequencer.codec import decode, encode
from sequencer.errors import StoreError
from sequencer.execution.executor import Executor
from sequencer.replica.adoption import MESSAGES_WAITING_MAX, Adoption
from sequencer.replica.settling import Settling
from sequencer.sync.state_sync import FetchedSnapshot
from sequencer.types.effects import Effect, InstallSnapshot
from sequencer.types.events import Event, ItemsGossiped, MessageReceived, PeerConnected, PeerDisconnected, TimerFired
from sequencer.types.messages import Sync
from sequencer.types.receipt import CertifiedChain
from sequencer.types.snapshot import SnapshotClaim, compute_manifest
from tests.execution_world import ALPHA
from tests.split_chain import Chain, say_yes, touch
from tests.split_world import DELTA
from tests.unit.core_world import Group, at, make_genesis, name_digest
from tests.unit.replica.world import Cluster, make_bundle

GENESIS = make_genesis()
EXECUTOR = Executor(GENESIS)
DATA = EXECUTOR.take_snapshot()
CHAIN = CertifiedChain((EXECUTOR.commitment,), Group(GENESIS).commitment_certificate(0, EXECUTOR.commitment.digest))


def make_fetched(executor: Executor) -> FetchedSnapshot:
    """Return the state of an executor, as validator 1 served it."""
    data, commitment = executor.take_snapshot(), executor.commitment
    chain = CertifiedChain((commitment,), Group(GENESIS).commitment_certificate(executor.height, commitment.digest))
    return FetchedSnapshot(SnapshotClaim(executor.header, len(data), compute_manifest(data), chain), data, (1,))


RIGHT = make_fetched(EXECUTOR)


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


def spell_otherwise(snapshot: bytes) -> bytes:
    """Return the same state with every namespace's entries in arrays of one."""
    whole = cast(tuple[Any, ...], decode(snapshot, "snapshot"))
    split = tuple((*row[:-1], tuple((entry,) for chunk in row[-1] for entry in chunk)) for row in whole[3])
    return encode((*whole[:3], split, *whole[4:]))


def test_R2_right_state_in_other_bytes_is_refused() -> None:
    """A snapshot has one form: who is believed with another one would make liars of all who keep the right one."""
    ahead = Cluster(indices=(0, 1, 2))
    for sequence in range(3):
        ahead.submit(0, make_bundle(GENESIS, sequence), request=sequence + 1)
    ahead.run(5_000, lambda: ahead.heights[0] >= 2)
    right = make_fetched(ahead.replicas[0].executor)
    Adoption().begin(right, GENESIS)
    with pytest.raises(StoreError, match="the one form"):
        Adoption().begin(replace(right, data=spell_otherwise(right.data)), GENESIS)


def fetch_from(chain: Chain) -> FetchedSnapshot:
    """Return the state of a chain with split rollups, as a peer served it."""
    data, executor = chain.executor.take_snapshot(), chain.executor
    certificate = Group(GENESIS).commitment_certificate(executor.height, executor.commitment.digest)
    claim = CertifiedChain((executor.commitment,), certificate)
    return FetchedSnapshot(SnapshotClaim(executor.header, len(data), compute_manifest(data), claim), data, (1,))


def test_R2_who_adopts_a_snapshot_with_open_bundles_decides_them_as_all_others_do() -> None:
    """What is open is part of the state; it lies under the pending root."""
    chain, late = Chain(), Chain()
    first = chain.bundle(touch(ALPHA, "k"), touch(DELTA, "k"))
    chain.run(first, chain.bundle(touch(ALPHA, "k", add=True)))
    adoption = Adoption()
    adoption.begin(fetch_from(chain), chain.genesis)
    assert adoption.executor is not None
    late.executor = adoption.executor
    assert late.run(say_yes(first)) == chain.run(say_yes(first))
    assert late.get(ALPHA, "kv/k") == 2


def test_R2_state_that_only_executors_keep_is_not_adopted() -> None:
    """No root of the log covers it, so a snapshot that holds it has not the one form."""
    chain = Chain(runs=frozenset({DELTA}))
    chain.run(chain.bundle(touch(DELTA, "k")))
    with pytest.raises(StoreError, match="the one form"):
        Adoption().begin(fetch_from(chain), chain.genesis)


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


@pytest.mark.parametrize("is_alarmed", [True, False])
def test_C2_replica_that_raised_the_alarm_adopts_no_snapshot(is_alarmed: bool) -> None:
    """It would stand up again without the alarm and sign; a round that was under way ends. The control adopts."""
    ahead = Cluster(indices=(0, 1, 2))
    ahead.run(5_000, lambda: ahead.heights[0] >= 2)
    fetched = make_fetched(ahead.replicas[0].executor)
    parts = Cluster(indices=(3,)).replicas[3]._parts
    if is_alarmed:
        parts.consensus._state.stop_signing("two blocks of one view are final")
    parts.state_sync._fetched = fetched
    effects: list[Effect] = []
    Settling(parts).settle(effects, at(0))
    assert [isinstance(effect, InstallSnapshot) for effect in effects].count(True) == (not is_alarmed)
