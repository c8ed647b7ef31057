"""Answer peers from the store: blocks by height, and batches that memory has let go of. # R2 L6

One request per peer and kind at a time. Blocks that are larger than one answer, together with the
next one that carries a finalization, travel without their batches; those are fetched by digest.
"""

from __future__ import annotations

from dataclasses import replace

from sequencer.types.block import FinalizedBlock
from sequencer.types.effects import LoadBatches, LoadBlocks, Send
from sequencer.types.events import BatchesLoaded, BlocksLoaded
from sequencer.types.messages import MESSAGE_BYTES_MAX, Batches, GetBatches, Sync, SyncBlocks
from sequencer.types.primitives import Height, ValidatorIndex

ANSWER_BYTES_MAX = MESSAGE_BYTES_MAX - (64 << 10)
"""Payload bytes of one answer, with room for headers and certificates."""
_BLOCK_OVERHEAD_BYTES = 1 << 10
_VALIDATOR_OVERHEAD_BYTES = 128
"""At most what a header and a certificate need per validator: a tip, an index and a signature."""
_BATCH_OVERHEAD_BYTES = 512


class BlockServer:
    """Requests of peers that wait for the store."""

    def __init__(self) -> None:
        self._next = 1
        self._open: dict[int, ValidatorIndex] = {}
        self._fetches: dict[int, tuple[ValidatorIndex, ValidatorIndex]] = {}
        self.requests_refused = 0
        """A peer asked again before its last request was answered; for the statistics."""

    @property
    def syncs_open(self) -> int:
        """Return how many requests for blocks wait for the store."""
        return len(self._open)

    @property
    def fetches_open(self) -> int:
        """Return how many requests for batches wait for the store."""
        return len(self._fetches)

    def on_sync(self, peer: ValidatorIndex, request: Sync, executed: Height) -> LoadBlocks | Send | None:
        """Load what the peer asks for; say so at once if there is nothing."""
        if peer in self._open.values():
            self.requests_refused += 1
            return None
        if request.from_height > executed or request.count == 0:
            return Send(peer, SyncBlocks((), None))
        number = self._take_number()
        self._open[number] = peer
        return LoadBlocks(number, request.from_height, request.count)

    def on_fetch(self, peer: ValidatorIndex, request: GetBatches) -> LoadBatches | None:
        """Look in the store for batches that are not in memory. # L6"""
        if any(asker == peer for asker, _ in self._fetches.values()):
            self.requests_refused += 1
            return None
        number = self._take_number()
        self._fetches[number] = (peer, request.lane)
        return LoadBatches(number, request.lane, request.tip_digest, request.low, request.high)

    def on_batches_loaded(self, loaded: BatchesLoaded) -> Send | None:
        """Send as many of the stored batches as fit."""
        peer, lane = self._fetches.pop(loaded.request, (None, 0))
        return Send(peer, make_batches_answer(lane, loaded)) if peer is not None and loaded.batches else None

    def _take_number(self) -> int:
        number, self._next = self._next, self._next + 1
        return number

    def on_loaded(self, loaded: BlocksLoaded) -> Send | None:
        """Answer the peer that asked for these blocks."""
        peer = self._open.pop(loaded.request, None)
        if peer is None:
            return None
        return Send(peer, make_answer(loaded))


def make_batches_answer(lane: ValidatorIndex, loaded: BatchesLoaded) -> Batches:
    """Return as many of the batches, from the tip downwards, as one message holds."""
    size, count = 0, 0
    for batch in loaded.batches:
        size += len(batch.payload) + _BATCH_OVERHEAD_BYTES
        count += size <= ANSWER_BYTES_MAX
    return Batches(lane, loaded.batches[:count])


def make_answer(loaded: BlocksLoaded) -> SyncBlocks:
    """Return as many of the blocks as one message holds, up to the last one that carries its finalization.

    If none of those does, return the blocks up to the first that does, without batches.
    """
    blocks = _trim(_fit(loaded.blocks)) or _strip(loaded.blocks)
    return SyncBlocks(blocks, loaded.commitment if blocks else None, loaded.oldest, loaded.newest)


def _fit(blocks: tuple[FinalizedBlock, ...]) -> tuple[FinalizedBlock, ...]:
    size, count = 0, 0
    for block in blocks:
        size += _BLOCK_OVERHEAD_BYTES + _VALIDATOR_OVERHEAD_BYTES * len(block.header.cut)
        size += sum(len(batch.payload) + _BATCH_OVERHEAD_BYTES for batch in block.batches)
        if size > ANSWER_BYTES_MAX:
            break
        count += 1
    return blocks[:count]


def _trim(blocks: tuple[FinalizedBlock, ...]) -> tuple[FinalizedBlock, ...]:
    """Drop what no certificate here proves."""
    while blocks and blocks[-1].finalization is None:
        blocks = blocks[:-1]
    return blocks


def _strip(blocks: tuple[FinalizedBlock, ...]) -> tuple[FinalizedBlock, ...]:
    """Return the blocks that the first certificate here proves, without batches."""
    count = next((number for number, block in enumerate(blocks, 1) if block.finalization is not None), 0)
    return tuple(replace(block, batches=()) for block in blocks[:count])
