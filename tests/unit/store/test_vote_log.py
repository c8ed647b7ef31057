"""The vote log never forgets a record that was synced, and never lets a second one contradict it. # D1"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sequencer.errors import InvariantViolation, StoreError
from sequencer.store import vote_log as subject
from sequencer.store.disk import Disk
from sequencer.store.encoding import VOTE_FRAME_BYTES
from sequencer.store.vote_log import (
    VoteLog,
    VoteLogUnusable,
    create_vote_log,
    make_genesis_mark,
    open_vote_log,
    read_records,
)
from sequencer.types.primitives import Tip
from sequencer.types.records import FinalizedMark, RecordKind, VoteRecord, compute_have_number
from sequencer.types.vote import Certificate, VoteKind
from tests.unit.store.chain import GENESIS, Chain, FlakySync, make_digest, make_vote

NOTARIZE, NULLIFY, FINALIZE = RecordKind.NOTARIZE, RecordKind.NULLIFY, RecordKind.FINALIZE


def make_log(tmp_path: Path, views: int = 0) -> VoteLog:
    create_vote_log(tmp_path / "votes", make_genesis_mark(GENESIS.digest), Disk())
    log = open_vote_log(tmp_path / "votes", Disk())
    for view in range(1, views + 1):
        log.append(make_vote(NOTARIZE, view))
    log.sync()
    return log


def test_log_after_reopening_holds_every_synced_record(tmp_path: Path) -> None:
    """What was synced is read back in the order of writing."""
    log = make_log(tmp_path, views=3)
    log.close()

    reopened = open_vote_log(tmp_path / "votes", Disk())

    assert reopened.records == tuple(make_vote(NOTARIZE, view) for view in (1, 2, 3))
    assert read_records(tmp_path / "votes") == (make_genesis_mark(GENESIS.digest), reopened.records)


def test_log_with_unsynced_record_loses_only_that_at_a_crash(tmp_path: Path) -> None:
    """What was appended and never synced was never sent, so it may go."""
    log = make_log(tmp_path, views=1)
    log.append(make_vote(NOTARIZE, 2))
    log.close()

    assert open_vote_log(tmp_path / "votes", Disk()).records == (make_vote(NOTARIZE, 1),)


@pytest.mark.parametrize("missing_bytes", range(1, VOTE_FRAME_BYTES))
def test_log_with_torn_tail_drops_only_the_torn_record(tmp_path: Path, missing_bytes: int) -> None:
    """However much of the last record is missing, the ones before it stay and the log goes on. # D1"""
    make_log(tmp_path, views=3).close()
    path = subject.get_segment_path(tmp_path / "votes", 1)
    path.write_bytes(path.read_bytes()[:-missing_bytes])

    log = open_vote_log(tmp_path / "votes", Disk())
    log.append(make_vote(NOTARIZE, 3, name=9))
    log.sync()

    assert read_records(path)[1] == (make_vote(NOTARIZE, 1), make_vote(NOTARIZE, 2), make_vote(NOTARIZE, 3, name=9))


def test_log_with_any_damaged_byte_before_the_tail_is_unusable(tmp_path: Path) -> None:
    """No byte of mark and earlier records can change without the node noticing. # D1"""
    make_log(tmp_path, views=3).close()
    path = subject.get_segment_path(tmp_path / "votes", 1)
    whole = path.read_bytes()
    for offset in range(len(whole) - VOTE_FRAME_BYTES):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(VoteLogUnusable, match="damaged"):
            open_vote_log(tmp_path / "votes", Disk())


def test_log_that_is_missing_is_unusable(tmp_path: Path) -> None:
    """A deleted log is told from a new one, because `init` writes the first record. # D1"""
    with pytest.raises(VoteLogUnusable, match="missing"):
        open_vote_log(tmp_path / "votes", Disk())


def test_log_that_exists_is_never_created_again(tmp_path: Path) -> None:
    """Initializing a home twice would forget votes."""
    make_log(tmp_path).close()
    with pytest.raises(StoreError, match="already"):
        create_vote_log(tmp_path / "votes", make_genesis_mark(GENESIS.digest), Disk())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (make_vote(NOTARIZE, 5, 1), make_vote(NOTARIZE, 5, 2)),
        (make_vote(FINALIZE, 5, 1), make_vote(FINALIZE, 5, 2)),
        (make_vote(NULLIFY, 5), make_vote(FINALIZE, 5)),
        (make_vote(FINALIZE, 5), make_vote(NULLIFY, 5)),
        (make_vote(RecordKind.PROPOSAL, 5, 1), make_vote(RecordKind.PROPOSAL, 5, 2)),
        (make_vote(RecordKind.OWN_BATCH, 5, 1), make_vote(RecordKind.OWN_BATCH, 5, 2)),
        (make_vote(RecordKind.COMMITMENT, 5, 1), make_vote(RecordKind.COMMITMENT, 5, 2)),
    ],
)
def test_record_that_contradicts_another_is_refused(tmp_path: Path, first: object, second: object) -> None:
    """Even a broken core cannot make this node sign evidence against itself, not after a restart either. # X1-X6"""
    log = make_log(tmp_path)
    log.append(first)  # type: ignore[arg-type]  # parametrize erases the type
    log.sync()
    log.close()
    log = open_vote_log(tmp_path / "votes", Disk())
    with pytest.raises(InvariantViolation):
        log.append(second)  # type: ignore[arg-type]  # parametrize erases the type


def test_record_that_is_repeated_is_written_once(tmp_path: Path) -> None:
    """Sending an old vote again costs no second record."""
    log = make_log(tmp_path, views=2)
    before = log.position
    log.append(make_vote(NOTARIZE, 2))
    log.sync()
    assert log.position == before


def test_nullify_after_notarize_is_allowed(tmp_path: Path) -> None:
    """Giving up a view for which one voted is legal. # V11"""
    log = make_log(tmp_path, views=1)
    log.append(make_vote(NULLIFY, 1, 0))
    log.sync()
    assert len(log.records) == 2


def test_full_segment_is_replaced_and_keeps_what_still_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a roll one segment is left: mark, views from the mark on, own batches and commitments. # C4"""
    monkeypatch.setattr(subject, "SEGMENT_RECORDS_MAX", 10)
    log = make_log(tmp_path, views=10)
    log.append(make_vote(RecordKind.OWN_BATCH, 1))
    log.append(make_vote(RecordKind.COMMITMENT, 1))
    log.sync()
    log.roll_if_full(FinalizedMark(0, 8, 4, make_digest(8), None))
    log.close()

    reopened = open_vote_log(tmp_path / "votes", Disk())

    assert [path.name for path in (tmp_path / "votes").iterdir()] == ["00000002.log"]
    assert reopened.mark.view == 8
    assert [(r.kind, r.number) for r in reopened.records] == [
        *((NOTARIZE, view) for view in (8, 9, 10)),
        (RecordKind.OWN_BATCH, 1),
        (RecordKind.COMMITMENT, 1),
    ]
    with pytest.raises(InvariantViolation, match="at or below"):
        reopened.append(make_vote(NULLIFY, 8))


def test_L4_choice_above_the_marked_cut_moves_to_the_next_segment() -> None:
    """What is finalized needs no choice any more."""
    header = replace(GENESIS, view=8, cut=(Tip(3, make_digest(3)), Tip(0, bytes(32))))
    mark = FinalizedMark(0, 8, 4, header.digest, None, header)
    numbers = [compute_have_number(*place) for place in ((0, 3), (0, 4), (1, 1))]
    records = [make_vote(RecordKind.HAVE, number) for number in numbers]
    assert [record.number for record in subject.select_carried(records, mark)] == numbers[1:]


def test_crash_between_new_and_old_segment_uses_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both segments on disk is a legal state after a crash; the newer is whole by then."""
    monkeypatch.setattr(subject, "SEGMENT_RECORDS_MAX", 4)
    log = make_log(tmp_path, views=4)
    old = subject.get_segment_path(tmp_path / "votes", 1).read_bytes()
    log.roll_if_full(FinalizedMark(0, 2, 1, make_digest(2), None))
    log.close()
    subject.get_segment_path(tmp_path / "votes", 1).write_bytes(old)

    reopened = open_vote_log(tmp_path / "votes", Disk())

    assert reopened.mark.view == 2
    assert [path.name for path in (tmp_path / "votes").iterdir()] == ["00000002.log"]


def test_grounds_logged_with_a_vote_outlive_restart_and_roll(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever voted for a block still has its header and the certificates below, even when all restart at once. # R1"""
    monkeypatch.setattr(subject, "SEGMENT_RECORDS_MAX", 4)
    headers = [block.header for block in Chain().grow(3)]
    log = make_log(tmp_path)
    grounds = [Certificate(VoteKind.NULLIFY, 0, view, bytes(32), (0,), (bytes(64),)) for view in (1, 3, 5)]
    for header, ground in zip(headers, grounds, strict=True):
        log.append(VoteRecord(NOTARIZE, 0, header.view, header.digest), header, [ground])
    log.sync()
    log.roll_if_full(FinalizedMark(0, headers[1].view, 2, headers[1].digest, None, headers[1]))
    log.close()

    reopened = open_vote_log(tmp_path / "votes", Disk())

    assert reopened.headers == (headers[1], headers[2])
    assert reopened.certificates == (grounds[2],)
    assert reopened.mark.header == headers[1]


def test_full_segment_without_progress_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rolling frees nothing while no new view is final, so it waits."""
    monkeypatch.setattr(subject, "SEGMENT_RECORDS_MAX", 4)
    log = make_log(tmp_path, views=4)
    log.roll_if_full(make_genesis_mark(GENESIS.digest))
    assert log.position.segment == 1


def test_sync_that_fails_is_a_store_error(tmp_path: Path) -> None:
    """The error names the operation and the file."""
    make_log(tmp_path).close()
    sync = FlakySync()
    log = open_vote_log(tmp_path / "votes", Disk(sync_file=sync))
    log.append(make_vote(NOTARIZE, 1))
    sync.failure = 5
    with pytest.raises(StoreError, match=r"cannot sync .*00000001\.log: Input/output error"):
        log.sync()
