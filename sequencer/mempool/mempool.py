"""Take transactions in, hand them to the own lane in the payer's order, gossip what stays behind.

Promises: at most 20,000 transactions and 64 MB are held, at most 16 successors per channel;
whatever is refused is refused with a reason; what would abort now is held back for two executed
heights after its admission at most; a transaction leaves when its sequence is consumed or its
window has passed. # A5 A6 A18
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sequencer.mempool.agenda import Agenda
from sequencer.mempool.answers import REQUESTS_MAX, Answers
from sequencer.mempool.departures import DEPARTURES_MAX, Departure, Departures, Fate
from sequencer.mempool.entry import Entry, Stage
from sequencer.mempool.patience import Outlook, Patience
from sequencer.mempool.ranking import compute_rank
from sequencer.types.bundle import CHANNEL_MAX, Bundle
from sequencer.types.effects import Answer, PublishItems, Submission, SubmissionStatus
from sequencer.types.item import CheckedItem, SignedBundle, compute_item_id
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Address, Bounds, Digest, Height, Instant, ValidatorIndex, get_earliest

ENTRIES_MAX = 20_000
"""Transactions held at once."""
BYTES_MAX = 64 << 20
"""Bytes of transactions held at once."""
SUCCESSORS_MAX = 16
"""Transactions of one channel held beyond the next one that can be executed."""
RIVALS_MAX = 2
"""Transactions of one sequence held at once: one and its cancellation. All but one are free of charge. # A18"""
LANE_RETRY_MS = 50
"""A transaction for which the own lane had no room is tried again after this long."""
GOSSIP_TRIES_MAX = 3
"""A transaction that stays behind is gossiped this often, T_GOSSIP apart and doubling."""


ChannelKey: TypeAlias = tuple[Address, int]
"""A payer's public key and one of its channels."""
_NO_CONSUMERS: Mapping[tuple[ChannelKey, int], Digest] = {}
_NO_QUEUE: Mapping[int, list[Digest]] = {}
AddToLane: TypeAlias = Callable[[Digest, bytes, Instant], bool]
"""Lets an item wait for the next own batch; False if there is no room."""


class Accounts(Protocol):
    """What admission asks of the newest executed state."""

    @property
    def height(self) -> Height: ...

    def get_sequence(self, payer: Address, channel: int) -> int: ...

    def check_admission(
        self, bundle: Bundle, height: Height, pending_ahead: int, pending_fees: int
    ) -> Rejection | None: ...


@dataclass(slots=True)
class MempoolCounters:
    """What went through, for the statistics."""

    admitted: int = 0
    rejected: int = 0
    expired: int = 0
    """Their window passed, or they were ordered and could not be taken in for another reason than a gap."""
    requeued: int = 0
    """Ordered before their predecessor, so queued again."""
    gossip_published: int = 0
    gossip_received: int = 0
    gossip_included: int = 0
    """Came by gossip and were handed to the own lane."""


class Mempool:
    """The transactions that one node holds."""

    def __init__(
        self,
        parameters: Parameters,
        committee_size: int,
        own_index: ValidatorIndex | None,
        accounts: Accounts,
        add_to_lane: AddToLane | None,
        is_gossip_enabled: bool,
        outlook: Outlook | None = None,
    ) -> None:
        """Hold transactions for a node; `add_to_lane` is None for a node without a lane of its own.

        Without an `outlook` nothing is held back for a condition that is false.
        """
        self._parameters = parameters
        self._committee_size = committee_size
        self._own_index = own_index
        self._accounts = accounts
        self._add_to_lane = add_to_lane
        self._is_gossip_enabled = is_gossip_enabled
        self._lane_rests_ms = 0
        self._entries: OrderedDict[Digest, Entry] = OrderedDict()
        self._bytes = 0
        self._channels: dict[ChannelKey, dict[int, list[Digest]]] = {}
        self._by_time = Agenda()
        self._by_height = Agenda()
        self._answers = Answers()
        self.patience = Patience(outlook)
        self.departures = Departures()
        self._publish: list[PublishItems] = []
        self.counters = MempoolCounters()

    def holds(self, bundle_id: Digest) -> bool:
        """Tell whether the transaction is held."""
        return bundle_id in self._entries

    def get_held(self, bundle_id: Digest) -> SignedBundle | None:
        """Return the transaction if it is held."""
        entry = self._entries.get(bundle_id)
        return None if entry is None else entry.signed

    @property
    def size(self) -> int:
        """Return how many transactions are held."""
        return len(self._entries)

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of every table. # I11"""
        successors = max(map(len, self._channels.values()), default=0)
        return {
            "mempool_entries": (len(self._entries), ENTRIES_MAX),
            "mempool_bytes": (self._bytes, BYTES_MAX),
            "mempool_sequences_per_channel": (successors, SUCCESSORS_MAX + 1),
            "requests_waiting": (self._answers.size, REQUESTS_MAX),
            "departures": (self.departures.size, DEPARTURES_MAX),
            **self.patience.get_bounds(),
        }

    def take_answers(self) -> list[Answer]:
        """Return answers that are ready, once."""
        return self._answers.take()

    def take_publications(self) -> list[PublishItems]:
        """Return what is to be gossiped, once."""
        publish, self._publish = self._publish, []
        return publish

    # --- events -------------------------------------------------------------------------

    def on_submitted(self, request: int, items: Sequence[bytes], checked: Sequence[CheckedItem], now: Instant) -> None:
        """A client's items were checked; admit each or say why not."""
        submissions: list[Submission] = []
        pending: dict[Digest, list[int]] = {}
        for place, (item, result) in enumerate(zip(items, checked, strict=True)):
            item_id = compute_item_id(item, result)
            rejection = self._admit_checked(result, now)
            if rejection is not None:
                self.counters.rejected += 1
                submissions.append(Submission(SubmissionStatus.REJECTED, item_id, rejection))
                continue
            submissions.append(Submission(SubmissionStatus.HELD, item_id))
            if self._entries[item_id].stage is Stage.LANED:
                pending.setdefault(item_id, []).append(place)
        self._answers.open(request, submissions, pending, now.mono_ms)

    def _admit_checked(self, checked: CheckedItem, now: Instant) -> Rejection | None:
        if isinstance(checked, SignedBundle):
            return self._admit(checked, now, is_gossiped=False)
        if isinstance(checked, Rejection):
            return checked
        return Rejection(Reason.UNKNOWN_KIND, "item.kind", "is not one that clients submit")

    def on_gossiped(self, checked: Sequence[CheckedItem], now: Instant) -> None:
        """Items came by gossip; what is wrong is dropped in silence, nobody waits for it."""
        for result in checked:
            self.counters.gossip_received += 1
            if isinstance(result, SignedBundle) and result.id not in self._entries:
                self._admit(result, now, is_gossiped=True)

    def on_batched(self, item_ids: Sequence[Digest]) -> None:
        """Items are in a batch that is durable and pushed."""
        for item_id in item_ids:
            self._answers.on_batched(item_id)

    def on_executed(
        self,
        touched: Iterable[ChannelKey],
        own_delivered: Iterable[Digest],
        height: Height,
        now: Instant,
        consumers: Mapping[tuple[ChannelKey, int], Digest] = _NO_CONSUMERS,
        crowded_out: Container[Digest] = (),
    ) -> None:
        """A block was executed: what is consumed leaves, what was ordered too early waits again.

        `touched` are the channels of all bundles in the block, `own_delivered` the ids in own batches;
        `consumers` says of a sequence that the block consumed by which bundle; for `crowded_out` there
        was no room, so that they leave: their clients may send them again.
        """
        keys = dict.fromkeys(key for key in touched if key in self._channels)
        for key in keys:
            expected = self._accounts.get_sequence(*key)
            consumed = [ids for sequence, ids in self._channels[key].items() if sequence < expected]
            for item_id in [item_id for ids in consumed for item_id in ids]:
                self._leave_consumed(self._entries[item_id], consumers, height)
        for item_id in own_delivered:
            entry = self._entries.get(item_id)
            if entry is not None and entry.stage is Stage.LANED:
                self._requeue(entry, item_id in crowded_out)
                keys[entry.channel_key] = None
        for entry in self._take_due(self._by_height, height):
            if height >= entry.signed.bundle.valid_until:
                self.counters.expired += 1
                self.departures.add(entry.id, Departure(Fate.EXPIRED, height, None))
                self._drop(entry)
            else:
                keys[entry.channel_key] = None
        for key in keys:
            self._promote(key, now)

    def _leave_consumed(self, entry: Entry, consumers: Mapping[tuple[ChannelKey, int], Digest], height: Height) -> None:
        winner = consumers.get((entry.channel_key, entry.sequence), entry.id)
        if winner != entry.id:
            self.departures.add(entry.id, Departure(Fate.REPLACED, height, winner))
        self._drop(entry)

    def move_to(self, accounts: Accounts, add_to_lane: AddToLane | None, outlook: Outlook | None = None) -> None:
        """Go on above another state and another own lane; `on_moved` must follow."""
        self._accounts, self._add_to_lane = accounts, add_to_lane
        self.patience.move_to(outlook)

    def on_moved(self, now: Instant) -> None:
        """The state jumped: what it has consumed leaves, and what waited in the lane before waits again. # R2"""
        laned = [entry.id for entry in self._entries.values() if entry.stage is Stage.LANED]
        self.on_executed(tuple(self._channels), laned, self._accounts.height, now)

    def _requeue(self, entry: Entry, is_crowded_out: bool) -> None:
        """Ordered, and not consumed: its predecessor was missing, or it is inadmissible for good and leaves. # A4 A6"""
        if is_crowded_out or self._check_state(entry.signed.bundle) is not None:
            self.counters.expired += 1
            self._drop(entry)
            return
        self.counters.requeued += 1
        entry.stage = Stage.HELD
        self.patience.forget(entry)

    def on_lane_moved(self, now: Instant) -> None:
        """Finality took batches of the own lane: nobody leaves it out."""
        self._lane_rests_ms = now.mono_ms + self._parameters.gossip_delay_ms

    def on_timer(self, now: Instant) -> None:
        """Ranks ripen, gossip falls due, clients stop waiting."""
        self._answers.on_time(now.mono_ms)
        due = self._take_due(self._by_time, now.mono_ms)
        for key in dict.fromkeys(entry.channel_key for entry in due):
            self._promote(key, now)
        self._gossip([entry for entry in due if entry.gossip_ms is not None and entry.gossip_ms <= now.mono_ms], now)

    def get_timer(self) -> int | None:
        """Return when `on_timer` must be called."""
        return get_earliest(self._answers.get_timer(), self._by_time.next)

    # --- inside -------------------------------------------------------------------------

    def _admit(self, signed: SignedBundle, now: Instant, is_gossiped: bool) -> Rejection | None:
        if signed.id in self._entries:
            if not is_gossiped:
                self._hasten(self._entries[signed.id], now)
            return None
        rejection = self._check(signed)
        if rejection is not None:
            return rejection
        entry = self._make_entry(signed, now, is_gossiped)
        rivals = self._channels.get(entry.channel_key, {}).get(entry.sequence, ())
        for rival in [rival for rival in rivals if self._entries[rival].stage is Stage.HELD]:
            self.departures.add(rival, Departure(Fate.REPLACED, self._accounts.height, entry.id))
            self._drop(self._entries[rival])  # A18
        self._entries[entry.id] = entry
        self._bytes += len(signed.item_bytes)
        self._schedule(entry)
        self._channels.setdefault(entry.channel_key, {}).setdefault(entry.sequence, []).append(entry.id)
        self.counters.admitted += 1
        self._promote(entry.channel_key, now)
        return None

    def _hasten(self, entry: Entry, now: Instant) -> None:
        """A client asks for what came by gossip before: no other validator is waited for."""
        entry.include_ms = min(entry.include_ms, now.mono_ms)
        self._promote(entry.channel_key, now)

    def _check(self, signed: SignedBundle) -> Rejection | None:
        bundle = signed.bundle
        if len(self._entries) >= ENTRIES_MAX or self._bytes + len(signed.item_bytes) > BYTES_MAX:
            return Rejection(Reason.QUEUE_FULL, "item", f"{len(self._entries)} transactions are held already")
        expected = self._accounts.get_sequence(bundle.payer, bundle.channel)
        ahead = max(0, bundle.sequence - expected)
        if ahead > SUCCESSORS_MAX:
            detail = f"next is {expected}, at most {SUCCESSORS_MAX} successors wait"
            return Rejection(Reason.QUEUE_FULL, "item.body.sequence", detail)
        rivals = self._channels.get((bundle.payer, bundle.channel), {}).get(bundle.sequence, ())
        if sum(self._entries[rival].stage is Stage.LANED for rival in rivals) >= RIVALS_MAX:
            return Rejection(Reason.QUEUE_FULL, "item.body.sequence", f"{RIVALS_MAX} transactions of it wait already")
        return self._check_state(bundle)

    def _check_state(self, bundle: Bundle) -> Rejection | None:
        """Return why the bundle could not be taken in after all that waits before it. # A3"""
        ahead = max(0, bundle.sequence - self._accounts.get_sequence(bundle.payer, bundle.channel))
        return self._accounts.check_admission(
            bundle, self._accounts.height + 1, ahead, self._compute_pending_fees(bundle)
        )

    def _compute_pending_fees(self, bundle: Bundle) -> int:
        """Return what the payer's held transactions may cost that need not wait for this one, in all channels."""
        total = 0
        for channel in range(CHANNEL_MAX + 1):
            for sequence, ids in self._channels.get((bundle.payer, channel), _NO_QUEUE).items():
                if channel != bundle.channel or sequence < bundle.sequence:
                    total += self._compute_hold(self._entries[ids[-1]].signed.bundle)
        return total

    def _compute_hold(self, bundle: Bundle) -> int:
        """Return the most that a bundle can cost: what is kept of the deposit until it is decided. # A17"""
        rent = self._parameters.fee_per_rollup_height * len(bundle.rollups) * bundle.decide_within
        return self._parameters.fee_base + self._parameters.fee_per_operation * bundle.operation_count + rent

    def _make_entry(self, signed: SignedBundle, now: Instant, is_gossiped: bool) -> Entry:
        delay_ms = 0
        if is_gossiped and self._own_index is not None:
            rank = compute_rank(signed.id, self._own_index, self._committee_size)
            delay_ms = rank * self._parameters.rank_delay_ms
        gossip_ms = None
        if self._is_gossip_enabled and not is_gossiped:
            gossip_ms = now.mono_ms + (self._parameters.gossip_delay_ms if self._own_index is not None else 0)
        include_ms = now.mono_ms + delay_ms
        return Entry(signed, now.mono_ms, self._accounts.height, is_gossiped, include_ms, gossip_ms)

    def _schedule(self, entry: Entry) -> None:
        """Look at the entry again when its rank ripens, when it is gossiped, when its window opens and closes."""
        self._wake_at(self._by_height, entry.signed.bundle.valid_until, entry)
        if entry.signed.bundle.valid_from > self._accounts.height + 1:
            self._wake_at(self._by_height, entry.signed.bundle.valid_from - 1, entry)
        if entry.include_ms > entry.admitted_ms:
            self._wake_at(self._by_time, entry.include_ms, entry)
        if entry.gossip_ms is not None:
            self._wake_at(self._by_time, entry.gossip_ms, entry)

    def _wake_at(self, agenda: Agenda, at: int, entry: Entry) -> None:
        agenda.add(at, entry.id, self._entries)

    def _take_due(self, agenda: Agenda, limit: int) -> list[Entry]:
        """Return the held entries whose time or height has come, each once."""
        return [self._entries[item_id] for item_id in agenda.take_due(limit) if item_id in self._entries]

    def _promote(self, key: ChannelKey, now: Instant) -> None:
        """Hand to the lane, in order, what has all its predecessors executed or in this lane. # A6"""
        queue = self._channels.get(key)
        if queue is None:
            return
        sequence = self._accounts.get_sequence(*key)
        while sequence in queue:
            held = [entry for entry in map(self._entries.__getitem__, queue[sequence]) if entry.stage is Stage.HELD]
            if not all(self._try_lane(entry, now) for entry in held):
                return
            sequence += 1

    def _try_lane(self, entry: Entry, now: Instant) -> bool:
        is_open = self._accounts.height + 1 >= entry.signed.bundle.valid_from
        if self._add_to_lane is None or now.mono_ms < entry.include_ms or not is_open:
            return False
        if not self.patience.admits(entry, self._accounts.height):
            self._wake_at(self._by_height, self._accounts.height + 1, entry)
            return False
        if not self._add_to_lane(entry.id, entry.signed.item_bytes, now):
            self.patience.forget(entry)
            self._wake_at(self._by_time, now.mono_ms + LANE_RETRY_MS, entry)
            return False
        entry.stage = Stage.LANED
        if entry.is_gossiped:
            self.counters.gossip_included += 1
        return True

    def _gossip(self, due: list[Entry], now: Instant) -> None:
        """Gossip what is not final T_GOSSIP after its admission, a few times.

        While the own lane moves, what is in it will be final without help: copies in other
        lanes would only add load to a network that is slow because it is loaded.
        """
        items = []
        for entry in due:
            if entry.id not in self._entries:
                continue
            if entry.stage is Stage.LANED and now.mono_ms < self._lane_rests_ms:
                entry.gossip_ms = self._lane_rests_ms
                self._wake_at(self._by_time, entry.gossip_ms, entry)
                continue
            items.append(entry.signed.item_bytes)
            waited_ms = max(now.mono_ms - entry.admitted_ms, self._parameters.gossip_delay_ms)
            is_last = waited_ms >= self._parameters.gossip_delay_ms << (GOSSIP_TRIES_MAX - 1)
            entry.gossip_ms = None if is_last else now.mono_ms + waited_ms
            if entry.gossip_ms is not None:
                self._wake_at(self._by_time, entry.gossip_ms, entry)
        if items:
            self.counters.gossip_published += len(items)
            self._publish.append(PublishItems(tuple(items)))

    def _drop(self, entry: Entry) -> None:
        del self._entries[entry.id]
        self.patience.forget(entry)
        self._bytes -= len(entry.signed.item_bytes)
        queue = self._channels[entry.channel_key]
        queue[entry.sequence].remove(entry.id)
        if not queue[entry.sequence]:
            del queue[entry.sequence]
        if not queue:
            del self._channels[entry.channel_key]
