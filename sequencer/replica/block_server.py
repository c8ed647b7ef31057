"""Answer peers that catch up with stored blocks, one request per peer at a time. # R2"""

from __future__ import annotations

from sequencer.types.block import FinalizedBlock
from sequencer.types.effects import LoadBlocks, Send
from sequencer.types.events import BlocksLoaded
from sequencer.types.messages import MESSAGE_BYTES_MAX, Sync, SyncBlocks
from sequencer.types.primitives import Height, ValidatorIndex

ANSWER_BYTES_MAX = MESSAGE_BYTES_MAX - (64 << 10)
"""Payload bytes of one answer, with room for headers and certificates."""
_BLOCK_OVERHEAD_BYTES = 8 << 10


class BlockServer:
    """Requests of peers that wait for the store."""

    def __init__(self) -> None:
        self._next = 1
        self._open: dict[int, ValidatorIndex] = {}
        self.requests_refused = 0
        """A peer asked again before its last request was answered; for the statistics."""

    def on_sync(self, peer: ValidatorIndex, request: Sync, executed: Height) -> LoadBlocks | Send | None:
        """Load what the peer asks for; say so at once if there is nothing."""
        if peer in self._open.values():
            self.requests_refused += 1
            return None
        if request.from_height > executed or request.count == 0:
            return Send(peer, SyncBlocks((), None))
        number, self._next = self._next, self._next + 1
        self._open[number] = peer
        return LoadBlocks(number, request.from_height, request.count)

    def on_loaded(self, loaded: BlocksLoaded) -> Send | None:
        """Send as many blocks as fit, up to the last one that carries its finalization."""
        peer = self._open.pop(loaded.request, None)
        if peer is None:
            return None
        blocks = _fit(loaded.blocks)
        while blocks and blocks[-1].finalization is None:
            blocks = blocks[:-1]
        return Send(peer, SyncBlocks(blocks, loaded.commitment if blocks else None))


def _fit(blocks: tuple[FinalizedBlock, ...]) -> tuple[FinalizedBlock, ...]:
    size, count = 0, 0
    for block in blocks:
        size += _BLOCK_OVERHEAD_BYTES + sum(len(batch.payload) + 512 for batch in block.batches)
        if size > ANSWER_BYTES_MAX:
            break
        count += 1
    return blocks[:count]
