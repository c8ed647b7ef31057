"""Run one replica on a simulated machine: what `sequencer.node` does, without the machine.

Effects are performed in order; what follows a Persist waits until a sync has made it
durable, and one sync serves everything that waits (group commit). A crash forgets the
replica, what waited, and part of what was not synced.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sequencer.errors import SequencerError
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.replica import Replica
from sequencer.simulation.network import Network
from sequencer.simulation.observer import Observer
from sequencer.simulation.scheduler import MILLISECOND, Scheduler
from sequencer.simulation.store import SimulatedStore, Snapshot
from sequencer.types.effects import (
    Answer,
    BanPeer,
    Broadcast,
    CheckItems,
    Continue,
    Effect,
    LoadBatches,
    LoadBlocks,
    PersistBatch,
    PersistBlock,
    PersistVote,
    PublishItems,
    RaiseAlarm,
    SaveSnapshot,
    Send,
    StoreCommitmentCertificate,
    StoreEvidence,
    StoreExecution,
)
from sequencer.types.events import (
    BatchesLoaded,
    BlocksLoaded,
    Continued,
    Event,
    ItemsChecked,
    ItemsGossiped,
    ItemsSubmitted,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
    TimerFired,
)
from sequencer.types.item import CheckedItem
from sequencer.types.messages import Message
from sequencer.types.primitives import Instant

SYNC_US = (300, 3 * MILLISECOND)
"""Duration of a sync on a disk in order, shortest and longest."""
CHECK_US_MAX = 5 * MILLISECOND
"""Longest time that the worker threads take for a CheckItems."""

_PERSIST = (PersistVote, PersistBatch, PersistBlock)


@dataclass(slots=True)
class Machine:
    """What all simulated nodes share."""

    scheduler: Scheduler
    rng: random.Random
    network: Network
    observer: Observer
    publish: Callable[[int, tuple[bytes, ...]], None]
    """Gossip items of a node to the others."""
    wall_base_ms: int
    """Wall clock at virtual time 0."""
    check_item: Callable[[bytes], CheckedItem]
    """The stateless checks of one item."""


class SimulatedNode:
    """One validator: its disk survives a crash, its replica does not."""

    def __init__(self, machine: Machine, config: ReplicaConfig, index: int, wall_offset_ms: int) -> None:
        self.index = index
        self.store = SimulatedStore()
        self.replica: Replica | None = None
        self.is_running = False
        self.slow_sync_us = 0
        """Longest duration of a sync while a slow-fsync fault lasts."""
        self.doom: Callable[[], None] | None = None
        """Called once, some time within the next sync: a crash between writing and sending."""
        self.fired: Counter[str] = Counter()
        self._machine = machine
        self._scheduler = machine.scheduler
        self.config = config
        self._wall_base_ms = machine.wall_base_ms + wall_offset_ms
        self._life = 0
        self._waiting: list[Effect] = []
        self._is_syncing = False
        self._timer_us: int | None = None
        self._actions: dict[type, Callable[..., None]] = {
            Send: self._on_send,
            Broadcast: self._on_broadcast,
            StoreExecution: self._on_store_execution,
            StoreCommitmentCertificate: self._on_store_certificate,
            StoreEvidence: self._on_store_evidence,
            SaveSnapshot: self._on_save_snapshot,
            CheckItems: self._on_check_items,
            LoadBlocks: self._on_load_blocks,
            LoadBatches: self._on_load_batches,
            PublishItems: self._on_publish_items,
            Answer: self._on_answer,
            Continue: self._on_continue,
            BanPeer: self._on_ban_peer,
            RaiseAlarm: self._on_raise_alarm,
        }

    # -- life ---------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start a replica on what the disk holds."""
        self._life += 1
        self.is_running = True
        self._waiting, self._is_syncing, self._timer_us = [], False, None
        self._machine.observer.on_boot(self)
        try:
            self.replica = Replica(self.config, self.store.load())
            self._machine.observer.on_started(self)
            effects = self.replica.start(self.get_instant())
        except SequencerError as error:
            self._fail(error)
            return
        self._perform(effects)
        self._arm_timer()

    def crash(self) -> None:
        """Die now: the replica and all that waited for a sync are gone."""
        self.is_running = False
        self.replica = None
        self.doom = None
        self._waiting = []
        votes, records, lost = self.store.crash(self._machine.rng)
        self.fired["unsynced_loss"] += lost
        self._machine.observer.on_durable(self, votes, records)
        self._machine.observer.on_crash(self)

    def get_instant(self) -> Instant:
        """Return what this node's clocks show."""
        now_ms = self._scheduler.now_us // MILLISECOND
        return Instant(now_ms, self._wall_base_ms + now_ms)

    # -- events in ----------------------------------------------------------------------------

    def on_connected(self, peer: int) -> None:
        """A connection to `peer` is open."""
        self.handle(PeerConnected(peer))

    def on_disconnected(self, peer: int) -> None:
        """The connection to `peer` broke."""
        self.handle(PeerDisconnected(peer))

    def on_message(self, peer: int, message: Message) -> None:
        """A message came from `peer`."""
        self._machine.observer.on_received(self, peer, message)
        self.handle(MessageReceived(peer, message))

    def submit(self, request: int, items: tuple[bytes, ...]) -> None:
        """Hand in a client's items; lost if the node is down."""
        self.handle(ItemsSubmitted(request, items))

    def on_gossip(self, items: tuple[bytes, ...]) -> None:
        """Hand in items that came by gossip."""
        self.handle(ItemsGossiped(items))

    def handle(self, event: Event) -> None:
        """Let the replica handle `event` and perform what it asks for."""
        if not self.is_running or self.replica is None:
            return
        try:
            effects = self.replica.handle(event, self.get_instant())
        except SequencerError as error:
            self._fail(error)
            return
        if effects:
            self._perform(effects)
        self._arm_timer()

    def _handle_in_life(self, life: int, event: Event) -> None:
        if life == self._life:
            self.handle(event)

    def _fail(self, error: SequencerError) -> None:
        self.is_running = False
        self._machine.observer.on_error(self, error)

    def _arm_timer(self) -> None:
        """Schedule the next TimerFired, unless one that is early enough is scheduled already."""
        if self.replica is None or not self.is_running:
            return
        timer_ms = self.replica.get_timer()
        if timer_ms is None:
            return
        due_us = max(timer_ms * MILLISECOND, self._scheduler.now_us)
        if self._timer_us is None or due_us < self._timer_us:
            self._timer_us = due_us
            self._scheduler.call_at(due_us, self._on_timer, self._life, due_us)

    def _on_timer(self, life: int, due_us: int) -> None:
        if life != self._life or self._timer_us != due_us or self.replica is None:
            return
        self._timer_us = None
        timer_ms = self.replica.get_timer()
        if timer_ms is not None and timer_ms * MILLISECOND <= self._scheduler.now_us:
            self.handle(TimerFired())
        else:
            self._arm_timer()

    # -- effects out: the durability gate ------------------------------------------------------

    def _perform(self, effects: tuple[Effect, ...]) -> None:
        if self._is_syncing:
            self._waiting.extend(effects)
            return
        for place, effect in enumerate(effects):
            if isinstance(effect, _PERSIST):
                self._waiting = list(effects[place:])
                self._start_sync()
                return
            self._actions[type(effect)](effect)

    def _start_sync(self) -> None:
        """Write every record that waits and sync once for all of them. # G5 D1"""
        for effect in self._waiting:
            self._write(effect)
        self._is_syncing = True
        duration_us = self._machine.rng.randint(*SYNC_US)
        if self.slow_sync_us:
            duration_us += int(self._machine.rng.random() * self.slow_sync_us)
            self.fired["slow_fsync"] += 1
        if self.doom is not None:
            self._scheduler.call_after(self._machine.rng.randint(0, duration_us), self.doom)
            self.doom = None
        self._scheduler.call_after(duration_us, self._on_synced, self._life, len(self._waiting))

    def _write(self, effect: Effect) -> None:
        if isinstance(effect, PersistVote):
            self.store.append_vote(effect)
        elif isinstance(effect, PersistBatch):
            self.store.append(effect.batch)
        elif isinstance(effect, PersistBlock):
            self.store.append(effect.block)

    def _on_synced(self, life: int, covered: int) -> None:
        if life != self._life or not self.is_running:
            return
        self._is_syncing = False
        self._machine.observer.on_durable(self, *self.store.sync())
        released, later = self._waiting[:covered], self._waiting[covered:]
        self._waiting = []
        for effect in released:
            if not isinstance(effect, _PERSIST):
                self._actions[type(effect)](effect)
        if later:
            self._perform(tuple(later))

    # -- effects out: one method each ----------------------------------------------------------

    def _on_send(self, effect: Send) -> None:
        self._machine.observer.on_sent(self, effect.peer, effect.message)
        self._machine.network.send(self.index, effect.peer, effect.message)

    def _on_broadcast(self, effect: Broadcast) -> None:
        self._machine.observer.on_sent(self, None, effect.message)
        self._machine.network.broadcast(self.index, effect.message)

    def _on_store_execution(self, effect: StoreExecution) -> None:
        self._machine.observer.on_executed(self, effect.block)

    def _on_store_certificate(self, effect: StoreCommitmentCertificate) -> None:
        self.store.append(effect.certificate)
        self._machine.observer.on_certified(self, effect.certificate)

    def _on_store_evidence(self, effect: StoreEvidence) -> None:
        self.store.append(effect.evidence)
        self._machine.observer.on_evidence(self, effect.evidence)

    def _on_save_snapshot(self, effect: SaveSnapshot) -> None:
        self.store.append(Snapshot(effect.header, effect.snapshot))

    def _on_check_items(self, effect: CheckItems) -> None:
        answer = ItemsChecked(effect.request, tuple(self._machine.check_item(item) for item in effect.items))
        delay_us = self._machine.rng.randint(0, CHECK_US_MAX)
        self._scheduler.call_after(delay_us, self._handle_in_life, self._life, answer)

    def _on_load_blocks(self, effect: LoadBlocks) -> None:
        blocks = self.store.load_blocks(effect.from_height, effect.count)
        answer = BlocksLoaded(effect.request, blocks, self.store.durable.certificate)
        self._scheduler.call_after(MILLISECOND, self._handle_in_life, self._life, answer)

    def _on_load_batches(self, effect: LoadBatches) -> None:
        answer = BatchesLoaded(effect.request, self.store.load_batches(effect))
        self._scheduler.call_after(MILLISECOND, self._handle_in_life, self._life, answer)

    def _on_publish_items(self, effect: PublishItems) -> None:
        self._machine.publish(self.index, effect.items)

    def _on_answer(self, effect: Answer) -> None:
        self._machine.observer.on_answered(self, effect)

    def _on_continue(self, effect: Continue) -> None:
        self._scheduler.call_after(1, self._handle_in_life, self._life, Continued())

    def _on_ban_peer(self, effect: BanPeer) -> None:
        self._machine.observer.on_banned(self, effect.peer, effect.reason)

    def _on_raise_alarm(self, effect: RaiseAlarm) -> None:
        self._machine.observer.on_alarm(self, effect.reason)
