"""A store proves and serves the states that it keeps, takes in those of others whole, lets go of the rest. # R2 L7"""

from __future__ import annotations

from pathlib import Path

import pytest

from sequencer.store.disk import Disk
from sequencer.store.node_store import NodeStore
from sequencer.types.block import BlockHeader
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.effects import (
    InstallSnapshot,
    LoadSnapshot,
    LoadSnapshotChunk,
    PersistBatch,
    PersistBlock,
    PersistVote,
    StoreCommitmentCertificate,
    StoreExecution,
)
from sequencer.types.receipt import CertifiedChain
from sequencer.types.records import RecordKind
from sequencer.types.snapshot import (
    SNAPSHOT_CHUNK_BYTES,
    SnapshotClaim,
    compute_chunk_digest,
    compute_manifest,
    split_snapshot,
)
from tests.unit.store.chain import (
    Chain,
    make_batch,
    make_commitment_certificate,
    make_executed,
    make_home,
    make_snapshot,
    make_vote,
    open_store,
)

STATE = bytes(range(256)) * 2_500
"""Three chunks, the last one shorter."""


def perform(store: NodeStore, chain: Chain, count: int) -> None:
    """Add blocks with their executions."""
    for block in chain.grow(count):
        store.perform([PersistBlock(block), StoreExecution(make_executed(block))])


def certify(store: NodeStore, height: int) -> None:
    store.perform([StoreCommitmentCertificate(make_commitment_certificate(height))])


def load_claim(store: NodeStore, above: int = 0) -> SnapshotClaim | None:
    return store.load_snapshot(LoadSnapshot(1, above)).claim


def load_chunk(store: NodeStore, height: int, index: int) -> bytes:
    return store.load_snapshot_chunk(LoadSnapshotChunk(1, height, index)).data


def make_served_store(tmp_path: Path) -> tuple[NodeStore, Chain]:
    """Return a store of seven blocks with the snapshot of the fourth, certified by the sixth."""
    store, chain = open_store(make_home(tmp_path)), Chain()
    perform(store, chain, 7)
    store.save_snapshot(make_snapshot(chain.blocks[3], STATE))
    certify(store, 6)
    return store, chain


# --- serving ----------------------------------------------------------------------------


def test_R2_claim_carries_the_commitments_up_to_the_certified_one(tmp_path: Path) -> None:
    """Header, manifest and the chain 4, 5, 6 with the certificate of 6."""
    store, chain = make_served_store(tmp_path)
    claim = load_claim(store)
    assert claim is not None
    assert (claim.header, claim.size, claim.chunks) == (chain.blocks[3].header, len(STATE), compute_manifest(STATE))
    assert [commitment.height for commitment in claim.chain.commitments] == [4, 5, 6]
    assert claim.chain.certificate == make_commitment_certificate(6)
    loaded = store.load_snapshot(LoadSnapshot(9, 0))
    assert (loaded.request, loaded.oldest, loaded.newest) == (9, 1, 7)


@pytest.mark.parametrize("above", [4, 5, 100])
def test_R2_snapshot_that_is_not_above_is_not_offered(tmp_path: Path, above: int) -> None:
    """It would be of no use to the asker."""
    store, _ = make_served_store(tmp_path)
    assert load_claim(store, above) is None


def test_R2_newest_snapshot_that_is_certified_is_offered(tmp_path: Path) -> None:
    """A newer one without a certificate proves nothing yet."""
    store, chain = make_served_store(tmp_path)
    perform(store, chain, 3)
    store.save_snapshot(make_snapshot(chain.blocks[8], STATE[:100]))
    claim = load_claim(store)
    assert claim is not None and claim.height == 4  # noqa: PT018
    certify(store, 9)
    claim = load_claim(store)
    assert claim is not None and claim.height == 9  # noqa: PT018


def test_R2_snapshot_survives_a_restart_of_its_server(tmp_path: Path) -> None:
    """Head and chunks are read from the file."""
    store, _ = make_served_store(tmp_path)
    before = load_claim(store)
    store.close()
    store = open_store(store.home)
    assert load_claim(store) == before
    assert b"".join(load_chunk(store, 4, index) for index in range(3)) == STATE


def test_R2_chunks_are_the_parts_of_the_claim(tmp_path: Path) -> None:
    """Each hashes to its place in the manifest; what does not exist is empty."""
    store, _ = make_served_store(tmp_path)
    claim = load_claim(store)
    assert claim is not None
    chunks = [load_chunk(store, 4, index) for index in range(3)]
    assert chunks == list(split_snapshot(STATE))
    assert tuple(map(compute_chunk_digest, chunks)) == claim.chunks
    assert (load_chunk(store, 4, 3), load_chunk(store, 5, 0)) == (b"", b"")


def test_R2_altered_byte_is_served_as_it_is_and_shows_in_the_manifest(tmp_path: Path) -> None:
    """A server whose disk rots tells of it by its claim, so that whoever joins can name it."""
    store, _ = make_served_store(tmp_path)
    claim = load_claim(store)
    (path,) = (store.home / "snapshots").iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) - len(STATE) + SNAPSHOT_CHUNK_BYTES + 5] ^= 1
    path.write_bytes(data)

    altered = load_claim(store)

    assert claim is not None
    assert altered is not None
    differing = [index for index in range(3) if claim.chunks[index] != altered.chunks[index]]
    assert differing == [1]
    assert compute_chunk_digest(load_chunk(store, 4, 1)) == altered.chunks[1]


# --- taking in --------------------------------------------------------------------------


def make_foreign_claim(header: BlockHeader, certificate: CommitmentCertificate) -> SnapshotClaim:
    commitment = make_executed(Chain(header).grow()[0]).commitment
    commitments = (commitment.__class__(**{**commitment.__dict__, "height": header.height}),)
    return SnapshotClaim(header, len(STATE), compute_manifest(STATE), CertifiedChain(commitments, certificate))


def make_joined_store(tmp_path: Path) -> tuple[NodeStore, Chain]:
    """Return a store of two blocks, votes and batches on which a snapshot of height 30 was installed."""
    store, chain = open_store(make_home(tmp_path)), Chain()
    perform(store, chain, 2)
    store.perform([PersistBatch(make_batch(0, 20)), PersistBatch(make_batch(1, 5))])
    store.perform([PersistVote(make_vote(kind, number)) for kind, number in VOTES])
    chain.grow(28)
    store.perform([InstallSnapshot(make_foreign_claim(chain.header, make_commitment_certificate(31)), STATE)])
    return store, chain


VOTES = [(RecordKind.NULLIFY, 58), (RecordKind.NULLIFY, 62), (RecordKind.OWN_BATCH, 5), (RecordKind.COMMITMENT, 2)]
"""The block of height 30 is of view 60."""


@pytest.mark.parametrize("is_restarted", [False, True], ids=["running", "restarted"])
def test_R2_installed_snapshot_is_where_the_node_starts(tmp_path: Path, is_restarted: bool) -> None:
    """Its state, its certificate and its view count; blocks below lead nowhere; the vote log is what it was."""
    store, chain = make_joined_store(tmp_path)
    if is_restarted:
        store.close()
        store = open_store(store.home)

    recovery = store.load()

    assert (recovery.snapshot, recovery.snapshot_header) == (STATE, chain.header)
    assert (recovery.finalized_header, recovery.finalization) == (chain.header, None)
    assert recovery.commitment == make_commitment_certificate(31)
    assert tuple(recovery.blocks) == ()
    assert {(r.kind, r.number) for r in recovery.votes} == set(VOTES[1:])
    assert recovery.batches == (make_batch(1, 5),)
    assert recovery.observer_reason is None


def test_R2_blocks_go_on_above_an_installed_snapshot(tmp_path: Path) -> None:
    """The next block is stored, recovered and served as any other."""
    store, chain = make_joined_store(tmp_path)
    store.load()
    perform(store, chain, 2)
    store.close()
    store = open_store(store.home)
    assert [block.header.height for block in store.load().blocks] == [31, 32]
    loaded = store.load_blocks(1, 1, 32)
    assert (loaded.blocks, loaded.oldest, loaded.newest) == ((), 31, 32)


def test_R2_joined_node_serves_the_snapshot_that_it_joined_by(tmp_path: Path) -> None:
    """As soon as it has executed up to the certificate."""
    store, chain = make_joined_store(tmp_path)
    store.load()
    assert load_claim(store) is None
    perform(store, chain, 1)
    claim = load_claim(store)
    assert claim is not None
    assert ([c.height for c in claim.chain.commitments], load_chunk(store, 30, 2)) == (
        [30, 31],
        split_snapshot(STATE)[2],
    )


def test_R2_death_before_the_snapshot_stands_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It appears under its name whole or not at all."""
    store, chain = open_store(make_home(tmp_path)), Chain()
    perform(store, chain, 2)
    blocks = tuple(chain.blocks)
    chain.grow(28)

    class Killed(BaseException):
        pass

    def die(disk: Disk, path: Path, data: bytes) -> None:
        path.with_name(path.name + ".tmp").write_bytes(data[:-1])
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Disk, "replace", die)
        with pytest.raises(Killed):
            store.perform([InstallSnapshot(make_foreign_claim(chain.header, make_commitment_certificate(31)), STATE)])
    store.close()

    recovery = open_store(store.home).load()

    assert recovery.snapshot is None
    assert tuple(recovery.blocks) == blocks


# --- letting go -------------------------------------------------------------------------


def grow_pruned(store: NodeStore, *, is_certified: bool) -> None:
    """Perform 400 blocks with a snapshot every 20 heights, where 40 are retained."""
    chain = Chain()
    for _ in range(20):
        perform(store, chain, 20)
        store.save_snapshot(make_snapshot(chain.blocks[-1]))
        if is_certified:
            certify(store, chain.header.height)


def test_L7_blocks_go_behind_a_certified_snapshot_and_segments_with_them(tmp_path: Path) -> None:
    """Disk use follows the heights retained, however small the blocks are."""
    store = open_store(make_home(tmp_path), retain_heights=40)
    grow_pruned(store, is_certified=True)
    oldest, newest = store.reader.get_block_heights()
    assert newest == 400
    assert 300 < oldest <= 361
    assert 1 < len(list((store.home / "blocks").iterdir())) <= 5
    assert store.load_blocks(1, 1, 32).blocks == ()
    claim = load_claim(store)
    assert claim is not None
    assert store.reader.get_block(claim.height + 1) is not None or claim.height == 400


def test_L7_nothing_goes_that_no_certificate_covers(tmp_path: Path) -> None:
    """Who needs a block could not be given a proven state instead."""
    store = open_store(make_home(tmp_path), retain_heights=40)
    grow_pruned(store, is_certified=False)
    assert store.reader.get_block_heights() == (1, 400)


def test_L7_certified_snapshot_stays_while_newer_ones_are_not(tmp_path: Path) -> None:
    """Beside the newest two the newest that can be proven is kept."""
    store, chain = make_served_store(tmp_path)
    for _ in range(3):
        perform(store, chain, 4)
        store.save_snapshot(make_snapshot(chain.blocks[-1]))
    names = sorted(int(path.stem) for path in (store.home / "snapshots").iterdir())
    assert names == [4, 15, 19]
    assert load_chunk(store, 4, 0) == STATE[:SNAPSHOT_CHUNK_BYTES]


def test_L7_newest_block_with_its_own_finalization_stays(tmp_path: Path) -> None:
    """Without any finalization nobody can lead after a restart: if that were all validators, the network would stop."""
    store, chain = open_store(make_home(tmp_path), retain_heights=40), Chain()
    perform(store, chain, 20)
    proven = chain.header
    for _ in range(20):
        for block in chain.grow(20, is_finalized=False):
            store.perform([PersistBlock(block), StoreExecution(make_executed(block))])
        store.save_snapshot(make_snapshot(chain.blocks[-1]))
        certify(store, chain.header.height)
    assert 1 < store.reader.get_block_heights()[0] <= proven.height
    store.close()
    recovery = open_store(store.home, retain_heights=40).load()
    assert recovery.finalized_header == proven
    assert recovery.finalization is not None
