"""The simulated disk loses exactly what was not synced."""

import random

from sequencer.simulation.store import SimulatedStore
from sequencer.types.batch import Batch, BatchHeader, compute_payload_hash
from sequencer.types.block import BlockHeader, FinalizedBlock, make_genesis_header
from sequencer.types.effects import PersistVote
from sequencer.types.primitives import Tip
from sequencer.types.records import EMPTY_RECOVERY, RecordKind, VoteRecord


def make_record(view: int) -> VoteRecord:
    return VoteRecord(RecordKind.NOTARIZE, 0, view, bytes([view]) * 32)


def make_batch(position: int) -> Batch:
    header = BatchHeader(0, 0, position, bytes(32), compute_payload_hash(b""), 0, 0)
    return Batch(header, bytes(64), b"")


def test_store_crash_loses_a_suffix_of_what_was_not_synced() -> None:
    """Synced records always survive; of the rest a prefix, of every length in some run."""
    survivors = set()
    for seed in range(50):
        store = SimulatedStore()
        store.append_vote(PersistVote(make_record(1)))
        store.sync()
        for view in (2, 3):
            store.append_vote(PersistVote(make_record(view)))
        store.crash(random.Random(seed))
        assert store.vote_log == [make_record(view) for view in range(1, len(store.vote_log) + 1)]
        survivors.add(len(store.vote_log))
    assert survivors == {1, 2, 3}


def test_store_crash_counts_lost_records() -> None:
    """What is lost and what survives adds up to what was written."""
    store = SimulatedStore()
    for view in range(1, 6):
        store.append_vote(PersistVote(make_record(view)))
    votes, _, lost = store.crash(random.Random(1))
    assert len(votes) + lost == 5


def test_store_new_loads_the_empty_recovery() -> None:
    """A disk without records is a new node's."""
    store = SimulatedStore()
    store.append_vote(PersistVote(make_record(1)))
    assert store.load() == EMPTY_RECOVERY


def test_store_load_returns_batches_above_the_last_cut_only() -> None:
    """Batches of delivered blocks come with their blocks."""
    store = SimulatedStore()
    batches = [make_batch(1), make_batch(2)]
    for batch in batches:
        store.append(batch)
    genesis = make_genesis_header(0, bytes(32), 1, 1)
    header = BlockHeader(0, 1, 1, 0, genesis.digest, 2, 0, (Tip(1, batches[0].digest),))
    store.append(FinalizedBlock(header, None, (batches[0],)))
    store.sync()
    recovery = store.load()
    assert recovery.batches == (batches[1],)
    assert [block.header.height for block in recovery.blocks] == [1]
