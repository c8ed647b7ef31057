"""Order the batches of one block: sweep over the lanes in an order nobody can choose. # O2 O3"""

from __future__ import annotations

from collections.abc import Sequence

from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader
from sequencer.types.primitives import Digest, ValidatorIndex


def compute_lane_order(epoch_seed: Digest, header: BlockHeader) -> tuple[ValidatorIndex, ...]:
    """Return the lanes in the order of H("ord" ‖ epoch seed ‖ height ‖ parent digest ‖ lane).

    All of it is fixed before the leader acts, so it cannot be ground. # O3
    """
    height = header.height.to_bytes(8, "big")
    return tuple(
        sorted(
            range(len(header.cut)),
            key=lambda lane: hash_tagged(Tag.ORDER, epoch_seed, height, header.parent_digest, lane.to_bytes(8, "big")),
        )
    )


def compute_batch_order(epoch_seed: Digest, header: BlockHeader, lanes: Sequence[Sequence[Batch]]) -> tuple[Batch, ...]:
    """Return all batches of a block: for k = 1, 2, … the k-th new batch of each lane. # O3

    `lanes[i]` are the new batches of lane i by position.
    """
    longest = max(map(len, lanes), default=0)
    if not longest:
        return ()
    order = compute_lane_order(epoch_seed, header)
    return tuple(lanes[lane][step] for step in range(longest) for lane in order if step < len(lanes[lane]))
