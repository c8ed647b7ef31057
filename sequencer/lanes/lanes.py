"""Take in batches and HAVEs, answer what is available, and keep the own lane going. # L1-L7

Promises: nothing is vouched for (HAVE) before the effect that makes it durable; never two
digests for one position of a lane; every table is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from sequencer.crypto.signatures import Signer, Verifier
from sequencer.errors import PeerError
from sequencer.lanes.batch_fetch import BatchFetch
from sequencer.lanes.bounds import compute_bounds
from sequencer.lanes.held import HeldLanes, LaneCounters
from sequencer.lanes.own_lane import OwnLane
from sequencer.lanes.receiving import Receiving
from sequencer.lanes.spam import ItemMark, SpamWindow, make_spam_window
from sequencer.lanes.standing import Standing
from sequencer.lanes.tips import Tips
from sequencer.types.batch import Batch
from sequencer.types.committee import Committee
from sequencer.types.effects import Broadcast, Effect, PersistVote, Send
from sequencer.types.evidence import Contradiction, FalseBatch, Statement
from sequencer.types.messages import Batches, GetBatches, Have, HaveEntry
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import (
    Bounds,
    Cut,
    Digest,
    Height,
    Instant,
    LaneLimits,
    Position,
    Supported,
    Tip,
    ValidatorIndex,
    get_earliest,
)
from sequencer.types.records import RecordKind, VoteRecord

AGES_MAX = 1_024
"""Batches whose coming of age wakes a leader; of more than that the oldest are looked at on any other event."""


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
        is_optimistic: bool = True,
        is_logged: bool = True,
        spam: SpamWindow | None = None,
    ) -> None:
        """`is_logged`: the node has a vote log, as every validator in order."""
        self._parameters = parameters
        self._own_index = own_index
        self._held = HeldLanes(committee, cut, is_logged and own_index is not None)
        self._fetch = BatchFetch(parameters.fetch_retry_ms)
        self._standing = Standing(committee)
        self._spam = spam or make_spam_window(0, parameters, committee.size)
        self._tips = Tips(self._held, self._standing, parameters, own_index, is_optimistic)
        self._receiving = Receiving(chain_id, committee, parameters, verifier, self._held, self._standing, self._fetch)
        self._ages_ms: deque[int] = deque(maxlen=AGES_MAX)
        """When the pushed batches come of age for leaders, ascending. # P2"""
        self._created: list[Digest] = []
        self._have_sent_ms: int | None = None
        self.own: OwnLane | None = None
        """The own lane; None for followers, observers, `--lane-off`, and after an alarm."""
        if own_index is not None and signer is not None:
            top = own_top or cut[own_index]
            self.own = OwnLane(chain_id, committee.epoch, own_index, signer, parameters, top)

    # --- what the replica takes ---------------------------------------------------------

    @property
    def counters(self) -> LaneCounters:
        """What was refused or repeated, for the statistics."""
        return self._held.counters

    def take_effects(self) -> list[Effect]:
        """Return what is to be done, once, in order."""
        effects, self._held.effects = self._held.effects, []
        return effects

    def take_suspicions(self) -> list[Contradiction | FalseBatch | Statement]:
        """Return what was noticed of owners and nobody has verified, once. # X5 X7"""
        return self._held.watch.take_suspicions()

    def find_rivals(self, statement: Statement) -> list[Statement]:
        """Return the header seen here at the position that a statement is about."""
        return self._held.watch.find_rivals(statement)

    def take_created(self) -> list[Digest]:
        """Return the ids of items that went into own batches, once; their push is among the effects."""
        created, self._created = self._created, []
        return created

    def take_arrived(self) -> list[Batch]:
        """Return batches (own ones too) whose items should be checked now, once."""
        arrived, self._held.arrived = self._held.arrived, []
        return arrived

    def take_change(self) -> bool:
        """Tell, once, whether the answers about availability may have changed."""
        is_changed, self._held.is_changed = self._held.is_changed, False
        return is_changed

    # --- Availability -------------------------------------------------------------------

    def is_available(self, lane: ValidatorIndex, tip: Tip, floor: Tip) -> bool:
        """Tell whether (floor, tip] is held, or weak power of others said HAVE. # V6"""
        return self._tips.is_available(lane, tip, floor)

    def get_supported_cut(self, parent: Cut, limits: Sequence[int]) -> Cut:
        """Return per lane the highest supported tip within `limits` above the parent's. # L5"""
        return self._tips.get_supported_cut(parent, limits)

    def get_supported_tips(self) -> dict[ValidatorIndex, Supported]:
        """Return the lanes that have supported tips above the finalized ones. # L5 V8"""
        return self._tips.get_supported_tips()

    def get_proposable_cut(self, parent: Cut, limits: Sequence[int], is_calm: bool, now_ms: int) -> Cut:
        """Return per lane the highest tip that a leader proposes. # P2"""
        return self._tips.get_proposable_cut(parent, limits, is_calm, now_ms)

    def is_more_held_elsewhere(self, parent: Cut) -> bool:
        """Tell whether weak power of others said HAVE for batches of some lane above `parent`. # P4"""
        return self._tips.is_more_held_elsewhere(parent)

    def get_lane_limits(self, parent: Height) -> LaneLimits:
        """Return how far a block on a parent of height `parent` may lead into each lane. # L9"""
        return self._spam.get_limits(parent)

    def fetch(self, lane: ValidatorIndex, tip: Tip, floor: Tip, sources: Sequence[ValidatorIndex], now_ms: int) -> None:
        """Fetch (floor, tip] from `sources`, after the time in which a push would arrive anyway. # L6

        Nothing of a lane that is proven to fork: its owner can sign batches without end that no block will ever name
        as final, and each would have to be durable. Correct leaders lead no further into it. # L8
        """
        if self._standing.is_frozen(lane):
            return
        if self._held[lane].find_missing(tip, floor.position) is not None:
            self._fetch.want(lane, tip, floor.position, sources, now_ms + self._parameters.have_interval_ms)

    def note_late(self, lane: ValidatorIndex) -> None:
        """The lane's tip delayed the own vote by more than T_LATE: remember it, and tell the others. # L8"""
        self._standing.on_late(lane)
        self._held.late[lane] = None

    # --- delivery -----------------------------------------------------------------------

    def get_chain(self, lane: ValidatorIndex, tip: Tip, floor: Position) -> list[Batch] | None:
        """Return the batches (floor, tip] of a finalized cut by position, or None if one is missing. # O1 O2"""
        return self._held[lane].get_chain(tip, floor)

    def fetch_for_delivery(
        self, lane: ValidatorIndex, tip: Tip, floor: Position, sources: Sequence[ValidatorIndex], now_ms: int
    ) -> None:
        """Fetch what a finalized block needs; its voters have it. # L6 O1"""
        self._fetch.want(lane, tip, floor, sources, now_ms, is_delivery=True)

    def on_finalized(self, cut: Cut, now: Instant) -> bool:
        """A finalized block moved the lanes' floors; tell whether the own lane moved. # L3"""
        is_own_moved = False
        self._standing.on_block()
        for index, tip in enumerate(cut):
            lane = self._held[index]
            if tip.position > lane.floor.position:
                is_own_moved |= index == self._own_index
                lane.advance_floor(tip)
                self._held.holdings[index].forget(tip.position)
                self._held.is_changed = True
                self._held.extend(index, now.mono_ms)
                self._held.dirty[index] = None  # an owner whose window was full waits to hear it # L2b
        return is_own_moved

    def on_executed(self, items: Iterable[tuple[ValidatorIndex, ItemMark]]) -> None:
        """The next block was executed: lane of each item, and whether it was inadmissible. # L9"""
        self._spam.on_executed(items)

    def on_delivered(self, cut: Cut) -> list[Digest]:
        """A block was executed and stored: its batches only answer fetches from now on. # L7

        Return the digests of all batches that are decided now, forks too.
        """
        return [digest for index, tip in enumerate(cut) for digest in self._held[index].release(tip.position)]

    # --- events -------------------------------------------------------------------------

    def restore(self, batches: Iterable[Batch], log: Iterable[VoteRecord] = ()) -> None:
        """Take durable batches from the store; what completes a chain is vouched for again. # L4 R1"""
        stored = self._held.restore(batches, log)
        if self.own is not None and self._own_index is not None:
            # A crash between the two syncs leaves a batch without its record, and it will be pushed. # L1 D1
            for batch in stored.get(self._own_index, ()):
                self._log(batch)

    def stop(self) -> None:
        """Sign no more batches, for ever; the lanes of the others go on. # C2"""
        self.own = None

    def freeze(self, lane: ValidatorIndex) -> None:
        """The lane's owner signed two batches for one position: lead no further into it. # X5 L8"""
        self._standing.freeze(lane)

    def get_bounds(self, now_ms: int) -> Bounds:
        """Return (size, bound) of every table; of tables per lane or peer that of the largest one. # I11"""
        bounds = compute_bounds(self._held, self._fetch, self.own, self._parameters, now_ms)
        return {**bounds, "spam_window_blocks": (self._spam.size, self._spam.size_max)}

    @property
    def bound_counters(self) -> dict[str, int]:
        """How often bounds were reached, by name."""
        return {
            "batch_fetches_refused": self._fetch.refused,
            "batch_fetches_postponed": self._fetch.postponed,
            "batches_over_budget": self.counters.batches_over_budget,
            "forks_evicted": sum(lane.forks_evicted for lane in self._held.lanes),
            "lane_penalties": self._standing.penalties,
        }

    def add_item(self, item_id: Digest, item: bytes, now: Instant) -> bool:
        """Let an item wait for the next own batch; False if there is no own lane or no room."""
        if self.own is None or not self.own.has_room:
            return False
        self.own.add(item_id, item, now.mono_ms)
        return True

    def on_batch(self, peer: ValidatorIndex, batch: Batch, now: Instant) -> None:
        """A lane's owner pushed a batch. # L3"""
        self._receiving.on_batch(peer, batch, now)
        if self._parameters.tip_age_ms:
            self._ages_ms.append(now.mono_ms + self._parameters.tip_age_ms)

    def on_batches(self, reply: Batches, now: Instant) -> None:
        """Fetched batches came. # L6"""
        self._receiving.on_batches(reply, now)

    def add_vouched(self, batches: Iterable[Batch], now: Instant) -> None:
        """Keep batches that their owner signed, or that a finalized block names. # L6 L4"""
        self._receiving.add_vouched(batches, now)

    def on_get_batches(self, peer: ValidatorIndex, request: GetBatches) -> bool:
        """A peer lacks batches: answer it; False if none is held. # L6"""
        return self._receiving.on_get_batches(peer, request)

    def on_have(self, peer: ValidatorIndex, have: Have, now: Instant) -> bool:
        """A peer said what it holds; tell whether anything follows from it. # L4 L2b"""
        self._verify_have(have)
        for late in have.late:
            self._standing.on_complaint(peer, late)
        own_held = None
        for entry in have.entries:
            if entry.position > self._held[entry.lane].floor.position:
                tip = Tip(entry.position, entry.digest)
                self._held.is_changed |= self._held.holdings[entry.lane].note(peer, tip)
                self._held.watch.note_claim(entry.lane, entry.position, entry.digest)
            if entry.lane == self._own_index:
                own_held = entry.position
        if self.own is not None and self._own_index is not None:
            self.own.on_have(peer, have.delivered[self._own_index], own_held, now.mono_ms)
        self._push(now)
        return self._held.is_changed or bool(self._held.effects) or self._held.watch.has_suspicions

    def announce(self) -> None:
        """Say HAVE for all lanes soon: the floors have moved at once. # L2b R2"""
        self._held.dirty.update(dict.fromkeys(range(len(self._held.lanes))))

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

    def on_timer(self, now: Instant) -> None:
        """Flush the own lane, push again, say HAVE, fetch. # L1 L2b L4 L6"""
        self._flush(now)
        self._push(now)
        self._held.effects.extend(self._fetch.poll(self._find_missing, now.mono_ms))
        while self._ages_ms and now.mono_ms >= self._ages_ms[0]:
            self._ages_ms.popleft()
            self._held.is_changed = True
        if self._held.has_news and now.mono_ms >= self._compute_have_time():
            self.flush_have(now)

    def flush_have(self, now: Instant) -> None:
        """Say HAVE for every lane that changed since the last time; called too when a vote leaves. # L4"""
        if not self._held.has_news or self._own_index is None:
            return
        entries = tuple(self._make_entry(index) for index in self._held.dirty if self._held[index].chain)
        late = tuple(sorted(self._held.late))
        self._held.dirty, self._held.late = {}, {}
        self._have_sent_ms = now.mono_ms
        self._held.effects.append(Broadcast(Have(entries, self._held.get_floors(), late)))

    def make_snapshot(self) -> Have:
        """Return the HAVE of all undelivered tips, for a HELLO. # F5"""
        entries = tuple(self._make_entry(index) for index, lane in enumerate(self._held.lanes) if lane.chain)
        return Have(entries if self._own_index is not None else (), self._held.get_floors(), ())

    def get_timer(self) -> int | None:
        """Return when `on_timer` must be called."""
        have_ms = self._compute_have_time() if self._held.has_news and self._own_index is not None else None
        flush_ms = repush_ms = None
        if self.own is not None and self._own_index is not None:
            flush_ms = self.own.get_flush_time(self._held[self._own_index].floor.position)
            repush_ms = self.own.get_repush_time()
        age_ms = self._ages_ms[0] if self._ages_ms else None
        return get_earliest(self._fetch.get_timer(), have_ms, flush_ms, repush_ms, age_ms)

    # --- inside -------------------------------------------------------------------------

    def _verify_have(self, have: Have) -> None:
        if len(have.delivered) != len(self._held):
            raise PeerError(f"HAVE names {len(have.delivered)} lanes of {len(self._held)}")
        if any(lane >= len(self._held) for lane in (*(entry.lane for entry in have.entries), *have.late)):
            raise PeerError("HAVE names a lane that does not exist")

    def _log(self, batch: Batch) -> None:
        record = VoteRecord(RecordKind.OWN_BATCH, batch.header.epoch, batch.header.position, batch.digest)
        self._held.effects.append(PersistVote(record))

    def _flush(self, now: Instant) -> None:
        """Build own batches as far as time and window allow; durable before they are sent. # L1"""
        if self.own is None or self._own_index is None:
            return
        floor = self._held[self._own_index].floor.position
        flush_ms = self.own.get_flush_time(floor)
        while flush_ms is not None and now.mono_ms >= flush_ms:
            batch, item_ids = self.own.build(now.mono_ms)
            self._held.keep(batch)
            self._log(batch)
            self._held.extend(self._own_index, now.mono_ms)
            self._created.extend(item_ids)
            flush_ms = self.own.get_flush_time(floor)

    def _push(self, now: Instant) -> None:
        if self.own is None or self._own_index is None:
            return
        lane = self._held[self._own_index]
        for peer, position in self.own.take_pushes(now.mono_ms):
            batch = lane.get_batch(lane.chain[position]) if position in lane.chain else None
            if batch is not None:
                self.counters.batches_pushed += 1
                self._held.effects.append(Send(peer, batch))

    def _find_missing(self, lane: ValidatorIndex, tip: Tip, floor: Position) -> Tip | None:
        return self._held[lane].find_missing(tip, floor)

    def _make_entry(self, index: ValidatorIndex) -> HaveEntry:
        top = self._held[index].top
        return HaveEntry(index, top.position, top.digest)

    def _compute_have_time(self) -> int:
        return 0 if self._have_sent_ms is None else self._have_sent_ms + self._parameters.have_interval_ms
