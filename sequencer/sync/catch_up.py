"""Ask a peer for finalized blocks by height when the ordinary way falls behind. # R2

An answer is taken only whole: headers that link to the newest delivered block, a finalization
of the last one, and exactly the batches that the cuts name. The commitment certificate that
comes along is compared after execution. A full node has no ordinary way: it asks all the time,
whom `Following` says.
"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.crypto.signatures import Verifier
from sequencer.errors import PeerError
from sequencer.sync.following import Following
from sequencer.sync.state_sync import Need
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.committee import Committee
from sequencer.types.effects import Send
from sequencer.types.messages import SYNC_BLOCKS_MAX, Sync, SyncBlocks
from sequencer.types.primitives import Digest, Height, Instant, ValidatorIndex
from sequencer.types.vote import VoteKind

BEHIND_HEIGHTS_MIN = 8
"""A peer that has finalized this much more than is delivered here is asked at once."""
BLOCKED_MS_MIN = 1_000
"""Delivery or finality that waits this long for missing data asks a peer."""
ANSWER_MS_MAX = 2_000
"""An answer that takes longer is given up; the next peer is asked."""


@dataclass(frozen=True, slots=True)
class _Asked:
    peer: ValidatorIndex
    from_height: Height
    until_ms: int


class CatchUp:
    """One request at a time, to peers in turn."""

    def __init__(
        self, chain_id: Digest, committee: Committee, verifier: Verifier, following: Following | None = None
    ) -> None:
        """`following` makes it ask all the time, as a full node must."""
        self._chain_id = chain_id
        self._committee = committee
        self._verifier = verifier
        self.following = following
        self._is_waiting = False
        self._heights: dict[ValidatorIndex, Height] = {}
        self._highest: Height = 0
        """No peer ever said more."""
        self._asked: _Asked | None = None
        self._last_peer: ValidatorIndex = -1
        self._retry_ms = 0
        self._pruned: set[ValidatorIndex] = set()
        self._pruned_at: Height = 0
        self.requests_sent = 0
        """For the statistics."""

    def on_peer_height(self, peer: ValidatorIndex, height: Height) -> None:
        """A peer said how far it has finalized."""
        self._heights[peer] = max(height, self._heights.get(peer, 0))
        self._highest = max(height, self._highest)

    def on_connected(self, peer: ValidatorIndex) -> None:
        """A peer can be asked."""
        if self.following is not None:
            self.following.on_connected(peer)

    def on_disconnected(self, peer: ValidatorIndex) -> None:
        """Ask nobody who is not there."""
        if self.following is not None:
            self.following.on_disconnected(peer)
        self._heights.pop(peer, None)
        self._pruned.discard(peer)
        if self._asked is not None and self._asked.peer == peer:
            self._asked = None

    def poll(self, delivered: Height, blocked_since_ms: int | None, now: Instant, finalized: Height = 0) -> Send | None:
        """Return the next request if one is due.

        `blocked_since_ms`: since when finalized blocks cannot be delivered for lack of data.
        `finalized`: the newest height known to be final; a full node asks on once that is delivered.
        """
        if self._asked is not None and now.mono_ms < self._asked.until_ms:
            return None
        is_blocked = blocked_since_ms is not None and now.mono_ms - blocked_since_ms >= BLOCKED_MS_MIN
        if self.following is not None:
            return self._follow(self.following, delivered, finalized > delivered, is_blocked, now)
        self._asked = None
        limit = max(delivered, finalized) + BEHIND_HEIGHTS_MIN
        is_behind = self._highest >= limit and max(self._heights.values(), default=0) >= limit
        if not (is_blocked or is_behind) or now.mono_ms < self._retry_ms:
            return None
        return self._ask(delivered, is_blocked, now)

    def _follow(
        self, following: Following, delivered: Height, has_more: bool, is_blocked: bool, now: Instant
    ) -> Send | None:
        """Ask for what comes after the newest delivered block; not while more of what came waits its turn."""
        if self._asked is not None:
            following.leave(self._asked.peer)  # it took too long
            self._asked = None
        self._is_waiting = has_more and not is_blocked
        peer = None if self._is_waiting else following.choose(now, BLOCKED_MS_MIN // 4 if is_blocked else 0)
        return None if peer is None else self._make_request(peer, delivered, now)

    def get_timer(self, blocked_since_ms: int | None) -> int | None:
        """Return when `poll` may have something to do."""
        if self.following is not None and self._asked is None:
            if not self._is_waiting:
                return self.following.get_timer()
            return None if blocked_since_ms is None else blocked_since_ms + BLOCKED_MS_MIN
        if self._asked is not None:
            return self._asked.until_ms
        return None if blocked_since_ms is None else max(blocked_since_ms + BLOCKED_MS_MIN, self._retry_ms)

    def verify_answer(self, peer: ValidatorIndex, answer: SyncBlocks, head: BlockHeader) -> tuple[FinalizedBlock, ...]:
        """Return the blocks above `head` that the answer proves; raises `PeerError` if it proves nothing it says."""
        if self._asked is None or self._asked.peer != peer:
            return ()
        self._asked = None
        blocks = tuple(block for block in answer.blocks if block.header.height > head.height)
        if not blocks:
            self._heights[peer] = min(self._heights.get(peer, 0), head.height)
            if answer.oldest > head.height + 1:
                self._note_pruned(peer, head.height)
            if self.following is not None:
                self.following.leave(peer)
            return ()
        try:
            self._verify_links(blocks, head)
            self._verify_finalization(blocks[-1])
            _verify_batches(blocks, head)
            for block in blocks:
                self._verify_owners(block)
        except PeerError:
            self._heights.pop(peer, None)  # its word counts for nothing until it says HELLO again: no ping-pong. # I14
            raise
        return blocks

    def get_need(self, delivered: Height, retain_heights: int, has_asked: bool) -> Need:
        """Tell whether only a snapshot leads further, or may do so.

        `has_asked`: whether peers were asked for snapshots since the start; a full node, which hears of no
        height, does that before it asks for any block.
        """
        if self._pruned and self._pruned_at == delivered:
            able = self._heights if self.following is None else dict.fromkeys(self.following.connected, delivered + 1)
            is_anybody_left = any(height > delivered and peer not in self._pruned for peer, height in able.items())
            if not is_anybody_left or self._committee.is_weak(sorted(self._pruned)):
                return Need.STUCK
        is_first_contact = self.following is not None and not has_asked
        return Need.FAR if is_first_contact or self._is_far(delivered + retain_heights) else Need.NONE

    def _is_far(self, limit: Height) -> bool:
        """Tell whether a weak set, hence a correct validator, has come to `limit`."""
        if self._highest < limit:
            return False
        return self._committee.is_weak(sorted(peer for peer, height in self._heights.items() if height >= limit))

    def on_jumped(self) -> None:
        """The node stands on a snapshot: what was asked before leads nowhere."""
        self._asked = None
        self._pruned.clear()

    def _note_pruned(self, peer: ValidatorIndex, delivered: Height) -> None:
        """A peer says that it keeps the next block no more. # L7"""
        if self._pruned_at != delivered:
            self._pruned.clear()
        self._pruned_at = delivered
        self._pruned.add(peer)

    def _ask(self, delivered: Height, is_blocked: bool, now: Instant) -> Send | None:
        self._retry_ms = now.mono_ms + (BLOCKED_MS_MIN // 4 if is_blocked else 0)
        able = [peer for peer, height in sorted(self._heights.items()) if is_blocked or height > delivered]
        if not able:
            return None
        peer = next((peer for peer in able if peer > self._last_peer), able[0])
        self._last_peer = peer
        return self._make_request(peer, delivered, now)

    def _make_request(self, peer: ValidatorIndex, delivered: Height, now: Instant) -> Send:
        self._asked = _Asked(peer, delivered + 1, now.mono_ms + ANSWER_MS_MAX)
        self.requests_sent += 1
        return Send(peer, Sync(delivered + 1, SYNC_BLOCKS_MAX))

    def _verify_links(self, blocks: tuple[FinalizedBlock, ...], head: BlockHeader) -> None:
        parent = head
        for block in blocks:
            header = block.header
            if header.height != parent.height + 1 or header.parent_digest != parent.digest:
                raise PeerError(f"synced block {header.height} does not link to block {parent.height}")
            if header.epoch != self._committee.epoch or len(header.cut) != self._committee.size:
                raise PeerError(f"synced block {header.height} is of another committee")
            parent = header

    def _verify_owners(self, block: FinalizedBlock) -> None:
        """Every batch bears its owner's signature, so that this node may pass it on. # L6"""
        for batch in block.batches:
            key = self._committee.validators[batch.header.lane].public_key
            if not self._verifier(key, batch.header.compute_signing_bytes(self._chain_id), batch.signature):
                raise PeerError(f"synced block {block.header.height} carries a batch with a wrong signature")

    def _verify_finalization(self, last: FinalizedBlock) -> None:
        certificate = last.finalization
        if certificate is None or certificate.kind is not VoteKind.FINALIZE:
            raise PeerError(f"synced block {last.header.height} carries no finalization")
        if certificate.digest != last.header.digest or certificate.view != last.header.view:
            raise PeerError(f"the finalization of synced block {last.header.height} is of another block")
        certificate.verify(self._chain_id, self._committee, self._verifier)


def _verify_batches(blocks: tuple[FinalizedBlock, ...], head: BlockHeader) -> None:
    """Every batch is one that its block's cut adds, and none is missing. # O2

    Blocks that come without any batch are too large for one answer: their batches are fetched.
    """
    if not any(block.batches for block in blocks):
        return
    before = head.cut
    for block in blocks:
        batches = {batch.digest: batch for batch in block.batches if batch.is_payload_intact}
        named = 0
        for lane, (tip, floor) in enumerate(zip(block.header.cut, before, strict=True)):
            digest = tip.digest
            for position in range(tip.position, floor.position, -1):
                batch = batches.get(digest)
                if batch is None or (batch.header.lane, batch.header.position) != (lane, position):
                    raise PeerError(f"synced block {block.header.height} lacks batch {position} of lane {lane}")
                named, digest = named + 1, batch.header.parent
        if named != len(block.batches):
            raise PeerError(f"synced block {block.header.height} carries batches that its cut does not add")
        before = block.header.cut
