"""Look-ups find what was stored, and the first effective occurrence of a transaction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sequencer.errors import DecodeError
from sequencer.store.executed_encoding import decode_executed_block, encode_executed_block
from sequencer.store.interface import StoreEffect
from sequencer.types.effects import PersistBlock, StoreCommitmentCertificate, StoreExecution
from sequencer.types.executed import Decision, RollupVerdict, VerdictSource
from sequencer.types.outcome import ItemResult, Status
from sequencer.types.verdict import Verdict
from tests.unit.store.chain import (
    Chain,
    make_commitment_certificate,
    make_digest,
    make_executed,
    make_home,
    open_store,
)

ID = make_digest(42)
COMMIT = ItemResult(0, ID, Status.COMMIT, "", 7)
ABORT = ItemResult(1, ID, Status.ABORT, "NO:alpha:1@x", 7)
USED = ItemResult(2, ID, Status.INADMISSIBLE, "SEQUENCE_USED", 0)
WAITS = ItemResult(4, ID, Status.PENDING, "", 70)
GAP = ItemResult(3, ID, Status.INADMISSIBLE, "SEQUENCE_GAP", 0)


@pytest.mark.parametrize(
    ("occurrences", "expected"),
    [
        ([COMMIT], (1, COMMIT)),
        ([GAP, COMMIT, USED], (2, COMMIT)),
        ([ABORT, USED, USED], (1, ABORT)),
        ([GAP, USED], (1, GAP)),
        ([USED, ABORT, GAP], (2, ABORT)),
    ],
)
def test_transaction_ordered_more_than_once_shows_its_first_effect(
    tmp_path: Path, occurrences: list[ItemResult], expected: tuple[int, ItemResult]
) -> None:
    """COMMIT or ABORT wins over inadmissible copies, before and after it; executing again changes nothing."""
    store, chain = open_store(make_home(tmp_path)), Chain()
    effects: list[StoreEffect] = []
    for block, result in zip(chain.grow(len(occurrences)), occurrences, strict=True):
        effects += [PersistBlock(block), StoreExecution(make_executed(block, result))]
    store.perform(effects)
    store.perform(effects)
    assert store.reader.get_transaction(ID) == (*expected, expected[0])


@pytest.mark.parametrize("is_backwards", [False, True])
def test_decision_of_a_later_block_takes_over_the_row_of_what_waited(tmp_path: Path, is_backwards: bool) -> None:
    """Place of the order, result and height of the decision; in whichever order the frames are indexed."""
    store, chain = open_store(make_home(tmp_path)), Chain()
    first, second = chain.grow(2)
    decision = Decision(ID, 1, 4, Status.ABORT, "TIMEOUT:gamma", 5, ())
    ordered = make_executed(first, replace(WAITS, index=4), USED)
    decided = replace(make_executed(second), decisions=(decision,))
    executions = [StoreExecution(ordered), StoreExecution(decided)]
    store.perform([PersistBlock(first), PersistBlock(second), *(executions[::-1] if is_backwards else executions)])
    expected = ItemResult(4, ID, Status.ABORT, "TIMEOUT:gamma", 5)
    assert store.reader.get_transaction(ID) == (1, expected, 2)


def test_what_waits_has_no_height_of_decision_and_hides_inadmissible_copies(tmp_path: Path) -> None:
    """Control of the test before."""
    store, chain = open_store(make_home(tmp_path)), Chain()
    first, second = chain.grow(2)
    executions = [StoreExecution(make_executed(first, GAP)), StoreExecution(make_executed(second, WAITS, USED))]
    store.perform([PersistBlock(first), PersistBlock(second), *executions])
    assert store.reader.get_transaction(ID) == (2, WAITS, None)


def test_decision_in_the_block_that_ordered_it_is_found(tmp_path: Path) -> None:
    """It waited for a later item of the same block."""
    store, chain = open_store(make_home(tmp_path)), Chain()
    (first,) = chain.grow(1)
    decided = make_executed(first, replace(WAITS, index=0))
    decision = Decision(ID, 1, 0, Status.COMMIT, "", 9, ())
    store.perform([PersistBlock(first), StoreExecution(replace(decided, decisions=(decision,)))])
    assert store.reader.get_transaction(ID) == (1, ItemResult(0, ID, Status.COMMIT, "", 9), 1)


def test_lookups_find_what_was_stored_and_nothing_else(tmp_path: Path) -> None:
    """Batch by digest, block and execution by height, certificate exact, covering and newest."""
    store, chain = open_store(make_home(tmp_path)), Chain()
    first, second = chain.grow(2)
    certificates = [make_commitment_certificate(height) for height in (3, 6)]
    store.perform([PersistBlock(first), PersistBlock(second), StoreExecution(make_executed(first, COMMIT))])
    store.perform([StoreCommitmentCertificate(certificate) for certificate in certificates])
    reader = store.reader

    assert reader.get_batch(first.batches[0].digest) == first.batches[0]
    assert reader.get_batch(make_digest(5)) is None
    assert reader.get_block(2) == second
    assert reader.get_block(3) is None
    assert reader.get_executed(1) == make_executed(first, COMMIT)
    assert reader.get_executed(2) is None
    assert reader.get_executed_heights() == (1, 1)
    assert reader.get_certificate(4) is None
    assert reader.get_certificate(3) == reader.get_certificate_covering(1) == certificates[0]
    assert reader.get_certificate_covering(4) == certificates[1]
    assert reader.get_newest_certificate(5) == certificates[0]
    assert reader.get_certificate_covering(7) is None
    assert reader.get_transaction(make_digest(1)) is None


def test_range_of_large_blocks_reaches_to_the_first_finalization(tmp_path: Path) -> None:
    """Who catches up can prove nothing with blocks that end before it. # R2"""
    store, chain = open_store(make_home(tmp_path)), Chain()
    chain.grow(3, is_finalized=False)
    chain.grow(2)
    store.perform([PersistBlock(block) for block in chain.blocks])
    assert [block.header.height for block in store.reader.get_blocks(1, 32, 1)] == [1, 2, 3, 4]


def test_executed_block_has_one_encoding() -> None:
    """Encoding and decoding are inverse, and bytes that are not canonical are refused."""
    verdicts = (
        RollupVerdict(1, Verdict.YES, "", VerdictSource.NATIVE),
        RollupVerdict(2, Verdict.NO, "TOO_LOW@legs[1].conditions[0]", VerdictSource.CERTIFICATE),
        RollupVerdict(3, None, "", None),
    )
    decision = Decision(ID, 1, 4, Status.ABORT, "NO:beta:TOO_LOW@legs[1].conditions[0]", 9, verdicts)
    block = replace(make_executed(Chain().grow()[0], COMMIT, USED), decisions=(decision,))
    data = encode_executed_block(block)
    assert decode_executed_block(data) == block
    with pytest.raises(DecodeError):
        decode_executed_block(data + b"\x00")
