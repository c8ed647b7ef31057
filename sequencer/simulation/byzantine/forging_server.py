"""Replace L6 and R2, answers are what was asked for: it answers wrongly, and draws requests by a false height. # B16"""

from __future__ import annotations

from dataclasses import replace

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.types.batch import Batch, encode_payload
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.effects import Effect, Send
from sequencer.types.messages import Batches, BlockHeaders, Hello, Message, SyncBlocks
from sequencer.types.signing import SignatureKind
from sequencer.types.snapshot import compute_manifest
from sequencer.types.snapshot_messages import SnapshotChunk, SnapshotOffer
from sequencer.types.vote import Certificate, VoteKind

LEAD_HEIGHTS = 50
"""By how much its HELLO is ahead of the truth."""


class ForgingServer(Behaviour):
    """Serves other batches, cut answers, foreign headers, blocks that never were final, states nobody computed."""

    name = "forging_server"

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Spoil every answer, and say HELLO from a height that does not exist."""
        if not isinstance(effect, Send):
            return (effect,)
        message = effect.message
        if isinstance(message, Hello):
            return (Send(effect.peer, replace(message, finalized_height=message.finalized_height + LEAD_HEIGHTS)),)
        if isinstance(message, SnapshotOffer | SnapshotChunk):
            return (Send(effect.peer, self.mark(self._spoil_snapshot(message))),)
        if isinstance(message, Batches | BlockHeaders | SyncBlocks):
            return (Send(effect.peer, self.mark(self._spoil(message))),)
        return (effect,)

    def _spoil(self, message: Batches | BlockHeaders | SyncBlocks) -> Message:
        if isinstance(message, Batches):
            return Batches(message.lane, tuple(self._spoil_batch(batch) for batch in message.batches))
        if isinstance(message, BlockHeaders):
            headers = tuple(replace(header, time_ms=header.time_ms + 1) for header in message.headers)
            return BlockHeaders(self.rng.choice((headers, (), message.headers[:1] * 8)))
        oldest = self.rng.choice((0, message.newest + LEAD_HEIGHTS))
        return SyncBlocks(self._spoil_blocks(message.blocks), message.commitment, oldest, message.newest)

    def _spoil_snapshot(self, message: SnapshotOffer | SnapshotChunk) -> Message:
        """Change a byte of a chunk, or what a claim says of the chunks, its height or its proof."""
        if isinstance(message, SnapshotChunk):
            return replace(message, data=self.rng.choice((b"", message.data[:-1] + b"?", message.data[1:])))
        claim = message.claim
        if claim is None:
            return message
        certificate = claim.chain.certificate
        weak = replace(certificate, signers=certificate.signers[:1], signatures=certificate.signatures[:1])
        spoilt = self.rng.choice(
            (
                claim,  # its chunks will lie
                replace(claim, chunks=compute_manifest(bytes(claim.size))),
                replace(claim, chain=replace(claim.chain, certificate=weak)),
                replace(claim, header=replace(claim.header, height=claim.height + LEAD_HEIGHTS)),
            )
        )
        return replace(message, claim=spoilt)

    def _spoil_batch(self, batch: Batch) -> Batch:
        other = self.make_batch(batch.header.position, batch.header.parent, encode_payload(()), 0)
        return self.rng.choice(
            (other, replace(batch, payload=batch.payload + b"\x00"), replace(batch, signature=bytes(64)))
        )

    def _spoil_blocks(self, blocks: tuple[FinalizedBlock, ...]) -> tuple[FinalizedBlock, ...]:
        """Change the last block, drop its batches or its proof, or make blocks up."""
        if not blocks or self.rng.random() < 0.3:
            return (self._make_up(blocks[0].header if blocks else self.node.config.genesis.header),)
        last = blocks[-1]
        spoilt = self.rng.choice(
            (
                replace(last, batches=last.batches[1:] or tuple(block for other in blocks for block in other.batches)),
                replace(last, finalization=None),
                replace(last, header=replace(last.header, time_ms=last.header.time_ms + 1)),
                replace(last, batches=tuple(self._spoil_batch(batch) for batch in last.batches)),
            )
        )
        return (*blocks[:-1], spoilt)

    def _make_up(self, parent: BlockHeader) -> FinalizedBlock:
        """Return a block above `parent`, finalized by nobody but this validator under all names."""
        header = replace(
            parent,
            view=parent.view + 1,
            height=parent.height + 1,
            parent_view=parent.view,
            parent_digest=parent.digest,
            time_ms=parent.time_ms + 1,
        )
        own = self.sign(SignatureKind.FINALIZE, header.view, header.digest)
        signers = tuple(range(self.committee.size))
        proof = Certificate(VoteKind.FINALIZE, header.epoch, header.view, header.digest, signers, (own,) * len(signers))
        return FinalizedBlock(header, proof, ())
