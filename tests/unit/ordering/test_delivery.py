"""Blocks come out strictly by height, whole, and what is missing is asked for. # O1"""

from __future__ import annotations

from collections.abc import Sequence

from sequencer.ordering.delivery import Delivery
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.primitives import Digest, Position, Tip, ValidatorIndex
from sequencer.types.vote import VoteKind
from tests.unit.core_world import Group, at, set_tip, tip

GROUP = Group()
CHAIN = GROUP.chain(1, 6)


class Shelf:
    """Holds batches of lane 1 and notes what is asked for."""

    def __init__(self, *batches: Batch) -> None:
        self.held: dict[Digest, Batch] = {batch.digest: batch for batch in batches}
        self.asked: list[tuple[int, Tip, Position, tuple[int, ...]]] = []

    def get_chain(self, lane: ValidatorIndex, tip: Tip, floor: Position) -> list[Batch] | None:
        found: list[Batch] = []
        digest = tip.digest
        for _ in range(tip.position, floor, -1):
            if digest not in self.held:
                return None
            found.insert(0, self.held[digest])
            digest = self.held[digest].header.parent
        return found

    def fetch_for_delivery(
        self, lane: ValidatorIndex, tip: Tip, floor: Position, sources: Sequence[ValidatorIndex], now_ms: int
    ) -> None:
        self.asked.append((lane, tip, floor, tuple(sources)))


def make_headers(*positions: int) -> list[BlockHeader]:
    """Return headers whose cuts stand at these positions of lane 1."""
    headers = [GROUP.root]
    for position in positions:
        cut = headers[-1].cut if position == 0 else set_tip(GROUP.root.cut, 1, tip(CHAIN[position - 1]))
        headers.append(GROUP.child(headers[-1], cut=cut))
    return headers[1:]


def deliver(shelf: Shelf, *headers: BlockHeader) -> Delivery:
    delivery = Delivery(GROUP.committee.seed, GROUP.root, shelf)
    for header in headers:
        delivery.add(header, None)
    return delivery


def take(delivery: Delivery, now_ms: int = 0) -> FinalizedBlock | None:
    return delivery.take((2, 3), at(now_ms))


def test_O1_whole_block_is_handed_out_with_its_batches() -> None:
    """The batches are those between the parent's cut and its own."""
    first, second = make_headers(2, 5)
    delivery = deliver(Shelf(*CHAIN), first, second)
    blocks = [take(delivery), take(delivery), take(delivery)]
    assert [b and [x.header.position for x in b.batches] for b in blocks] == [[1, 2], [3, 4, 5], None]


def test_O1_empty_block_is_handed_out_at_once() -> None:
    """It needs nothing."""
    (header,) = make_headers(0)
    assert take(deliver(Shelf(), header)) == FinalizedBlock(header, None, ())


def test_O1_block_with_a_missing_batch_holds_back_all_above_it() -> None:
    """Delivery is by height, though the block above is whole."""
    delivery = deliver(Shelf(), *make_headers(1, 0))
    assert (take(delivery), delivery.lag) == (None, 2)


def test_O1_L6_missing_batches_are_asked_for_from_the_voters() -> None:
    """Whoever voted has them."""
    shelf = Shelf(*CHAIN[:2])
    delivery = deliver(shelf, *make_headers(2, 4))
    take(delivery)
    take(delivery)
    assert shelf.asked == [(1, tip(CHAIN[3]), 2, (2, 3))]


def test_O1_blocked_since_is_told_from_the_first_miss_until_it_is_whole() -> None:
    """Catch-up starts from this time."""
    shelf = Shelf()
    delivery = deliver(shelf, *make_headers(1))
    take(delivery, 70)
    take(delivery, 90)
    blocked = delivery.blocked_since_ms
    shelf.held[CHAIN[0].digest] = CHAIN[0]
    block = take(delivery, 100)
    assert (blocked, block is not None, delivery.blocked_since_ms) == (70, True, None)


def test_C4_finalization_stays_with_its_block() -> None:
    """A block is stored with the certificate that it was handed in with."""
    (header,) = make_headers(0)
    certificate = GROUP.certify(VoteKind.FINALIZE, 1, header.digest)
    delivery = Delivery(GROUP.committee.seed, GROUP.root, Shelf())
    delivery.add(header, certificate)
    block = take(delivery)
    assert block is not None
    assert block.finalization == certificate


def test_O2_batch_above_a_fork_is_delivered_by_position() -> None:
    """The first batch above the parent's cut need not name the batch that the parent's cut names."""
    fork = GROUP.batch(1, 1, items=(b"fork",))
    first = GROUP.child(GROUP.root, cut=set_tip(GROUP.root.cut, 1, tip(fork)))
    second = GROUP.child(first, cut=set_tip(GROUP.root.cut, 1, tip(CHAIN[1])))
    delivery = deliver(Shelf(fork, *CHAIN), first, second)
    blocks = [take(delivery), take(delivery)]
    assert [b and b.batches for b in blocks] == [(fork,), (CHAIN[1],)]
