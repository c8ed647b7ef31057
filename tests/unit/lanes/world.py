"""The lanes of one validator, driven by hand among scripted peers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sequencer.lanes.batch_fetch import TRIES_MAX
from sequencer.lanes.lanes import Lanes
from sequencer.types.batch import Batch
from sequencer.types.effects import Broadcast, Effect, PersistBatch, PersistVote, Send
from sequencer.types.messages import Batches, GetBatches, Have, HaveEntry, Message
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Cut, Digest, Position, Tip
from sequencer.types.records import VoteRecord
from tests.unit.core_world import PARAMETERS, VERIFY, Group, at, make_signer, name_digest

GROUP = Group()
ROOT_CUT: Cut = GROUP.root.cut
HAVE_MS = PARAMETERS.have_interval_ms
BATCH_MS = PARAMETERS.batch_delay_ms_max
FETCH_MS = PARAMETERS.fetch_retry_ms
NO_FLOORS: tuple[Position, ...] = (0, 0, 0, 0)
_M = TypeVar("_M", bound=Message)


class Holder:
    """Validator 0 (or a follower); `effects` are those of the last act, time stands still between acts."""

    def __init__(
        self,
        index: int | None = 0,
        is_owner: bool = True,
        cut: Cut = ROOT_CUT,
        own_top: Tip | None = None,
        parameters: Parameters = PARAMETERS,
        group: Group = GROUP,
        is_optimistic: bool = True,
    ) -> None:
        signer = make_signer(index) if index is not None and is_owner else None
        self.lanes = Lanes(
            group.chain_id, group.committee, parameters, index, signer, VERIFY, cut, own_top, is_optimistic
        )
        self.now_ms = 0
        self.effects: list[Effect] = []
        self._items = 0

    def take(self) -> Holder:
        """Do what a replica does at the end of each event."""
        self.lanes.on_timer(at(self.now_ms))
        self.effects = self.lanes.take_effects()
        return self

    def push(self, batch: Batch, peer: int | None = None) -> Holder:
        self.lanes.on_batch(batch.header.lane if peer is None else peer, batch, at(self.now_ms))
        return self.take()

    def have(self, peer: int, *entries: HaveEntry, delivered: tuple[Position, ...] = NO_FLOORS) -> Holder:
        self.lanes.on_have(peer, Have(entries, delivered), at(self.now_ms))
        return self.take()

    def hear(self, peer: int, have: Have) -> Holder:
        self.lanes.on_have(peer, have, at(self.now_ms))
        return self.take()

    def hello(self, peer: int, *entries: HaveEntry, delivered: tuple[Position, ...] = NO_FLOORS) -> Holder:
        self.lanes.on_hello(peer, Have(entries, delivered), at(self.now_ms))
        return self.take()

    def reply(self, lane: int, *batches: Batch) -> Holder:
        self.lanes.on_batches(Batches(lane, batches), at(self.now_ms))
        return self.take()

    def want(self, tip: Tip, lane: int = 1, sources: Sequence[int] = (1, 2, 3), floor: Tip | None = None) -> Holder:
        """Let a proposal name a tip, and wait until it is asked for."""
        self.lanes.fetch(lane, tip, floor or ROOT_CUT[lane], sources, self.now_ms)
        return self.time(self.now_ms + HAVE_MS)

    def give_up(self) -> Holder:
        """Let time pass until nothing is fetched any more."""
        for _ in range(TRIES_MAX + 1):
            self.time(self.now_ms + FETCH_MS)
        return self

    def finalize(self, lane: int, tip: Tip) -> Holder:
        self.lanes.on_finalized((*ROOT_CUT[:lane], tip, *ROOT_CUT[lane + 1 :]), at(self.now_ms))
        return self.take()

    def time(self, now_ms: int) -> Holder:
        self.now_ms = now_ms
        return self.take()

    def add(self, *items: bytes) -> Holder:
        """Let items wait for the own lane."""
        for item in items or (b"item",):
            self._items += 1
            assert self.lanes.add_item(name_digest(f"item {self._items}"), item, at(self.now_ms))
        return self.take()

    def build(self, count: int = 1) -> Holder:
        """Build so many own batches of one item each."""
        for _ in range(count):
            self.add()
            self.time(self.now_ms + BATCH_MS)
        return self

    # --- what was done ------------------------------------------------------------------

    @property
    def persisted(self) -> list[Digest]:
        return [e.batch.digest for e in self.effects if isinstance(e, PersistBatch)]

    @property
    def logged(self) -> list[int]:
        return [record.number for record in self.records]

    @property
    def records(self) -> list[VoteRecord]:
        return [e.record for e in self.effects if isinstance(e, PersistVote)]

    @property
    def haves(self) -> list[Have]:
        return [e.message for e in self.effects if isinstance(e, Broadcast) and isinstance(e.message, Have)]

    def sent(self, peer: int, kind: type[_M]) -> list[_M]:
        return [
            e.message for e in self.effects if isinstance(e, Send) and e.peer == peer and isinstance(e.message, kind)
        ]

    def pushed(self, peer: int) -> list[Position]:
        return [batch.header.position for batch in self.sent(peer, Batch)]

    @property
    def asked(self) -> list[tuple[int, Digest]]:
        """Return whom was asked for the chain down from which digest."""
        return [
            (e.peer, e.message.tip_digest)
            for e in self.effects
            if isinstance(e, Send) and isinstance(e.message, GetBatches)
        ]

    def said(self, lane: int = 1) -> HaveEntry | None:
        """Return what this node says when asked for everything it has of a lane."""
        return next((entry for entry in self.lanes.make_snapshot().entries if entry.lane == lane), None)

    def said_position(self, lane: int = 1) -> Position:
        entry = self.said(lane)
        return 0 if entry is None else entry.position


def entry(batch: Batch) -> HaveEntry:
    """Return the HAVE entry for a batch."""
    return HaveEntry(batch.header.lane, batch.header.position, batch.digest)
