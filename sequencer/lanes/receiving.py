"""Take in the batches of others, pushed or fetched, and answer who fetches. # L3 L6"""

from __future__ import annotations

from collections.abc import Iterable

from sequencer.crypto.signatures import Verifier
from sequencer.errors import PeerError
from sequencer.lanes.batch_fetch import BatchFetch
from sequencer.lanes.held import HeldLanes
from sequencer.lanes.lane import REORDER_MAX
from sequencer.lanes.standing import Standing
from sequencer.types.batch import Batch
from sequencer.types.committee import Committee
from sequencer.types.effects import Send
from sequencer.types.messages import MESSAGE_BYTES_MAX, Batches, GetBatches
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Digest, Instant, Tip, ValidatorIndex


class Receiving:
    """What peers send of lanes, checked before it is kept."""

    def __init__(
        self,
        chain_id: Digest,
        committee: Committee,
        parameters: Parameters,
        verifier: Verifier,
        held: HeldLanes,
        standing: Standing,
        fetch: BatchFetch,
    ) -> None:
        self._chain_id = chain_id
        self._committee = committee
        self._parameters = parameters
        self._verifier = verifier
        self._held = held
        self._standing = standing
        self._fetch = fetch

    def on_batch(self, peer: ValidatorIndex, batch: Batch, now: Instant) -> None:
        """A lane's owner pushed a batch. # L3"""
        header, counters = batch.header, self._held.counters
        if header.epoch != self._committee.epoch or header.lane != peer:
            raise PeerError(f"validator {peer} pushed a batch of lane {header.lane} in epoch {header.epoch}")
        lane = self._held[peer]
        window = self._parameters.lane_window + self._parameters.lane_window_slack
        if not lane.floor.position < header.position <= lane.floor.position + window:
            counters.batches_out_of_window += 1
            return
        if lane.get_batch(batch.digest) is not None or batch.digest in lane.early:
            return
        self._verify_batch(batch)
        if lane.get_conflict(batch) is not None:
            self._standing.freeze(peer)  # X5
            counters.batches_refused += 1
        elif not lane.has_room(batch, 0 if lane.may_extend(batch) else self._parameters.batch_bytes_max):
            counters.batches_over_budget += 1  # an early one leaves room for that which it waits for
        elif lane.may_extend(batch):
            lane.note_pushed(batch)
            self._held.keep(batch)
            self._held.extend(peer, now.mono_ms)
        elif len(lane.early) < REORDER_MAX:
            lane.hold_early(batch)
        else:
            counters.batches_refused += 1

    def on_batches(self, reply: Batches, now: Instant) -> None:
        """Fetched batches came; only what was asked for is kept: a chain from a wanted tip down. # L6

        An owner can sign any position: what stands elsewhere than asked would never be passed by the floor, and stay.
        """
        first = Tip(reply.batches[0].header.position, reply.batches[0].digest) if reply.batches else None
        low = None if first is None else self._fetch.get_lowest_asked(reply.lane, first)
        if first is None or low is None:
            return
        batches = reply.batches[: first.position - low + 1]
        expected = first
        for batch in batches:
            if (batch.header.position, batch.digest, batch.header.lane) != (*expected, reply.lane):
                raise PeerError(f"fetched batches of lane {reply.lane} are no chain")
            self._verify_batch(batch)
            expected = Tip(expected.position - 1, batch.header.parent)
        self.add_vouched(batches, now)

    def add_vouched(self, batches: Iterable[Batch], now: Instant) -> None:
        """Keep batches that their owner signed, or that a finalized block names. # L6 L4"""
        touched: dict[ValidatorIndex, None] = {}
        for batch in batches:
            if self._held[batch.header.lane].get_batch(batch.digest) is None:
                self._held.keep(batch)
                touched[batch.header.lane] = None
        for index in touched:
            self._held.extend(index, now.mono_ms)
            self._fetch.wake(index)

    def on_get_batches(self, peer: ValidatorIndex, request: GetBatches) -> bool:
        """A peer lacks batches: answer from the tip downwards as far as held; False if none is held. # L6"""
        if request.lane >= len(self._held):
            raise PeerError(f"fetch of lane {request.lane}, which does not exist")
        found = self._collect_down(request)
        if found:
            self._held.effects.append(Send(peer, Batches(request.lane, tuple(found))))
        else:
            self._held.counters.fetches_unanswered += 1
        return bool(found)

    def _collect_down(self, request: GetBatches) -> list[Batch]:
        """Return the held batches of the asked chain that fit one message, from the tip downwards."""
        found: list[Batch] = []
        size, digest = 0, request.tip_digest
        for position in range(request.high, request.low - 1, -1):
            batch = self._held[request.lane].get_batch(digest)
            if batch is None or batch.header.position != position:
                break
            size += len(batch.payload) + 1_024
            if size > MESSAGE_BYTES_MAX - 1_024:
                break
            found.append(batch)
            digest = batch.header.parent
        return found

    def _verify_batch(self, batch: Batch) -> None:
        """Raise `PeerError` unless payload and signature are what the header says; note what its owner signed."""
        header, largest = batch.header, self._parameters.batch_bytes_max
        if header.payload_bytes > largest or not batch.is_payload_intact:
            self._held.watch.note_false(batch, largest)
            raise PeerError(f"batch {header.position} of lane {header.lane} has a wrong payload")  # X7
        key = self._committee.validators[header.lane].public_key
        if not self._verifier(key, header.compute_signing_bytes(self._chain_id), batch.signature):
            raise PeerError(f"batch {header.position} of lane {header.lane} has a wrong signature")
        self._held.watch.note(batch)
