"""Whatever moment a node dies at, its store gives back all that was performed. # D1 R1

A plan of votes, own batches, blocks and snapshots, long enough to roll, prune and snapshot, is
performed again and again; each time the process, or the power, goes at another step of the disk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sequencer.store import block_store, vote_log
from sequencer.store.block_store import BlockStore
from sequencer.store.disk import AppendFile, Disk
from sequencer.store.index import Index
from sequencer.store.interface import StoreEffect
from sequencer.store.node_store import NodeStore, StoreOptions
from sequencer.store.segments import SegmentWriter
from sequencer.store.vote_log import VIEW_KINDS
from sequencer.types.effects import (
    PersistBatch,
    PersistBlock,
    PersistVote,
    SaveSnapshot,
    StoreCommitmentCertificate,
    StoreExecution,
)
from sequencer.types.records import RecordKind, Recovery, VoteRecord
from tests.unit.store.chain import (
    Chain,
    make_batch,
    make_commitment_certificate,
    make_executed,
    make_home,
    make_snapshot,
    make_vote,
)

HEIGHTS = 40
STEPS_APART = 43
"""Every 43rd step of the disk: about 20 deaths of each kind."""
OPTIONS = {"retain_heights": 15, "segment_bytes_max": 2_000}


class Killed(BaseException):
    """The process is gone."""


class Grave:
    """Counts the steps of the disk; at the chosen one it keeps what the disk holds and kills."""

    def __init__(self, home: Path, copy: Path, *, is_power_lost: bool) -> None:
        self.home, self.copy = home, copy
        self.deadline = 0
        self.steps = 0
        self._is_power_lost = is_power_lost
        self._synced: dict[Path, int] = {}

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.deadline:
            shutil.copytree(self.home, self.copy)
            if self._is_power_lost:
                self._lose_unsynced()
            raise Killed

    def on_synced(self, path: Path) -> None:
        self._synced[path] = path.stat().st_size

    def _lose_unsynced(self) -> None:
        for path in [*self.copy.rglob("*.seg"), *self.copy.rglob("*.log")]:
            os.truncate(path, self._synced.get(self.home / path.relative_to(self.copy), 0))
        for path in self.copy.glob("index.sqlite-*"):
            path.unlink()


@pytest.fixture(params=[False, True], ids=["process", "power"])
def grave(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grave:
    grave = Grave(make_home(tmp_path), tmp_path / "copy", is_power_lost=request.param)

    def surround(owner: type, name: str, after: Callable[..., None] = lambda *arguments: None) -> None:
        original = getattr(owner, name)

        def perform(self: Any, *arguments: Any, **options: Any) -> Any:
            grave.step()
            result = original(self, *arguments, **options)
            after(self, *arguments)
            grave.step()
            return result

        monkeypatch.setattr(owner, name, perform)

    surround(AppendFile, "write")
    surround(AppendFile, "sync", lambda file: grave.on_synced(file.path))
    surround(Disk, "replace", lambda disk, path, data: grave.on_synced(path))
    surround(Index, "commit")
    surround(SegmentWriter, "remove")
    surround(BlockStore, "prune")
    # What a sync achieves is simulated here, so the real one may be left out.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(vote_log, "SEGMENT_RECORDS_MAX", 12)
    monkeypatch.setattr(block_store, "PRUNE_INTERVAL_HEIGHTS", 4)
    return grave


def plan(chain: Chain) -> Iterator[list[StoreEffect] | SaveSnapshot]:
    """Yield groups as a driver would perform them."""
    for block in chain.blocks:
        header = block.header
        yield [PersistVote(make_vote(RecordKind.NOTARIZE, header.view, header.height), header)]
        if header.height % 6 == 0:
            batch = make_batch(1, header.height)
            yield [
                PersistBatch(batch),
                PersistVote(VoteRecord(RecordKind.OWN_BATCH, 0, header.height, batch.digest)),
            ]
        yield [PersistBlock(block), StoreExecution(make_executed(block))]
        yield [PersistVote(make_vote(RecordKind.NULLIFY, header.view + 1, 0))]
        if header.height % 8 == 0:
            yield make_snapshot(block, bytes(200))
            yield [StoreCommitmentCertificate(make_commitment_certificate(header.height))]


def open_store_unsynced(home: Path) -> NodeStore:
    disk = Disk(sync_file=lambda descriptor: None)
    return NodeStore(home, disk, options=StoreOptions(**OPTIONS))


def perform_until_killed(grave: Grave, chain: Chain) -> tuple[list[StoreEffect | SaveSnapshot], bool]:
    """Return what was performed, and whether the deadline came."""
    performed: list[StoreEffect | SaveSnapshot] = []
    try:
        store = open_store_unsynced(grave.home)
        store.load()
        for group in plan(chain):
            if isinstance(group, SaveSnapshot):
                store.save_snapshot(group)
                performed.append(group)
            else:
                store.perform(group)
                performed.extend(group)
    except Killed:
        return performed, True
    store.close()
    return performed, False


def find_lost(performed: Sequence[StoreEffect | SaveSnapshot], recovery: Recovery) -> list[StoreEffect | SaveSnapshot]:
    """Return what was performed and still matters, but is not recovered."""
    base = 0 if recovery.snapshot_header is None else recovery.snapshot_header.height
    blocks = {base + offset: block for offset, block in enumerate(recovery.blocks, 1)}
    view = 0 if recovery.finalization is None else recovery.finalization.view

    def is_kept(effect: StoreEffect | SaveSnapshot) -> bool:
        match effect:
            case PersistVote(record):
                return record in recovery.votes or (record.kind in VIEW_KINDS and record.number <= view)
            case PersistBatch(batch):
                return batch in recovery.batches
            case PersistBlock(block):
                return block.header.height <= base or blocks.get(block.header.height) == block
            case SaveSnapshot(header):
                return header.height <= base
        return True

    return [effect for effect in performed if not is_kept(effect)]


def test_death_at_any_step_of_the_disk_loses_nothing_performed(grave: Grave) -> None:
    """Neither a kill nor a loss of power takes anything that `perform` returned from, nor makes an observer."""
    chain = Chain()
    chain.grow(HEIGHTS)
    deaths, is_killed = 0, True
    while is_killed:
        shutil.rmtree(grave.home)
        make_home(grave.home.parent)
        grave.steps, grave.deadline = 0, 1 + deaths * STEPS_APART
        performed, is_killed = perform_until_killed(grave, chain)
        grave.deadline = 0
        if not is_killed:
            break
        deaths += 1
        store = open_store_unsynced(grave.copy)
        recovery = store.load()
        assert recovery.observer_reason is None
        assert find_lost(performed, recovery) == [], f"killed at step {grave.steps}"
        store.close()
        shutil.rmtree(grave.copy)
    assert deaths > 15


def test_checker_notices_a_lost_vote_and_a_lost_block() -> None:
    """Control: a store that recovers nothing is found out."""
    chain = Chain()
    chain.grow(1)
    performed = [effect for group in plan(chain) if not isinstance(group, SaveSnapshot) for effect in group]
    empty = Recovery(None, None, (), None, None, (), (), None, None, (), ())
    assert [type(effect) for effect in find_lost(performed, empty)] == [PersistVote, PersistBlock, PersistVote]
