"""Run one replica on a simulated machine: what `sequencer.node` does, without the machine.

Effects are performed in order; what follows a Persist waits until a sync has made it
durable, and one sync serves everything that waits (group commit). A crash forgets the
replica, what waited, and part of what was not synced.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sequencer.errors import SequencerError
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.replica import Replica
from sequencer.simulation.clock import NodeClock
from sequencer.simulation.crash_points import Boundary, Doom, Survival
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
    InstallSnapshot,
    LoadBatches,
    LoadBlocks,
    LoadSnapshot,
    LoadSnapshotChunk,
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
    SnapshotInstalled,
    TimerFired,
)
from sequencer.types.item import CheckedItem
from sequencer.types.messages import Message
from sequencer.types.primitives import Instant

SYNC_US = (300, 3 * MILLISECOND)
"""Duration of a sync on a disk in order, shortest and longest."""
CHECK_US_MAX = 5 * MILLISECOND
"""Longest time that the worker threads take for a CheckItems."""

_PERSIST = frozenset({PersistVote, PersistBatch, PersistBlock, InstallSnapshot})


@dataclass(slots=True)
class Machine:
    """What all simulated nodes share."""

    scheduler: Scheduler
    seed: str
    """Each node draws from a stream of its own, derived from this."""
    network: Network
    observer: Observer
    publish: Callable[[int, tuple[bytes, ...]], None]
    """Gossip items of a node to the others."""
    wall_base_ms: int
    """Wall clock at virtual time 0."""
    check_item: Callable[[bytes], CheckedItem]
    """The stateless checks of one item."""


@dataclass(eq=False, slots=True)
class SlowSync:
    """A disk that takes up to `size_us` more for each sync."""

    rng: random.Random
    size_us: int
    on_slow: Callable[[], None]


class SimulatedNode:
    """One validator: its disk survives a crash, its replica does not."""

    def __init__(self, machine: Machine, config: ReplicaConfig, index: int, wall_offset_ms: int) -> None:
        self.index = index
        self.store = SimulatedStore()
        self.replica: Replica | None = None
        self.is_running = False
        self.clock = NodeClock(machine.scheduler, machine.wall_base_ms + wall_offset_ms)
        self.sync_us = SYNC_US
        """Duration of a sync without a fault, shortest and longest."""
        self.slow_syncs: list[SlowSync] = []
        """Faults that slow every sync."""
        self.on_disk_full: Callable[[], None] | None = None
        """Called instead of writing while the disk is full; it stops the node."""
        self.doom: Doom | None = None
        """A death that waits for its moment between writing and sending."""
        self.is_paused = False
        """The process stands still: what comes waits in its inbox."""
        self.snapshots_installed = 0
        """Times that a snapshot from peers took the place of blocks."""
        self.blocks_pruned = 0
        self._inbox: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        self._on_late: Callable[[], None] | None = None
        self._machine = machine
        self._scheduler = machine.scheduler
        self._rng = random.Random(f"{machine.seed}/node/{index}")
        self.config = config
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
            LoadSnapshot: self._on_load_snapshot,
            LoadSnapshotChunk: self._on_load_snapshot_chunk,
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
        self.store.drop_unreadable()
        self._machine.observer.on_boot(self)
        try:
            self.replica = Replica(self.config, self.store.load())
            self._machine.observer.on_started(self)
            effects = self.replica.start(self.clock.read())
        except SequencerError as error:
            self._fail(error)
            return
        self._machine.observer.on_handled(self, None, effects)
        self._perform(effects)
        self._arm_timer()

    def crash(self, survival: Survival = Survival.PREFIX, rng: random.Random | None = None) -> None:
        """Die now: the replica and all that waited for a sync are gone."""
        self.is_running = self.is_paused = self._is_syncing = False
        self.replica = None
        self.doom = None
        self._waiting = []
        self._inbox.clear()
        votes, records, _ = self.store.crash(rng or self._rng, survival)
        self._machine.observer.on_durable(self, votes, records)
        self._machine.observer.on_crash(self)

    def heal(self) -> None:
        """End whatever hurts this node, but for a death: that takes a `boot`."""
        self.doom = self.on_disk_full = None
        self.resume()

    def get_instant(self) -> Instant:
        """Return what this node's clocks show."""
        return self.clock.get_instant()

    def set_clock_rate(self, rate: int, on_read: Callable[[], None] | None = None) -> None:
        """Let the monotonic clock run at `rate` thousandths; timers keep to it."""
        self.clock.set_rate(rate, on_read)
        self._timer_us = None
        self._arm_timer()

    # -- standing still -----------------------------------------------------------------------

    def pause(self, on_late: Callable[[], None]) -> None:
        """Stand still, as after SIGSTOP; `on_late` is told of each event that has to wait."""
        if self.is_running:
            self.is_paused, self._on_late = True, on_late

    def resume(self) -> None:
        """Go on with what has come in meanwhile, in its order."""
        self.is_paused = False
        while self._inbox and not self.is_paused:
            callback, arguments = self._inbox.popleft()
            callback(*arguments)
        self._timer_us = None
        self._arm_timer()

    def _defer(self, callback: Callable[..., None], *arguments: object) -> None:
        """Keep for later what happens to a process that stands still."""
        self._inbox.append((callback, arguments))
        if self._on_late is not None:
            self._on_late()

    # -- events in ----------------------------------------------------------------------------

    def on_connected(self, peer: int) -> None:
        """A connection to `peer` is open."""
        self.handle(PeerConnected(peer))

    def on_disconnected(self, peer: int) -> None:
        """The connection to `peer` broke."""
        self.handle(PeerDisconnected(peer))

    def on_message(self, peer: int, message: Message) -> None:
        """A message came from `peer`."""
        if self.is_paused:
            self._defer(self.on_message, peer, message)
            return
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
        if self.is_paused:
            self._defer(self._handle_in_life, self._life, event)
            return
        try:
            effects = self.replica.handle(event, self.clock.read())
        except SequencerError as error:
            self._fail(error)
            return
        self._machine.observer.on_handled(self, event, effects)
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
        if self.replica is None or not self.is_running or self.is_paused:
            return
        timer_ms = self.replica.get_timer()
        if timer_ms is None:
            return
        due_us = max(self.clock.get_due_us(timer_ms), self._scheduler.now_us)
        if self._timer_us is None or due_us < self._timer_us:
            self._timer_us = due_us
            self._scheduler.call_at(due_us, self._on_timer, self._life, due_us)

    def _on_timer(self, life: int, due_us: int) -> None:
        if life != self._life or self._timer_us != due_us or self.replica is None:
            return
        self._timer_us = None
        timer_ms = self.replica.get_timer()
        if timer_ms is not None and self.clock.get_due_us(timer_ms) <= self._scheduler.now_us:
            self.handle(TimerFired())
        else:
            self._arm_timer()

    # -- effects out: the durability gate ------------------------------------------------------

    def _perform(self, effects: tuple[Effect, ...]) -> None:
        if self._is_syncing:
            self._waiting.extend(effects)
            return
        for place, effect in enumerate(effects):
            if not self.is_running:  # it died while it sent: what follows was never written
                return
            if type(effect) in _PERSIST:
                self._waiting = list(effects[place:])
                self._start_sync()
                return
            self._actions[type(effect)](effect)

    def _start_sync(self) -> None:
        """Write every record that waits and sync once for all of them. # G5 D1"""
        if self._meets(Boundary.WRITING):
            return
        for effect in self._waiting:
            if type(effect) in _PERSIST:
                self._write(effect)
        if self.on_disk_full is not None:
            self.on_disk_full()
            return
        if self._meets(Boundary.WRITTEN):
            return
        self._is_syncing = True
        duration_us = self._rng.randint(*self.sync_us)
        for slow in self.slow_syncs:
            duration_us += int(slow.rng.random() * slow.size_us)
            slow.on_slow()
        if self.doom is not None and self.doom.boundary is Boundary.SYNCING:
            self._scheduler.call_after(self._rng.randint(0, duration_us - 1), self._die_in_sync, self._life)
        self._scheduler.call_after(duration_us, self._on_synced, self._life, len(self._waiting))

    def _die_in_sync(self, life: int) -> None:
        if life == self._life:
            self._meets(Boundary.SYNCING)

    def _meets(self, boundary: Boundary) -> bool:
        """Die if this is the moment; tells whether it was."""
        doom = self.doom
        if doom is None or doom.boundary is not boundary:
            return False
        if doom.skip:
            doom.skip -= 1
            return False
        self.doom = None
        doom.kill()
        return not self.is_running

    def _write(self, effect: Effect) -> None:
        if isinstance(effect, PersistVote):
            self.store.append_vote(effect)
        elif isinstance(effect, PersistBatch):
            self.store.append(effect.batch)
        elif isinstance(effect, PersistBlock):
            self.store.append(effect.block)
        elif isinstance(effect, InstallSnapshot):
            self.store.append(effect.claim.chain.certificate)
            self.store.append(Snapshot(effect.claim.header, effect.snapshot, effect.claim.commitment))

    def _on_synced(self, life: int, covered: int) -> None:
        if life != self._life or not self.is_running:
            return
        if self.is_paused:
            self._defer(self._on_synced, life, covered)
            return
        self._is_syncing = False
        self._machine.observer.on_durable(self, *self.store.sync())
        self.blocks_pruned += self.store.prune(self.config.genesis.parameters.retain_heights)
        if self._meets(Boundary.SYNCED):
            return
        released, later = self._waiting[:covered], self._waiting[covered:]
        self._waiting = []
        for effect in released:
            if not self.is_running:
                return
            if isinstance(effect, InstallSnapshot):
                self._on_installed(effect)
            elif type(effect) not in _PERSIST:
                self._actions[type(effect)](effect)
        if self.is_running and not self._meets(Boundary.SENT) and later:
            self._perform(tuple(later))

    # -- effects out: one method each ----------------------------------------------------------

    def _on_send(self, effect: Send) -> None:
        self._machine.observer.on_sent(self, effect.peer, effect.message)
        self._machine.network.send(self.index, effect.peer, effect.message)

    def _on_broadcast(self, effect: Broadcast) -> None:
        self._machine.observer.on_sent(self, None, effect.message)
        doom = self.doom
        if doom is not None and doom.boundary is Boundary.SENDING and not doom.skip:
            for peer in doom.reached:
                self._machine.network.send(self.index, peer, effect.message)
        if not self._meets(Boundary.SENDING):
            self._machine.network.broadcast(self.index, effect.message)

    def _on_store_execution(self, effect: StoreExecution) -> None:
        self.store.note_commitment(effect.block.header.height, effect.block.commitment)
        self._machine.observer.on_executed(self, effect.block)

    def _on_store_certificate(self, effect: StoreCommitmentCertificate) -> None:
        self.store.append(effect.certificate)
        self._machine.observer.on_certified(self, effect.certificate)

    def _on_store_evidence(self, effect: StoreEvidence) -> None:
        self.store.append(effect.evidence)
        self._machine.observer.on_evidence(self, effect.evidence)

    def _on_save_snapshot(self, effect: SaveSnapshot) -> None:
        self.store.append(Snapshot(effect.header, effect.snapshot, effect.commitment))

    def _on_installed(self, effect: InstallSnapshot) -> None:
        """A snapshot from peers is durable: the replica is to stand on it. # R2"""
        self.snapshots_installed += 1
        self._machine.observer.on_installed(self, effect.claim.header, effect.claim.commitment)
        answer = SnapshotInstalled(self.store.load())
        self._scheduler.call_after(MILLISECOND, self._handle_in_life, self._life, answer)

    def _on_check_items(self, effect: CheckItems) -> None:
        answer = ItemsChecked(effect.request, tuple(self._machine.check_item(item) for item in effect.items))
        delay_us = self._rng.randint(0, CHECK_US_MAX)
        self._scheduler.call_after(delay_us, self._handle_in_life, self._life, answer)

    def _on_load_blocks(self, effect: LoadBlocks) -> None:
        blocks = self.store.load_blocks(effect.from_height, effect.count)
        durable = self.store.durable
        oldest, newest = min(durable.blocks, default=0), max(durable.blocks, default=0)
        answer = BlocksLoaded(effect.request, blocks, durable.certificate, oldest, newest)
        self._scheduler.call_after(MILLISECOND, self._handle_in_life, self._life, answer)

    def _on_load_batches(self, effect: LoadBatches) -> None:
        answer = BatchesLoaded(effect.request, self.store.load_batches(effect))
        self._scheduler.call_after(MILLISECOND, self._handle_in_life, self._life, answer)

    def _on_load_snapshot(self, effect: LoadSnapshot) -> None:
        answer = self.store.load_snapshot(effect)
        self._scheduler.call_after(MILLISECOND, self._handle_in_life, self._life, answer)

    def _on_load_snapshot_chunk(self, effect: LoadSnapshotChunk) -> None:
        answer = self.store.load_snapshot_chunk(effect)
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
