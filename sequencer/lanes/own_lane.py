"""Build this validator's batches and push each to everybody, again where it was lost. # L1 L2 L2b"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.crypto.signatures import Signer
from sequencer.errors import LocalError
from sequencer.types.batch import Batch, BatchHeader, compute_payload_hash, encode_payload
from sequencer.types.parameters import BATCH_ITEMS_MAX, Parameters
from sequencer.types.primitives import Digest, Epoch, Position, Tip, ValidatorIndex
from sequencer.types.signing import SignatureKind, compute_signing_bytes

WAITING_BYTES_MAX = 4 << 20
"""Bytes of items that wait for a batch; beyond it the mempool keeps them."""
REPUSH_BACKOFF_MAX = 5
"""Repeated pushes to a peer that makes no progress are at most 2^5 fetch intervals apart."""
REPUSH_BATCHES_MAX = 5
"""Batches pushed again at once to a peer without progress: it keeps no more early ones anyway."""
ITEM_OVERHEAD_BYTES = 5
"""Bytes that msgpack adds to an item, at most."""


@dataclass(slots=True)
class _Receiver:
    """What one peer has of the own lane."""

    delivered: Position = 0
    """Its finalized position of this lane; it accepts up to W_LANE above. # L3"""
    held: Position = 0
    """Its last HAVE for this lane."""
    pushed: Position = 0
    """Sent on the present connection."""
    progress_ms: int = 0
    tries: int = 0


class OwnLane:
    """The lane that this validator owns."""

    def __init__(
        self,
        chain_id: Digest,
        epoch: Epoch,
        index: ValidatorIndex,
        signer: Signer,
        parameters: Parameters,
        top: Tip,
    ) -> None:
        self._chain_id = chain_id
        self._epoch = epoch
        self._index = index
        self._signer = signer
        self._parameters = parameters
        self.top = top
        """Newest batch signed; the next one is right above it. # L1"""
        self._waiting: list[tuple[Digest, bytes]] = []
        self._waiting_bytes = 0
        self._waiting_since_ms: int | None = None
        self._receivers: dict[ValidatorIndex, _Receiver] = {}
        self._touched: dict[ValidatorIndex, None] = {}
        """Receivers to whom something happened since the last look at what they lack."""
        self._repush_ms: int | None = None

    # --- building -----------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Tell whether more items may wait for a batch."""
        return self._waiting_bytes < WAITING_BYTES_MAX

    @property
    def waiting_bytes(self) -> int:
        """Return the bytes of items that wait for a batch."""
        return self._waiting_bytes

    @property
    def receivers(self) -> int:
        """Return to how many peers batches are pushed."""
        return len(self._receivers)

    def add(self, item_id: Digest, item: bytes, now_ms: int) -> None:
        """Let an item wait for the next batch; the caller asked `has_room`."""
        if not self.has_room:
            raise LocalError("the own lane has no room")
        self._waiting.append((item_id, item))
        self._waiting_bytes += len(item) + ITEM_OVERHEAD_BYTES
        if self._waiting_since_ms is None:
            self._waiting_since_ms = now_ms

    def get_flush_time(self, floor: Position) -> int | None:
        """Return when the next batch may be built, or None if nothing waits or the window is full. # L1"""
        if self._waiting_since_ms is None or self.top.position + 1 > floor + self._parameters.lane_window:
            return None
        if self._waiting_bytes >= self._parameters.batch_target_bytes:
            return self._waiting_since_ms
        return self._waiting_since_ms + self._parameters.batch_delay_ms_max

    def build(self, now_ms: int) -> tuple[Batch, tuple[Digest, ...]]:
        """Sign the next batch of what waits; return it with the ids of its items.

        The caller makes it durable before it is sent. # L1
        """
        taken = self._take_items()
        payload = encode_payload([item for _, item in taken])
        header = BatchHeader(
            self._epoch,
            self._index,
            self.top.position + 1,
            self.top.digest,
            compute_payload_hash(payload),
            len(payload),
            len(taken),
        )
        signing_bytes = compute_signing_bytes(
            self._chain_id, self._epoch, SignatureKind.BATCH_HEADER, header.position, header.digest
        )
        self.top = Tip(header.position, header.digest)
        self._touched = dict.fromkeys(self._receivers)
        self._waiting_since_ms = now_ms if self._waiting else None
        batch = Batch(header, self._signer.sign(signing_bytes), payload)
        return batch, tuple(item_id for item_id, _ in taken)

    def _take_items(self) -> list[tuple[Digest, bytes]]:
        taken: list[tuple[Digest, bytes]] = []
        size = ITEM_OVERHEAD_BYTES
        for item_id, item in self._waiting[:BATCH_ITEMS_MAX]:
            size += len(item) + ITEM_OVERHEAD_BYTES
            if taken and size > self._parameters.batch_bytes_max:
                break
            taken.append((item_id, item))
        del self._waiting[: len(taken)]
        self._waiting_bytes -= sum(len(item) + ITEM_OVERHEAD_BYTES for _, item in taken)
        return taken

    # --- pushing ------------------------------------------------------------------------

    def on_connected(self, peer: ValidatorIndex, delivered: Position, held: Position, now_ms: int) -> None:
        """A peer said HELLO: push again whatever it does not hold. # L2b

        A second HELLO on one connection is no more than a HAVE: it must not cost a whole window.
        """
        if peer in self._receivers:
            self.on_have(peer, delivered, held, now_ms)
            return
        self._receivers[peer] = _Receiver(delivered, max(held, delivered), max(held, delivered), now_ms)
        self._touched[peer] = None

    def on_disconnected(self, peer: ValidatorIndex) -> None:
        """Nothing is pushed to a peer that is not there."""
        self._receivers.pop(peer, None)
        self._touched.pop(peer, None)
        self._repush_ms = self._compute_next_repush()

    def on_have(self, peer: ValidatorIndex, delivered: Position, held: Position | None, now_ms: int) -> None:
        """A peer reported its progress on this lane. # L2b L3"""
        receiver = self._receivers.get(peer)
        if receiver is None:
            return
        before = receiver.held, receiver.delivered
        receiver.delivered = max(receiver.delivered, delivered)
        receiver.held = max(receiver.held, min(max(delivered, held or 0), self.top.position))
        if receiver.held > before[0]:
            receiver.progress_ms, receiver.tries = now_ms, 0
        if (receiver.held, receiver.delivered) != before:
            self._touched[peer] = None

    def take_pushes(self, now_ms: int) -> list[tuple[ValidatorIndex, Position]]:
        """Return which positions to send to whom now, in order, within each receiver's window. # L2 L2b L3"""
        is_late = self._repush_ms is not None and now_ms >= self._repush_ms
        if not self._touched and not is_late:
            return []
        pushes: list[tuple[ValidatorIndex, Position]] = []
        for peer in sorted(self._receivers if is_late else self._touched):
            receiver = self._receivers[peer]
            if self._is_stalled(receiver, now_ms):
                receiver.pushed = receiver.held
                receiver.tries += 1
                receiver.progress_ms = now_ms
            receiver.pushed = max(receiver.pushed, receiver.held)  # what it got elsewhere it needs no more
            last = min(self.top.position, receiver.delivered + self._parameters.lane_window)
            if receiver.tries:
                last = min(last, receiver.held + REPUSH_BATCHES_MAX)
            if last > receiver.pushed and receiver.pushed == receiver.held:
                receiver.progress_ms = now_ms
            pushes.extend((peer, position) for position in range(receiver.pushed + 1, last + 1))
            receiver.pushed = max(receiver.pushed, last)
        self._touched.clear()
        self._repush_ms = self._compute_next_repush()
        return pushes

    def get_repush_time(self) -> int | None:
        """Return when a receiver without progress is pushed to again, as of the last `take_pushes`."""
        return self._repush_ms

    def _compute_next_repush(self) -> int | None:
        waiting = [receiver for receiver in self._receivers.values() if receiver.pushed > receiver.held]
        return min(map(self._compute_repush_ms, waiting), default=None)

    def _is_stalled(self, receiver: _Receiver, now_ms: int) -> bool:
        return receiver.pushed > receiver.held and now_ms >= self._compute_repush_ms(receiver)

    def _compute_repush_ms(self, receiver: _Receiver) -> int:
        return receiver.progress_ms + (self._parameters.fetch_retry_ms << min(receiver.tries, REPUSH_BACKOFF_MAX))
