"""Drive one replica: hand it events one by one, perform its effects in order.

Promises (the duties of a replica's caller): `handle` is called from one task only; what follows
a Persist leaves only once that is durable; every request is answered by an event; a timer is
never early. A turn handles at most 64 events or 10 ms, then other tasks run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeAlias

import trio

from sequencer.crypto.signatures import Verifier
from sequencer.node.clock import Clock, compute_deadline
from sequencer.node.inbox import Inbox
from sequencer.node.outbox import Outbox
from sequencer.node.threads import run_abandonable
from sequencer.store.interface import Store
from sequencer.types.commitment import Commitment
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
    PublishItems,
    PublishVotes,
    RaiseAlarm,
    SaveSnapshot,
    Send,
    StoreCommitmentCertificate,
    StoreEvidence,
    StoreExecution,
    Submission,
)
from sequencer.types.events import (
    Continued,
    Event,
    ItemsChecked,
    ItemsSubmitted,
    SnapshotInstalled,
    TimerFired,
)
from sequencer.types.evidence import Evidence
from sequencer.types.executed import ExecutedBlock
from sequencer.types.item import CheckedItem, check_items
from sequencer.types.item_rules import ItemRules
from sequencer.types.messages import Message
from sequencer.types.primitives import Instant, ValidatorIndex
from sequencer.types.verdict import ExecutorVote

TURN_EVENTS_MAX = 64
"""Events of one turn."""
TURN_MS_MAX = 10
"""A turn takes no further event after this long."""
CHECK_CHUNK_ITEMS = 256
"""Items whose signatures one call of a worker thread checks: about 15 ms."""
CHECK_THREADS = 2
"""Worker threads that check signatures."""
LOAD_THREADS = 1
"""Worker threads that read blocks for peers."""
REQUESTS_MAX = 512
"""Submissions of clients that may wait for their answer."""

LoadEffect: TypeAlias = LoadBlocks | LoadBatches | LoadSnapshot | LoadSnapshotChunk
"""What is read beside the loop, for peers."""


class Core(Protocol):
    """What the driver needs of a replica."""

    def start(self, now: Instant) -> tuple[Effect, ...]: ...

    def handle(self, event: Event, now: Instant) -> tuple[Effect, ...]: ...

    def get_timer(self) -> int | None: ...


class Outside(Protocol):
    """Where effects go that leave the node or are told to people; none of the calls blocks."""

    def send(self, peer: ValidatorIndex, message: Message) -> None: ...

    def broadcast(self, message: Message) -> None: ...

    def ban(self, peer: ValidatorIndex, reason: str) -> None: ...

    def publish(self, items: Sequence[bytes]) -> None: ...

    def publish_votes(self, votes: Sequence[ExecutorVote]) -> None: ...

    def on_executed(self, block: ExecutedBlock) -> None: ...

    def on_certified(self, height: int) -> None: ...

    def on_evidence(self, evidence: Evidence) -> None: ...

    def on_installed(self, commitment: Commitment) -> None: ...

    def on_alarm(self, reason: str) -> None: ...


class TooManyRequests(Exception):
    """More submissions wait than the node answers at once."""


class Driver:
    """Owns the replica while it runs."""

    def __init__(
        self, core: Core, store: Store, outside: Outside, clock: Clock, rules: ItemRules, verifier: Verifier
    ) -> None:
        self.inbox = Inbox()
        """Where the network's events enter."""
        self.outbox = Outbox(store, self._release)
        self.counters: Counter[str] = Counter()
        self._core = core
        self._store = store
        self._outside = outside
        self._clock = clock
        self._rules = rules
        self._verifier = verifier
        self._answers: dict[int, trio.Event] = {}
        self._submissions: dict[int, tuple[Submission, ...]] = {}
        self._last_request = 0
        self._check_limiter = trio.CapacityLimiter(CHECK_THREADS)
        self._load_limiter = trio.CapacityLimiter(LOAD_THREADS)
        self._snapshot_limiter = trio.CapacityLimiter(1)
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Run until cancelled; raises `StoreError` or `InvariantViolation` when the node must stop."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.outbox.run)
            nursery.start_soon(self._drive)

    async def _drive(self) -> None:
        self._take_over(self._core.start(self._clock.get_now()))
        while True:
            await self.inbox.wait(self._get_deadline())
            self._turn()
            await self.outbox.wait_for_room()

    def _get_deadline(self) -> float:
        timer = self._core.get_timer()
        return float("inf") if timer is None else compute_deadline(timer)

    def _turn(self) -> None:
        """Fire the timer if its time has come, then handle what waits, within the bounds of a turn."""
        started = now = self._clock.get_now()
        effects: list[Effect] = []
        timer = self._core.get_timer()
        if timer is not None and timer <= now.mono_ms:
            effects.extend(self._core.handle(TimerFired(), now))
        for _ in range(TURN_EVENTS_MAX):
            event = self.inbox.take()
            if event is None:
                break
            effects.extend(self._core.handle(event, now))
            now = self._clock.get_now()
            if now.mono_ms - started.mono_ms >= TURN_MS_MAX:
                break
        self.counters["turns"] += 1
        self._take_over(effects)

    def _take_over(self, effects: Sequence[Effect]) -> None:
        """Start at once what stays inside the node; the rest waits for the store where it must."""
        outgoing = []
        for effect in effects:
            match effect:
                case Continue():
                    self.inbox.put_answer(Continued())
                case CheckItems(request, items):
                    self._start(self._check, request, items)
                case _:
                    outgoing.append(effect)
        self.outbox.give(outgoing)

    def _release(self, effect: Effect) -> None:
        """Perform an effect whose predecessors are durable."""
        match effect:
            case Send(peer, message):
                self._outside.send(peer, message)
            case Broadcast(message):
                self._outside.broadcast(message)
            case PublishItems(items):
                self._outside.publish(items)
            case PublishVotes(votes):
                self._outside.publish_votes(votes)
            case Answer(request, submissions):
                self._answer(request, submissions)
            case LoadBlocks() | LoadBatches() | LoadSnapshot() | LoadSnapshotChunk():
                self._start(self._load, effect)
            case InstallSnapshot(claim):
                self._outside.on_installed(claim.commitment)
                self._start(self._recover)
            case SaveSnapshot():
                self._start(self._save, effect)
            case StoreExecution(block):
                self._outside.on_executed(block)
            case StoreCommitmentCertificate(certificate):
                self._outside.on_certified(certificate.height)
            case StoreEvidence(evidence):
                self._outside.on_evidence(evidence)
            case BanPeer(peer, reason):
                self._outside.ban(peer, reason)
            case RaiseAlarm(reason):
                self._outside.on_alarm(reason)

    def _start(self, work: Callable[..., Awaitable[None]], *arguments: object) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(work, *arguments)

    async def _check(self, request: int, items: tuple[bytes, ...]) -> None:
        """Check signatures in worker threads, chunk by chunk."""
        results: list[CheckedItem] = []
        for start in range(0, len(items), CHECK_CHUNK_ITEMS):
            work = partial(check_items, items[start : start + CHECK_CHUNK_ITEMS], self._rules, self._verifier)
            results.extend(await run_abandonable(work, self._check_limiter))
        self.inbox.put_answer(ItemsChecked(request, tuple(results)))

    async def _load(self, effect: LoadEffect) -> None:
        work = partial(self._read, effect)
        self.inbox.put_answer(await trio.to_thread.run_sync(work, limiter=self._load_limiter))

    def _read(self, effect: LoadEffect) -> Event:
        match effect:
            case LoadBlocks(request, from_height, count):
                return self._store.load_blocks(request, from_height, count)
            case LoadBatches():
                return self._store.load_batches(effect)
            case LoadSnapshot():
                return self._store.load_snapshot(effect)
            case LoadSnapshotChunk():
                return self._store.load_snapshot_chunk(effect)

    async def _recover(self) -> None:
        """Read back what the store holds, now that a snapshot from peers is in it. # R2"""
        recovery = await trio.to_thread.run_sync(self._store.load, limiter=self.outbox.limiter)
        self.inbox.put_answer(SnapshotInstalled(recovery))

    async def _save(self, effect: SaveSnapshot) -> None:
        # Not in the store's thread: a large snapshot must not delay a vote.
        await trio.to_thread.run_sync(self._store.save_snapshot, effect, limiter=self._snapshot_limiter)

    async def submit(self, items: Sequence[bytes]) -> tuple[Submission, ...]:
        """Hand in a client's items; returns one submission per item. Raises `TooManyRequests`."""
        if len(self._answers) >= REQUESTS_MAX:
            self.counters["submissions_refused"] += 1
            raise TooManyRequests
        self._last_request += 1
        request, done = self._last_request, trio.Event()
        self._answers[request] = done
        try:
            await self.inbox.put(ItemsSubmitted(request, tuple(items)))
            await done.wait()
            return self._submissions[request]
        finally:
            del self._answers[request]
            self._submissions.pop(request, None)

    def _answer(self, request: int, submissions: tuple[Submission, ...]) -> None:
        if request not in self._answers:
            self.counters["answers_unwanted"] += 1  # the client went away
            return
        self._submissions[request] = submissions
        self._answers[request].set()
