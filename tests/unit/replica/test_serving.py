"""What peers and clients ask for is answered within bounds. # R2 I14"""

from __future__ import annotations

from dataclasses import replace

from sequencer.replica.block_server import ANSWER_BYTES_MAX, BlockServer
from sequencer.replica.item_checks import BATCHES_MAX, GOSSIP_MAX, SUBMISSIONS_MAX, BatchCheck, ItemChecks
from sequencer.types.batch import Batch
from sequencer.types.block import FinalizedBlock
from sequencer.types.effects import LoadBatches, LoadBlocks, Send
from sequencer.types.events import BatchesLoaded, BlocksLoaded
from sequencer.types.messages import MESSAGE_BYTES_MAX, Batches, GetBatches, Sync, SyncBlocks, encode_message
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.vote import VoteKind
from tests.unit.core_world import Group, name_digest

GROUP = Group()
WRONG = Rejection(Reason.MALFORMED, "item")


def make_blocks(*finalized: bool, batches: tuple[Batch, ...] = ()) -> tuple[FinalizedBlock, ...]:
    """Return consecutive blocks, each with its finalization or without."""
    blocks = []
    header = GROUP.root
    for is_finalized in finalized:
        header = GROUP.child(header)
        certificate = GROUP.certify(VoteKind.FINALIZE, header.view, header.digest) if is_finalized else None
        blocks.append(FinalizedBlock(header, certificate, batches))
    return tuple(blocks)


def serve(blocks: tuple[FinalizedBlock, ...]) -> SyncBlocks:
    """Return the answer to a request for which the store has these blocks."""
    server = BlockServer()
    load = server.on_sync(2, Sync(1, 32), 100)
    assert isinstance(load, LoadBlocks)
    send = server.on_loaded(BlocksLoaded(load.request, blocks, GROUP.commitment_certificate(1, name_digest("c"))))
    assert isinstance(send, Send)
    assert isinstance(send.message, SyncBlocks)
    assert send.peer == 2
    return send.message


def test_R2_request_is_loaded_from_the_store() -> None:
    """The effect names heights as the peer did."""
    assert BlockServer().on_sync(2, Sync(5, 9), 100) == LoadBlocks(1, 5, 9)


def test_R2_request_above_what_is_executed_is_answered_empty() -> None:
    """The asker then knows that there is nothing."""
    assert BlockServer().on_sync(2, Sync(101, 32), 100) == Send(2, SyncBlocks((), None))


def test_R2_request_for_no_blocks_is_answered_empty() -> None:
    """And costs no disk."""
    assert BlockServer().on_sync(2, Sync(1, 0), 100) == Send(2, SyncBlocks((), None))


def test_I14_second_request_of_a_peer_waits_for_nothing() -> None:
    """One request per peer at a time; others are served meanwhile."""
    server = BlockServer()
    server.on_sync(2, Sync(1, 32), 100)
    second, other = server.on_sync(2, Sync(1, 32), 100), server.on_sync(3, Sync(1, 32), 100)
    assert (second, isinstance(other, LoadBlocks), server.requests_refused) == (None, True, 1)


def test_R2_answered_peer_may_ask_again() -> None:
    """The next range."""
    server = BlockServer()
    server.on_sync(2, Sync(1, 32), 100)
    server.on_loaded(BlocksLoaded(1, (), None))
    assert server.on_sync(2, Sync(33, 32), 100) == LoadBlocks(2, 33, 32)


def test_R2_answer_ends_with_a_block_that_carries_its_finalization() -> None:
    """What no certificate proves is left out."""
    blocks = make_blocks(False, True, False, False)
    assert serve(blocks).blocks == blocks[:2]


def test_R2_answer_without_any_finalization_is_empty() -> None:
    """Nothing could be proven."""
    assert serve(make_blocks(False, False)) == SyncBlocks((), None)


def test_I14_answer_fits_into_a_message() -> None:
    """Large blocks are answered in parts."""
    batch = GROUP.batch(1, 1, items=[bytes(65_000)] * 4)
    message = serve(make_blocks(*(True,) * 32, batches=(batch,) * 4))
    assert 0 < len(message.blocks) < 32
    assert len(encode_message(message)) <= MESSAGE_BYTES_MAX


def test_R2_single_block_larger_than_an_answer_travels_without_its_batches() -> None:
    """Nobody is left behind by a full block; its batches are fetched by digest."""
    batch = GROUP.batch(1, 1, items=[bytes(65_000)] * 4)
    count = ANSWER_BYTES_MAX // len(batch.payload) + 1
    (block,) = serve(make_blocks(True, True, batches=(batch,) * count)).blocks
    assert (block.header.height, block.finalization is None, block.batches) == (1, False, ())


def test_R2_large_blocks_before_the_first_finalization_travel_without_their_batches() -> None:
    """Blocks that only a later certificate proves leave nobody behind either, however large they are."""
    batch = GROUP.batch(1, 1, items=[bytes(65_000)] * 4)
    blocks = serve(make_blocks(False, False, True, True, batches=(batch,) * (ANSWER_BYTES_MAX // 2 // 260_000))).blocks
    assert [(block.header.height, block.batches) for block in blocks] == [(1, ()), (2, ()), (3, ())]
    assert blocks[-1].finalization is not None


def test_loaded_blocks_nobody_waits_for_are_dropped() -> None:
    """The peer may be gone."""
    assert BlockServer().on_loaded(BlocksLoaded(7, (), None)) is None


# --- checks off the critical path -------------------------------------------------------


def test_submissions_being_checked_are_bounded() -> None:
    """One too many is refused, and room comes back with an answer."""
    checks = ItemChecks()
    first = [checks.check_submission(number, (b"x",)) for number in range(SUBMISSIONS_MAX)]
    refused = checks.check_submission(0, (b"x",))
    assert first[0] is not None
    checks.on_checked(first[0].request, (WRONG,))
    assert (refused, checks.check_submission(0, (b"x",)) is None) == (None, False)


def test_gossip_being_checked_is_bounded() -> None:
    """One envelope too many is dropped."""
    checks = ItemChecks()
    started = [checks.check_gossip((b"x",)) for _ in range(GOSSIP_MAX + 1)]
    assert started.count(None) == 1


def test_batch_is_checked_once() -> None:
    """Twice arrived or twice asked is checked once."""
    checks, batch = ItemChecks(), GROUP.batch(1, 1)
    assert (checks.check_batch(batch) is None, checks.check_batch(batch) is None) == (False, True)


def test_batch_without_items_needs_no_check() -> None:
    """A payload that holds nothing is done at once."""
    checks, batch = ItemChecks(), replace(GROUP.batch(1, 1), payload=b"noise")
    assert (checks.check_batch(batch), checks.get_batch(batch.digest)) == (None, ())


def test_checked_batch_is_kept_until_it_is_released() -> None:
    """Execution takes the results from here."""
    checks, batch = ItemChecks(), GROUP.batch(1, 1)
    check = checks.check_batch(batch)
    assert check is not None
    assert isinstance(checks.on_checked(check.request, (WRONG,)), BatchCheck)
    before = checks.get_batch(batch.digest)
    checks.release(batch.digest)
    assert (before, checks.get_batch(batch.digest)) == (((b"x", WRONG),), None)


def test_answer_of_another_length_is_not_taken() -> None:
    """One result per item."""
    checks, batch = ItemChecks(), GROUP.batch(1, 1)
    check = checks.check_batch(batch)
    assert check is not None
    assert (checks.on_checked(check.request, ()), checks.get_batch(batch.digest)) == (None, None)


def test_I11_remembered_batches_are_bounded() -> None:
    """The oldest goes first and would be checked again if needed."""
    checks = ItemChecks()
    batches = [replace(GROUP.batch(1, number + 1), payload=b"noise") for number in range(BATCHES_MAX + 1)]
    for batch in batches:
        checks.check_batch(batch)
    assert (checks.get_batch(batches[0].digest), checks.get_batch(batches[1].digest)) == (None, ())


# --- fetches that memory cannot answer ---------------------------------------------------


def test_L6_batch_that_memory_let_go_is_looked_up_in_the_store() -> None:
    """A peer that was away for long needs what was delivered long ago."""
    server = BlockServer()
    assert server.on_fetch(2, GetBatches(1, GROUP.batch(1, 1).digest, 1, 1)) == LoadBatches(
        1, 1, GROUP.batch(1, 1).digest, 1, 1
    )


def test_L6_stored_batches_are_sent_to_who_asked() -> None:
    """The answer looks like one from memory."""
    server, batch = BlockServer(), GROUP.batch(1, 1)
    server.on_fetch(2, GetBatches(1, batch.digest, 1, 1))
    assert server.on_batches_loaded(BatchesLoaded(1, (batch,))) == Send(2, Batches(1, (batch,)))


def test_L6_second_fetch_from_the_store_waits_for_the_first() -> None:
    """One peer cannot keep the disk busy."""
    server, request = BlockServer(), GetBatches(1, GROUP.batch(1, 1).digest, 1, 1)
    server.on_fetch(2, request)
    assert (server.on_fetch(2, request), server.requests_refused) == (None, 1)
