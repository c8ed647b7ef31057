"""A node that starts again finds what it made durable, and signs only if its vote log is in order. # R1 D1"""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sequencer.errors import InvariantViolation, LocalError, StoreError
from sequencer.store.disk import Disk, Durability
from sequencer.store.node_store import NodeStore
from sequencer.store.segments import get_segment_path
from sequencer.types.effects import (
    PersistBatch,
    PersistBlock,
    PersistVote,
    StoreCommitmentCertificate,
    StoreEvidence,
    StoreExecution,
)
from sequencer.types.evidence import Evidence, Statement, find_contradiction
from sequencer.types.outcome import ItemResult, Status
from sequencer.types.records import RecordKind
from sequencer.types.signing import SignatureKind
from tests.unit.store.chain import (
    Chain,
    make_batch,
    make_commitment_certificate,
    make_digest,
    make_executed,
    make_home,
    make_snapshot,
    make_vote,
    open_flaky_store,
    open_store,
)

VOTE = PersistVote(make_vote(RecordKind.NOTARIZE, 1))


def perform_chain(store: NodeStore, chain: Chain) -> None:
    """Perform each block as a driver would: a vote, then the block, then its execution."""
    for block in chain.blocks:
        store.perform([PersistVote(make_vote(RecordKind.NOTARIZE, block.header.view))])
        store.perform([PersistBlock(block), StoreExecution(make_executed(block))])


def test_new_store_recovers_nothing(tmp_path: Path) -> None:
    """A validator that starts for the first time starts from genesis and may sign."""
    recovery = open_store(make_home(tmp_path)).load()
    assert (recovery.snapshot, tuple(recovery.blocks), recovery.votes, recovery.batches) == (None, (), (), ())
    assert recovery.observer_reason is None


def test_store_after_restart_recovers_all_that_was_performed(tmp_path: Path) -> None:
    """Blocks, undelivered batches, votes above the finalized view, own batches, certificate: nothing is lost."""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(3)
    store = open_store(home)
    perform_chain(store, chain)
    waiting = make_batch(1, 1)
    late = [
        make_vote(RecordKind.NULLIFY, 7, 0),
        make_vote(RecordKind.OWN_BATCH, 2),
        make_vote(RecordKind.COMMITMENT, 3),
    ]
    store.perform([*map(PersistVote, late), PersistBatch(waiting)])
    store.perform([StoreCommitmentCertificate(make_commitment_certificate(2))])
    store.close()

    recovery = open_store(home).load()

    assert tuple(recovery.blocks) == tuple(chain.blocks)
    assert recovery.finalized_header == chain.header
    assert recovery.finalization == chain.blocks[-1].finalization
    assert recovery.votes == tuple(late)
    assert recovery.batches == (waiting,)
    assert recovery.commitment == make_commitment_certificate(2)


def test_block_that_overtakes_a_fork_drops_the_losing_batch(tmp_path: Path) -> None:
    """A batch at a finalized position that lost is not handed to a restarted replica. # O2"""
    home, chain = make_home(tmp_path), Chain()
    store = open_store(home)
    store.perform([PersistBatch(make_batch(0, 1, text=b"fork"))])
    chain.grow()
    perform_chain(store, chain)
    assert store.load().batches == ()


def test_second_process_on_one_home_is_refused(tmp_path: Path) -> None:
    """Two processes with one vote log would contradict each other; the second is told who holds the home."""
    home = make_home(tmp_path)
    store = open_store(home)
    with pytest.raises(LocalError, match="in use by process"):
        open_store(home)
    store.close()
    open_store(home).close()


def test_deleted_vote_log_makes_an_observer(tmp_path: Path) -> None:
    """The node still has its blocks and serves them, but can sign nothing. # D1"""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(2)
    store = open_store(home)
    perform_chain(store, chain)
    store.close()
    (home / "votes" / "00000001.log").unlink()

    store = open_store(home)
    recovery = store.load()

    assert recovery.observer_reason is not None
    assert "missing" in recovery.observer_reason
    assert len(tuple(recovery.blocks)) == 2
    with pytest.raises(InvariantViolation, match="must not sign"):
        store.perform([VOTE])


def test_vote_log_from_a_backup_makes_an_observer(tmp_path: Path) -> None:
    """A log that is shorter than it was when the newest block was written has lost votes. # D1"""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(3)
    old = (home / "votes" / "00000001.log").read_bytes()
    store = open_store(home)
    perform_chain(store, chain)
    store.close()
    (home / "votes" / "00000001.log").write_bytes(old)

    assert "older" in (open_store(home).load().observer_reason or "")


def test_full_node_needs_no_vote_log(tmp_path: Path) -> None:
    """Who never signs has nothing to lose."""
    store = NodeStore(tmp_path, Disk(), is_validator=False)
    assert store.load().observer_reason is None


@pytest.mark.parametrize("failure", [errno.EIO, errno.ENOSPC])
def test_store_after_failed_sync_performs_nothing_more(tmp_path: Path, failure: int) -> None:
    """A failed sync is never retried: the kernel may have dropped the pages. # D2"""
    store, sync = open_flaky_store(make_home(tmp_path))
    sync.failure = failure
    with pytest.raises(StoreError, match="cannot sync"):
        store.perform([VOTE])
    sync.failure = None
    with pytest.raises(StoreError, match="earlier failure"):
        store.perform([PersistVote(make_vote(RecordKind.NOTARIZE, 2))])


def test_turn_of_many_effects_costs_one_sync_per_dirty_file(tmp_path: Path) -> None:
    """Group commit: votes share one sync, batches and blocks another."""
    chain = Chain()
    chain.grow(4)
    store, sync = open_flaky_store(make_home(tmp_path))
    votes = [PersistVote(make_vote(RecordKind.NOTARIZE, view)) for view in range(1, 50)]

    store.perform([*votes, *map(PersistBlock, chain.blocks)])

    assert sync.calls == 2


def test_execution_and_certificate_cost_no_sync(tmp_path: Path) -> None:
    """What can be recomputed or fetched gates nothing."""
    chain = Chain()
    chain.grow()
    store, sync = open_flaky_store(make_home(tmp_path))
    store.perform(
        [StoreExecution(make_executed(chain.blocks[0])), StoreCommitmentCertificate(make_commitment_certificate(1))]
    )
    assert sync.calls == 0
    assert store.reader.get_executed(1) is not None


def test_store_with_durability_os_never_syncs(tmp_path: Path) -> None:
    """`os` survives a killed process without waiting for the disk. # D2"""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(2)
    store = NodeStore(home, Disk(Durability.OS))
    perform_chain(store, chain)
    assert store.get_statistics().sync_count == 0
    store.close()
    assert len(tuple(open_store(home).load().blocks)) == 2


def test_snapshot_shortens_what_is_replayed(tmp_path: Path) -> None:
    """Only blocks above the newest snapshot are handed over."""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(5)
    store = open_store(home)
    perform_chain(store, chain)
    store.save_snapshot(make_snapshot(chain.blocks[2], b"state"))
    store.close()

    recovery = open_store(home).load()

    assert (recovery.snapshot, recovery.snapshot_header) == (b"state", chain.blocks[2].header)
    assert [block.header.height for block in recovery.blocks] == [4, 5]


def test_damaged_snapshot_falls_back_to_the_older_one(tmp_path: Path) -> None:
    """A flipped byte anywhere in a snapshot costs replay time, never correctness."""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(4)
    store = open_store(home)
    perform_chain(store, chain)
    for index in (0, 1, 2):
        store.save_snapshot(make_snapshot(chain.blocks[index], b"state%d" % index))
    store.close()
    newest = sorted((home / "snapshots").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-1] + b"X")

    store = open_store(home)
    recovery = store.load()

    assert recovery.snapshot == b"state1"
    assert [block.header.height for block in recovery.blocks] == [3, 4]
    assert store.get_statistics().counters == {"snapshots_damaged": 1}
    assert len(list((home / "snapshots").iterdir())) == 2


def test_deleted_index_is_rebuilt_from_the_segments(tmp_path: Path) -> None:
    """sqlite is never the only copy."""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(3)
    result = ItemResult(0, make_digest(77), Status.COMMIT, "", 5)
    store = open_store(home)
    perform_chain(store, chain)
    store.perform([StoreExecution(make_executed(chain.blocks[1], result)), PersistBatch(make_batch(1, 1))])
    store.close()
    for path in home.glob("index.sqlite*"):
        path.unlink()

    store = open_store(home)
    recovery = store.load()

    assert tuple(recovery.blocks) == tuple(chain.blocks)
    assert recovery.batches == (make_batch(1, 1),)
    assert store.reader.get_transaction(make_digest(77)) == (2, result, 2)


def test_damaged_index_is_rebuilt_from_the_segments(tmp_path: Path) -> None:
    """A file that is no database is replaced, and counted."""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(2)
    store = open_store(home)
    perform_chain(store, chain)
    store.close()
    (home / "index.sqlite").write_bytes(b"no database at all" * 100)

    store = open_store(home)

    assert len(tuple(store.load().blocks)) == 2
    assert store.get_statistics().counters == {"index_unreadable": 1}


def test_torn_block_segment_keeps_the_blocks_before_and_goes_on(tmp_path: Path) -> None:
    """A loss of power may cut the last frame and leave the index ahead: the block is fetched again."""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(3)
    store = open_store(home)
    perform_chain(store, chain)
    store.close()
    path = get_segment_path(home / "blocks", 1)
    executed_bytes = len(path.read_bytes()) // 3 // 3
    path.write_bytes(path.read_bytes()[: -executed_bytes * 2])

    store = open_store(home)
    height = len(tuple(store.load().blocks))
    assert height < 3
    store.perform([PersistBlock(block) for block in chain.blocks[height:]])
    store.close()

    assert tuple(open_store(home).load().blocks) == tuple(chain.blocks)


def test_damage_inside_a_block_segment_ends_what_is_replayed(tmp_path: Path) -> None:
    """A block that cannot be read is never handed over, nor is one above it; the rest is fetched again."""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(4)
    store = open_store(home)
    perform_chain(store, chain)
    place = store.reader._query("SELECT offset FROM blocks WHERE height = ?", 3)[0][0]
    store.close()
    path = get_segment_path(home / "blocks", 1)
    data = bytearray(path.read_bytes())
    data[place + 20] ^= 1
    path.write_bytes(data)

    assert [block.header.height for block in open_store(home).load().blocks] == [1, 2]


def test_recovered_blocks_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    """A restart does not hold all blocks in memory at once."""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(2)
    store = open_store(home)
    perform_chain(store, chain)
    blocks = iter(store.load().blocks)
    assert next(blocks).header.height == 1
    store.close()
    with pytest.raises((StoreError, ValueError)):
        next(blocks)


def test_pruning_removes_old_heights_and_segments_and_keeps_waiting_batches(tmp_path: Path) -> None:
    """Disk use is bounded by the heights retained; a batch that waits for a block survives its segment."""
    home, chain = make_home(tmp_path), Chain()
    store = open_store(home, retain_heights=40, segment_bytes_max=20_000)
    waiting = make_batch(1, 1)
    store.perform([PersistBatch(waiting)])
    for _ in range(200):
        block = chain.grow(payload=b"x" * 500)[0]
        store.perform([PersistBlock(block), StoreExecution(make_executed(block))])
        if block.header.height % 50 == 0:
            store.save_snapshot(make_snapshot(block))
            store.perform([StoreCommitmentCertificate(make_commitment_certificate(block.header.height))])
    assert store.reader.get_executed(100) is None
    assert store.reader.get_block(100) is None
    store.close()
    for path in home.glob("index.sqlite*"):
        path.unlink()

    store = open_store(home, retain_heights=40, segment_bytes_max=20_000)

    assert store.load().batches == (waiting,)
    assert not get_segment_path(home / "blocks", 1).exists()
    assert len(list((home / "blocks").iterdir())) <= 10
    assert store.reader.get_block_heights()[1] == 200


def test_index_that_forgot_a_pruning_is_rebuilt(tmp_path: Path) -> None:
    """After a loss of power the index may name a segment that is gone; then it is not believed in anything."""
    home, chain = make_home(tmp_path), Chain()
    store = open_store(home, segment_bytes_max=2_000)
    chain.grow(20)
    perform_chain(store, chain)
    store.save_snapshot(make_snapshot(chain.blocks[9], b"state"))
    store.close()
    get_segment_path(home / "blocks", 1).unlink()

    store = open_store(home)

    assert store.get_statistics().counters == {"index_unpruned": 1}
    assert [block.header.height for block in store.load().blocks] == list(range(11, 21))


def test_segment_whose_removal_a_crash_prevented_goes_at_the_next_start(tmp_path: Path) -> None:
    """The index forgets a segment before the file goes; a kill between the two must not keep the file for ever."""
    home, chain = make_home(tmp_path), Chain()
    store = open_store(home, segment_bytes_max=2_000)
    chain.grow(20)
    perform_chain(store, chain)
    store.close()
    with closing(sqlite3.connect(home / "index.sqlite")) as index, index:
        index.execute("DELETE FROM segments WHERE number = 1")

    store = open_store(home, segment_bytes_max=2_000)

    assert not get_segment_path(home / "blocks", 1).exists()
    assert store.get_statistics().counters == {"segments_leftover": 1}


def test_block_with_a_damaged_batch_is_whole_again_once_it_is_stored_again(tmp_path: Path) -> None:
    """What peers give back must take the place of what the disk lost, although the index knows the batch."""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(3, payload=b"fragile")
    store = open_store(home)
    perform_chain(store, chain)
    store.close()
    path = get_segment_path(home / "blocks", 1)
    data = bytearray(path.read_bytes())
    data[data.index(chain.blocks[1].batches[0].payload)] ^= 1
    path.write_bytes(data)
    store = open_store(home)
    assert tuple(store.load().blocks) == (chain.blocks[0],)

    store.perform([PersistBlock(block) for block in chain.blocks[1:]])

    store.close()
    store = open_store(home)
    assert tuple(store.load().blocks) == tuple(chain.blocks)


def test_pruning_keeps_the_blocks_that_a_restart_needs(tmp_path: Path) -> None:
    """Without a snapshot every block stays, whatever was asked for; look-ups are pruned all the same."""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(100)
    store = open_store(home, retain_heights=10)
    perform_chain(store, chain)
    assert store.reader.get_executed(50) is None
    store.close()
    assert len(tuple(open_store(home).load().blocks)) == 100


def test_load_blocks_reaches_to_the_newest_certificate_of_its_range(tmp_path: Path) -> None:
    """A peer that catches up gets the certificate that it can check its execution against. # R2"""
    home, chain = make_home(tmp_path), Chain()
    chain.grow(5)
    store = open_store(home)
    perform_chain(store, chain)
    store.perform([StoreCommitmentCertificate(make_commitment_certificate(height)) for height in (2, 4)])

    loaded = store.load_blocks(9, 2, 2)

    assert (loaded.request, [block.header.height for block in loaded.blocks]) == (9, [2, 3])
    assert loaded.commitment == make_commitment_certificate(2)


def make_evidence(view: int) -> Evidence:
    """Return evidence that is well formed; its signatures are nobody's."""
    digests = (make_digest(1), make_digest(2))
    one, other = (Statement(SignatureKind.NOTARIZE, 0, 1, view, digest, bytes(64)) for digest in digests)
    found = find_contradiction(one, other)
    assert found is not None
    return found


def test_evidence_is_there_after_a_restart_in_its_order(tmp_path: Path) -> None:
    """What was performed is found again, also by a store that was opened in between."""
    home = make_home(tmp_path)
    for view in (5, 3):
        store = open_store(home)
        store.load()
        store.perform([StoreEvidence(make_evidence(view))])
        store.close()
    assert open_store(home).load().evidence == (make_evidence(5), make_evidence(3))


@pytest.mark.parametrize("lost", [1, 30, 200])
def test_torn_evidence_is_cut_off_and_the_log_goes_on(tmp_path: Path, lost: int) -> None:
    """Evidence is soft: the last piece goes, the others stay, and the next one is written behind them."""
    home = make_home(tmp_path)
    store = open_store(home)
    store.perform([StoreEvidence(make_evidence(1)), StoreEvidence(make_evidence(2))])
    store.close()
    path = home / "evidence.log"
    path.write_bytes(path.read_bytes()[:-lost])
    store = open_store(home)
    assert store.load().evidence == (make_evidence(1),)
    assert store.get_statistics().counters["evidence_truncated"] == 1
    store.perform([StoreEvidence(make_evidence(3))])
    store.close()
    assert open_store(home).load().evidence == (make_evidence(1), make_evidence(3))


@pytest.mark.parametrize("texts", [(b"a", b"b"), (b"b", b"a")])
def test_L4_batches_of_one_position_come_back_in_the_order_of_writing(tmp_path: Path, texts: tuple[bytes, ...]) -> None:
    """What was chosen first was written first, whatever the digests are."""
    home = make_home(tmp_path)
    batches = tuple(make_batch(1, 1, text=text) for text in texts)
    store = open_store(home)
    store.perform([PersistBatch(batch) for batch in batches])
    store.close()
    assert open_store(home).load().batches == batches
