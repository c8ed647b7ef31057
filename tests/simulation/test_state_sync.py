"""Whole replicas: a validator that no blocks can help joins by a snapshot; lies name the liar. # R2 R3 L7"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from sequencer.simulation.network import Network
from sequencer.simulation.node import SimulatedNode
from sequencer.simulation.options import SIMULATION_PARAMETERS, SimulationOptions
from sequencer.simulation.scheduler import SECOND
from sequencer.simulation.simulator import Simulation
from sequencer.simulation.store import SimulatedStore
from sequencer.types.messages import Message, Sync, SyncBlocks
from sequencer.types.primitives import Digest
from sequencer.types.records import RecordKind
from sequencer.types.snapshot import compute_manifest
from sequencer.types.snapshot_messages import GetSnapshotChunk, SnapshotChunk, SnapshotOffer

RETAIN = 4
PARAMETERS = replace(
    SIMULATION_PARAMETERS, retain_heights=RETAIN, snapshot_interval_heights=RETAIN, commitment_interval_ms=1_000
)
AWAY = 3
"""The validator that was away."""
Alter = Callable[[int, Message], Message | None]
"""What a peer sends to it instead; None: nothing."""


class Stage:
    """Four validators and their clients; one leaves, the others forget what it lacks, it comes back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.simulation = Simulation(1, SimulationOptions(faults=(), parameters=PARAMETERS))
        self.simulation.start()
        self.simulation.clients.start(self.simulation.nodes)
        self.alter: Alter = lambda source, message: message
        self.heard: list[tuple[int, Message]] = []
        self.said: list[Message] = []
        send = Network.send

        def send_altered(network: Network, source: int, target: int, message: Message) -> None:
            if source == AWAY:
                self.said.append(message)
            altered = self.alter(source, message) if target == AWAY else message
            if altered is not None:
                if target == AWAY:
                    self.heard.append((source, altered))
                send(network, source, target, altered)

        monkeypatch.setattr(Network, "send", send_altered)

    @property
    def node(self) -> SimulatedNode:
        return self.simulation.nodes[AWAY]

    @property
    def heights(self) -> list[int]:
        return [max(node.store.durable.blocks, default=0) for node in self.simulation.nodes]

    @property
    def violations(self) -> list[str]:
        return [f"{violation.rule}: {violation.detail}" for violation in self.simulation.ledger.violations]

    def advance(self, seconds: float) -> None:
        self.simulation.advance(int(seconds * SECOND))

    def leave(self) -> None:
        self.node.crash()
        self.simulation.network.drop_node(AWAY)

    def come_back(self) -> None:
        self.node.boot()
        self.simulation.network.admit_node(AWAY)

    def go_away(self, alter: Alter | None = None, liars: tuple[int, ...] = ()) -> None:
        """Leave for so long that nobody keeps the next block, and come back to peers of which some lie."""
        self.simulation.ledger.faulty.update(liars)
        self.advance(3)
        self.leave()
        self.advance(25)
        self.alter = alter or self.alter
        self.come_back()

    def get_liars(self) -> dict[int, str]:
        assert self.node.replica is not None
        return dict(self.node.replica.get_statistics().snapshot_liars)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def alter_chunk(message: Message) -> Message:
    if isinstance(message, SnapshotChunk) and message.data:
        return replace(message, data=message.data[:-1] + bytes([message.data[-1] ^ 1]))
    return message


def test_R2_validator_that_was_away_for_long_joins_by_snapshot_and_signs(stage: Stage) -> None:
    """The control of all below: nobody keeps its next block, so it jumps, and votes as before."""
    stage.go_away()
    stage.advance(10)
    votes = len(stage.node.store.vote_log)
    stage.advance(5)
    assert stage.node.snapshots_installed == 1
    assert stage.heights[AWAY] >= stage.heights[0] - 1
    assert len(stage.node.store.vote_log) > votes
    assert (stage.get_liars(), stage.violations) == ({}, [])


def test_L7_store_lets_go_only_of_what_a_certified_snapshot_replaces(stage: Stage) -> None:
    """Blocks go as heights come, never more than RETAIN allows, never what the older snapshot needs."""
    for _ in range(12):
        stage.advance(3)
        for node in stage.simulation.nodes:
            durable = node.store.durable
            if durable.blocks and min(durable.blocks) > 1:
                assert min(durable.blocks) <= max(durable.blocks) - RETAIN + 1
                assert min(durable.blocks) <= sorted(durable.snapshots)[-2] + 1 <= durable.certified_height + 1
    assert min(stage.simulation.nodes[0].store.durable.blocks) > 1
    assert stage.violations == []


def test_R2_wrong_chunk_of_one_names_it_and_the_others_serve(stage: Stage) -> None:
    """One altered byte: its server is banned and named, the node joins."""
    stage.go_away(lambda source, message: alter_chunk(message) if source == 1 else message, (1,))
    stage.advance(15)
    assert stage.heights[AWAY] >= stage.heights[0] - 1
    served = {source for source, message in stage.heard if isinstance(message, SnapshotChunk)}
    assert set(stage.get_liars()) == served & {1}
    assert stage.violations == []


@pytest.mark.parametrize("first", [0, 1, 2])
def test_R2_false_manifest_of_one_names_it_whoever_it_is(stage: Stage, first: int) -> None:
    """Two others agree on another manifest and are right: who offered the false one is named though never asked."""

    def alter(source: int, message: Message) -> Message:
        if source == first and isinstance(message, SnapshotOffer) and message.claim is not None:
            return replace(message, claim=replace(message.claim, chunks=compute_manifest(bytes(message.claim.size))))
        return message

    stage.go_away(alter, (first,))
    stage.advance(15)
    assert stage.heights[AWAY] >= stage.heights[0] - 1
    offered = {source for source, message in stage.heard if isinstance(message, SnapshotOffer) and message.claim}
    assert set(stage.get_liars()) == offered & {first}
    assert stage.violations == []


def test_R2_wrong_chunks_of_all_are_refused_and_no_height_is_claimed(stage: Stage) -> None:
    """All altered: it names all, stays where it was, and tells nobody a height that it does not have."""
    stage.go_away(lambda source, message: alter_chunk(message), (0, 1, 2))
    before = stage.heights[AWAY]
    stage.advance(25)
    assert stage.heights[AWAY] == before
    assert stage.node.snapshots_installed == 0
    assert set(stage.get_liars()) == {0, 1, 2}
    assert stage.violations == []
    stage.alter = lambda source, message: message
    stage.advance(150)
    assert stage.heights[AWAY] >= stage.heights[0] - 1


def test_R2_restart_in_the_middle_of_a_snapshot_starts_over(stage: Stage) -> None:
    """A crash while chunks come, or between the last one and the disk, leaves the old state whole."""
    stage.go_away(lambda source, message: None if isinstance(message, SnapshotChunk) else message)
    before = stage.heights[AWAY]
    stage.advance(3)
    assert any(isinstance(message, GetSnapshotChunk) for message in stage.said)
    stage.leave()
    assert stage.heights[AWAY] == before
    stage.alter = lambda source, message: message
    stage.come_back()
    stage.advance(10)
    assert stage.node.snapshots_installed == 1
    assert (stage.heights[AWAY] >= stage.heights[0] - 1, stage.violations) == (True, [])


def test_R2_restart_right_after_a_snapshot_goes_on_from_it(stage: Stage) -> None:
    """What was made durable is where the next life starts."""
    stage.go_away()
    for _ in range(2_000):
        if stage.node.snapshots_installed:
            break
        stage.advance(0.005)
    stage.leave()
    snapshot = stage.node.store.durable.snapshot
    assert snapshot is not None
    stage.come_back()
    assert stage.node.replica is not None
    assert stage.node.replica.executor.height >= snapshot.header.height
    stage.advance(10)
    assert (stage.heights[AWAY] >= stage.heights[0] - 1, stage.violations) == (True, [])


def test_D1_R2_block_store_behind_the_vote_log_is_made_up_by_a_snapshot(stage: Stage) -> None:
    """Blocks and batches are lost, the vote log is not: it joins by snapshot and contradicts nothing that it signed."""
    stage.advance(20)
    stage.leave()
    log = stage.node.store.vote_log
    signed = {record.number for record in log if record.kind is RecordKind.OWN_BATCH}
    assert signed
    store = SimulatedStore()
    store.is_damaged = True
    store.vote_log, store.durable.votes = log, stage.node.store.durable.votes
    store.durable.headers = stage.node.store.durable.headers
    store.durable.certificates = stage.node.store.durable.certificates
    stage.node.store = store
    stage.advance(15)
    stage.come_back()
    assert stage.node.replica is not None
    assert stage.node.replica.observer_reason is not None  # an own batch is signed, and nowhere
    stage.advance(15)
    assert stage.violations == []
    assert stage.node.snapshots_installed >= 1
    assert stage.node.replica.observer_reason is None  # the snapshot's cut covers it
    assert (stage.heights[AWAY] >= stage.heights[0] - 1, stage.violations) == (True, [])
    own = find_digests(stage.node, RecordKind.OWN_BATCH)
    assert all(len(digests) == 1 for digests in own.values())


def find_digests(node: SimulatedNode, kind: RecordKind) -> dict[int, set[Digest]]:
    """Return what was signed for each number."""
    found: dict[int, set[Digest]] = {}
    for record in node.store.vote_log:
        if record.kind is kind:
            found.setdefault(record.number, set()).add(record.digest)
    return found


def test_R2_no_block_is_asked_for_while_a_snapshot_is_on_its_way(stage: Stage) -> None:
    """Blocks that nobody keeps are asked for once, to learn that."""
    stage.go_away()
    stage.advance(10)
    installed = max(find_claimed(stage.heard))
    asked = [message.from_height for message in stage.said if isinstance(message, Sync)]
    assert len([height for height in asked if height <= installed]) <= 4
    pruned = [m for _, m in stage.heard if isinstance(m, SyncBlocks) and not m.blocks and m.oldest]
    assert pruned


def find_claimed(heard: Iterable[tuple[int, Message]]) -> list[int]:
    """Return the heights of the snapshots that were offered."""
    return [m.claim.height for _, m in heard if isinstance(m, SnapshotOffer) and m.claim is not None]
