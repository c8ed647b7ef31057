"""Take in batches and HAVEs, answer what is available, and keep the own lane going. # L1-L7

Promises: nothing is vouched for (HAVE) before the effect that makes it durable; never two
digests for one position of a lane; every table is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sequencer.crypto.signatures import Signer, Verifier
from sequencer.errors import PeerError
from sequencer.lanes.batch_fetch import BatchFetch
from sequencer.lanes.holdings import Holdings
from sequencer.lanes.lane import REORDER_MAX, Lane
from sequencer.lanes.own_lane import OwnLane
from sequencer.types.batch import Batch
from sequencer.types.committee import Committee
from sequencer.types.effects import Broadcast, Effect, PersistBatch, PersistVote, Send
from sequencer.types.messages import MESSAGE_BYTES_MAX, Batches, GetBatches, Have, HaveEntry
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Cut, Digest, Instant, Position, Tip, ValidatorIndex, get_earliest
from sequencer.types.records import RecordKind, VoteRecord


@dataclass(slots=True)
class LaneCounters:
    """What was refused or repeated, for the statistics."""

    batches_out_of_window: int = 0
    batches_refused: int = 0
    """Another digest is held for the position (evidence X5), or the reorder buffer was full."""
    batches_pushed: int = 0
    fetches_unanswered: int = 0
    """Fetches of batches that are not in memory; the store is asked."""


class Lanes:
    """All lanes of one epoch as one node holds them; fulfils `consensus.Availability`."""

    def __init__(
        self,
        chain_id: Digest,
        committee: Committee,
        parameters: Parameters,
        own_index: ValidatorIndex | None,
        signer: Signer | None,
        verifier: Verifier,
        cut: Cut,
        own_top: Tip | None,
    ) -> None:
        self._chain_id = chain_id
        self._committee = committee
        self._parameters = parameters
        self._own_index = own_index
        self._verifier = verifier
        self._lanes = [Lane(tip) for tip in cut]
        self._holdings = [Holdings(committee) for _ in cut]
        self._fetch = BatchFetch(parameters.fetch_retry_ms)
        self._effects: list[Effect] = []
        self._created: list[Digest] = []
        self._arrived: list[Batch] = []
        self._dirty: dict[ValidatorIndex, None] = {}
        self._have_sent_ms: int | None = None
        self.own: OwnLane | None = None
        """The own lane; None for followers, observers, `--lane-off`, and after an alarm."""
        if own_index is not None and signer is not None:
            top = own_top or cut[own_index]
            self.own = OwnLane(chain_id, committee.epoch, own_index, signer, parameters, top)
        self.counters = LaneCounters()

    # --- what the replica takes ---------------------------------------------------------

    def take_effects(self) -> list[Effect]:
        """Return what is to be done, once, in order."""
        effects, self._effects = self._effects, []
        return effects

    def take_created(self) -> list[Digest]:
        """Return the ids of items that went into own batches, once; their push is among the effects."""
        created, self._created = self._created, []
        return created

    def take_arrived(self) -> list[Batch]:
        """Return batches (own ones too) whose items should be checked now, once."""
        arrived, self._arrived = self._arrived, []
        return arrived

    # --- Availability -------------------------------------------------------------------

    def is_available(self, lane: ValidatorIndex, tip: Tip, floor: Tip) -> bool:
        """Tell whether (floor, tip] is held, or weak power of others said HAVE. # V6"""
        held = self._lanes[lane]
        if held.is_on_chain(tip.position, tip.digest) or held.get_chain(tip, floor.position) is not None:
            return True
        return self._holdings[lane].is_weakly_held(held, tip.position, tip.digest)

    def get_proposable_cut(self, parent: Cut, advance_max: int, own_lane: ValidatorIndex | None) -> Cut:
        """Return per lane the highest supported tip above the parent's, and of `own_lane` the highest held. # P2"""
        return tuple(
            self._choose_tip(index, before, advance_max, index == own_lane) for index, before in enumerate(parent)
        )

    def fetch(self, lane: ValidatorIndex, tip: Tip, floor: Tip, sources: Sequence[ValidatorIndex], now_ms: int) -> None:
        """Fetch (floor, tip] from `sources`, after the time in which a push would arrive anyway. # L6"""
        if self._lanes[lane].find_missing(tip, floor.position) is not None:
            self._fetch.want(lane, tip, floor.position, sources, now_ms + self._parameters.have_interval_ms)

    def _choose_tip(self, index: ValidatorIndex, before: Tip, advance_max: int, is_own: bool) -> Tip:
        lane = self._lanes[index]
        highest = lane.top.position
        if highest <= before.position:
            return before
        if not is_own:
            highest = self._holdings[index].get_supported_position(lane, self._own_index)
        position = min(highest, before.position + advance_max)
        # After a restart the parent may lie below the floor: more was executed than the newest F known shows. # R1
        if position <= max(before.position, lane.floor.position):
            return before
        if lane.get_chain(Tip(position, lane.chain[position]), before.position) is None:
            return before
        return Tip(position, lane.chain[position])

    # --- delivery -----------------------------------------------------------------------

    def get_chain(self, lane: ValidatorIndex, tip: Tip, floor: Position) -> list[Batch] | None:
        """Return the batches (floor, tip] of a finalized cut by position, or None if one is missing. # O1 O2"""
        return self._lanes[lane].get_chain(tip, floor)

    def fetch_for_delivery(
        self, lane: ValidatorIndex, tip: Tip, floor: Position, sources: Sequence[ValidatorIndex], now_ms: int
    ) -> None:
        """Fetch what a finalized block needs; its voters have it. # L6 O1"""
        self._fetch.want(lane, tip, floor, sources, now_ms, is_delivery=True)

    def on_finalized(self, cut: Cut) -> bool:
        """A finalized block moved the lanes' floors; tell whether the own lane moved. # L3"""
        is_own_moved = False
        for index, tip in enumerate(cut):
            lane = self._lanes[index]
            if tip.position > lane.floor.position:
                is_own_moved |= index == self._own_index
                lane.advance_floor(tip)
                self._holdings[index].forget(tip.position)
                self._extend(index)
                self._dirty[index] = None  # an owner whose window was full waits to hear it # L2b
        return is_own_moved

    def on_delivered(self, cut: Cut) -> list[Digest]:
        """A block was executed and stored: its batches only answer fetches from now on. # L7

        Return the digests of all batches that are decided now, forks too.
        """
        return [digest for index, tip in enumerate(cut) for digest in self._lanes[index].release(tip.position)]

    # --- events -------------------------------------------------------------------------

    def restore(self, batches: Iterable[Batch]) -> None:
        """Take durable batches from the store; what completes a chain is vouched for again. # L4 R1"""
        stored: dict[ValidatorIndex, list[Batch]] = {}
        for batch in batches:
            stored.setdefault(batch.header.lane, []).append(batch)
            self._arrived.append(batch)
        for index in sorted(stored):
            if self._lanes[index].restore(stored[index]):
                self._dirty[index] = None
        if self.own is not None and self._own_index is not None:
            # A crash between the two syncs leaves a batch without its record, and it will be pushed. # L1 D1
            for batch in stored.get(self._own_index, ()):
                self._log(batch)

    def stop(self) -> None:
        """Sign no more batches, for ever; the lanes of the others go on. # C2"""
        self.own = None

    def add_item(self, item_id: Digest, item: bytes, now: Instant) -> bool:
        """Let an item wait for the next own batch; False if there is no own lane or no room."""
        if self.own is None or not self.own.has_room:
            return False
        self.own.add(item_id, item, now.mono_ms)
        return True

    def on_batch(self, peer: ValidatorIndex, batch: Batch) -> None:
        """A lane's owner pushed a batch. # L3"""
        header = batch.header
        if header.epoch != self._committee.epoch or header.lane != peer:
            raise PeerError(f"validator {peer} pushed a batch of lane {header.lane} in epoch {header.epoch}")
        lane = self._lanes[peer]
        window = self._parameters.lane_window + self._parameters.lane_window_slack
        if not lane.floor.position < header.position <= lane.floor.position + window:
            self.counters.batches_out_of_window += 1
            return
        if lane.get_batch(batch.digest) is not None or batch.digest in lane.early:
            return
        self._verify_batch(batch)
        if lane.get_conflict(batch) is not None:
            self.counters.batches_refused += 1
            return
        if lane.may_extend(batch):
            self._keep(batch)
            self._extend(peer)
        elif len(lane.early) < REORDER_MAX:
            lane.early[batch.digest] = batch
        else:
            self.counters.batches_refused += 1

    def on_have(self, peer: ValidatorIndex, have: Have, now: Instant) -> None:
        """A peer said what it holds. # L4 L2b"""
        self._verify_have(have)
        own_held = None
        for entry in have.entries:
            if entry.position > self._lanes[entry.lane].floor.position:
                self._holdings[entry.lane].note(peer, Tip(entry.position, entry.digest))
            if entry.lane == self._own_index:
                own_held = entry.position
        if self.own is not None and self._own_index is not None:
            self.own.on_have(peer, have.delivered[self._own_index], own_held, now.mono_ms)
        self._push(now)

    def on_hello(self, peer: ValidatorIndex, have: Have, now: Instant) -> None:
        """A connection to a peer is new: push what it lacks, note what it holds. # F5 L2b"""
        self._verify_have(have)
        if self.own is not None and self._own_index is not None:
            delivered = have.delivered[self._own_index]
            held = max((entry.position for entry in have.entries if entry.lane == self._own_index), default=0)
            self.own.on_connected(peer, delivered, min(held, self.own.top.position), now.mono_ms)
        self.on_have(peer, have, now)

    def on_disconnected(self, peer: ValidatorIndex) -> None:
        """The connection broke; the next HELLO says where to go on."""
        if self.own is not None:
            self.own.on_disconnected(peer)

    def on_get_batches(self, peer: ValidatorIndex, request: GetBatches) -> bool:
        """A peer lacks batches: answer from the tip downwards as far as held; False if none is held. # L6"""
        if request.lane >= len(self._lanes):
            raise PeerError(f"fetch of lane {request.lane}, which does not exist")
        found: list[Batch] = []
        size, digest = 0, request.tip_digest
        for position in range(request.high, request.low - 1, -1):
            batch = self._lanes[request.lane].get_batch(digest)
            if batch is None or batch.header.position != position:
                break
            size += len(batch.payload) + 1_024
            if size > MESSAGE_BYTES_MAX - 1_024:
                break
            found.append(batch)
            digest = batch.header.parent
        if found:
            self._effects.append(Send(peer, Batches(request.lane, tuple(found))))
        else:
            self.counters.fetches_unanswered += 1
        return bool(found)

    def on_batches(self, reply: Batches, now: Instant) -> None:
        """Fetched batches came; only a chain that starts with a wanted digest is kept. # L6"""
        if not reply.batches or not self._fetch.is_wanted(reply.lane, reply.batches[0].digest):
            return
        expected = reply.batches[0].digest
        for batch in reply.batches:
            if batch.digest != expected or batch.header.lane != reply.lane:
                raise PeerError(f"fetched batches of lane {reply.lane} are no chain")
            self._verify_batch(batch)
            expected = batch.header.parent
        self.add_vouched(reply.batches, now)

    def add_vouched(self, batches: Iterable[Batch], now: Instant) -> None:
        """Keep batches that their owner signed, or that a finalized block names. # L6 L4"""
        touched: dict[ValidatorIndex, None] = {}
        for batch in batches:
            if self._lanes[batch.header.lane].get_batch(batch.digest) is None:
                self._keep(batch)
                touched[batch.header.lane] = None
        for index in touched:
            self._extend(index)
            self._fetch.wake(index, now.mono_ms)

    def on_timer(self, now: Instant) -> None:
        """Flush the own lane, push again, say HAVE, fetch. # L1 L2b L4 L6"""
        self._flush(now)
        self._push(now)
        self._effects.extend(self._fetch.poll(self._find_missing, now.mono_ms))
        if self._dirty and now.mono_ms >= self._compute_have_time():
            self.flush_have(now)

    def flush_have(self, now: Instant) -> None:
        """Say HAVE for every lane that changed since the last time; called too when a vote leaves. # L4"""
        if not self._dirty or self._own_index is None:
            return
        entries = tuple(self._make_entry(index) for index in self._dirty if self._lanes[index].chain)
        self._dirty = {}
        self._have_sent_ms = now.mono_ms
        self._effects.append(Broadcast(Have(entries, self._get_floors())))

    def make_snapshot(self) -> Have:
        """Return the HAVE of all undelivered tips, for a HELLO. # F5"""
        entries = tuple(self._make_entry(index) for index, lane in enumerate(self._lanes) if lane.chain)
        return Have(entries if self._own_index is not None else (), self._get_floors())

    def get_timer(self) -> int | None:
        """Return when `on_timer` must be called."""
        have_ms = self._compute_have_time() if self._dirty and self._own_index is not None else None
        flush_ms = repush_ms = None
        if self.own is not None and self._own_index is not None:
            flush_ms = self.own.get_flush_time(self._lanes[self._own_index].floor.position)
            repush_ms = self.own.get_repush_time()
        return get_earliest(self._fetch.get_timer(), have_ms, flush_ms, repush_ms)

    # --- inside -------------------------------------------------------------------------

    def _verify_batch(self, batch: Batch) -> None:
        header = batch.header
        if header.payload_bytes > self._parameters.batch_bytes_max or not batch.is_payload_intact:
            raise PeerError(f"batch {header.position} of lane {header.lane} has a wrong payload")  # X7
        key = self._committee.validators[header.lane].public_key
        if not self._verifier(key, header.compute_signing_bytes(self._chain_id), batch.signature):
            raise PeerError(f"batch {header.position} of lane {header.lane} has a wrong signature")

    def _verify_have(self, have: Have) -> None:
        if len(have.delivered) != len(self._lanes):
            raise PeerError(f"HAVE names {len(have.delivered)} lanes of {len(self._lanes)}")
        if any(entry.lane >= len(self._lanes) for entry in have.entries):
            raise PeerError("HAVE names a lane that does not exist")

    def _keep(self, batch: Batch) -> None:
        self._effects.append(PersistBatch(batch))
        self._lanes[batch.header.lane].keep(batch)
        self._arrived.append(batch)

    def _log(self, batch: Batch) -> None:
        record = VoteRecord(RecordKind.OWN_BATCH, batch.header.epoch, batch.header.position, batch.digest)
        self._effects.append(PersistVote(record))

    def _take_early(self, lane: Lane) -> None:
        """Batches that came before their parent may fit now, whichever way it came. # L3"""
        for batch in sorted(lane.early.values(), key=lambda early: early.header.position):
            is_held = lane.get_batch(batch.digest) is not None
            is_first = batch.header.position == lane.floor.position + 1
            if is_held or is_first or lane.get_batch(batch.header.parent) is not None:
                del lane.early[batch.digest]
                if not is_held:
                    self._keep(batch)

    def _extend(self, index: ValidatorIndex) -> None:
        """Vouch for what has become complete. # L4"""
        self._take_early(self._lanes[index])
        if self._lanes[index].extend():
            self._dirty[index] = None

    def _flush(self, now: Instant) -> None:
        """Build own batches as far as time and window allow; durable before they are sent. # L1"""
        if self.own is None or self._own_index is None:
            return
        floor = self._lanes[self._own_index].floor.position
        flush_ms = self.own.get_flush_time(floor)
        while flush_ms is not None and now.mono_ms >= flush_ms:
            batch, item_ids = self.own.build(now.mono_ms)
            self._keep(batch)
            self._log(batch)
            self._extend(self._own_index)
            self._created.extend(item_ids)
            flush_ms = self.own.get_flush_time(floor)

    def _push(self, now: Instant) -> None:
        if self.own is None or self._own_index is None:
            return
        lane = self._lanes[self._own_index]
        for peer, position in self.own.take_pushes(now.mono_ms):
            batch = lane.get_batch(lane.chain[position]) if position in lane.chain else None
            if batch is not None:
                self.counters.batches_pushed += 1
                self._effects.append(Send(peer, batch))

    def _find_missing(self, lane: ValidatorIndex, tip: Tip, floor: Position) -> Tip | None:
        return self._lanes[lane].find_missing(tip, floor)

    def _make_entry(self, index: ValidatorIndex) -> HaveEntry:
        top = self._lanes[index].top
        return HaveEntry(index, top.position, top.digest)

    def _get_floors(self) -> tuple[Position, ...]:
        return tuple(lane.floor.position for lane in self._lanes)

    def _compute_have_time(self) -> int:
        return 0 if self._have_sent_ms is None else self._have_sent_ms + self._parameters.have_interval_ms
