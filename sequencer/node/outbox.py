"""Hold effects back until what they follow is durable, and write many turns with one sync.

Promises: effects are released in the order in which they were given; one that follows a store
effect is released only after that is performed; while one group is written, the next one
gathers, so the sync is shared (group commit). When the store fails nothing more is released.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeGuard

import trio

from sequencer.store.interface import Store, StoreEffect
from sequencer.types.effects import (
    Effect,
    InstallSnapshot,
    PersistBatch,
    PersistBlock,
    PersistVote,
    StoreCommitmentCertificate,
    StoreEvidence,
    StoreExecution,
)

OUTBOX_EFFECTS_MAX = 4_096
"""Effects that may wait for the disk; beyond, the replica is given no further event."""

_STORE_EFFECTS = (
    PersistVote,
    PersistBatch,
    PersistBlock,
    StoreExecution,
    StoreCommitmentCertificate,
    StoreEvidence,
    InstallSnapshot,
)


def is_store_effect(effect: Effect) -> TypeGuard[StoreEffect]:
    """Tell whether the store performs the effect."""
    return isinstance(effect, _STORE_EFFECTS)


class Outbox:
    """One task gives, one task (`run`) writes; `release` is called for every effect, in order."""

    def __init__(self, store: Store, release: Callable[[Effect], None]) -> None:
        self.groups = 0
        """Times the store was called."""
        self.waits = 0
        """Times the replica had to wait for the disk."""
        self.sync_seconds_max = 0.0
        """Longest time that one group took."""
        self._store = store
        self._release = release
        self._waiting: list[Effect] = []
        self._is_writing = False
        self._changed = trio.lowlevel.ParkingLot()
        self._drained = trio.lowlevel.ParkingLot()
        self.limiter = trio.CapacityLimiter(1)
        """One thread at a time touches the store's files. # D2"""

    def give(self, effects: Iterable[Effect]) -> None:
        """Take over the effects of one turn; those that wait for nothing are released at once."""
        for effect in effects:
            if self._waiting or self._is_writing or is_store_effect(effect):
                self._waiting.append(effect)
            else:
                self._release(effect)
        if self._waiting:
            self._changed.unpark()

    async def wait_for_room(self) -> None:
        """Return when fewer than the limit wait; always lets other tasks run."""
        await trio.lowlevel.checkpoint()
        while len(self._waiting) >= OUTBOX_EFFECTS_MAX:
            self.waits += 1
            await self._drained.park()

    async def run(self) -> None:
        """Write and release until cancelled; raises `StoreError` when the disk fails."""
        while True:
            while not self._waiting:
                await self._changed.park()
            group, self._waiting = self._waiting, []
            self._is_writing = True
            await self._write([effect for effect in group if is_store_effect(effect)])
            for effect in group:
                self._release(effect)
            self._is_writing = False
            self._drained.unpark_all()

    async def _write(self, effects: list[StoreEffect]) -> None:
        if not effects:
            return
        started = trio.current_time()
        await trio.to_thread.run_sync(self._store.perform, effects, limiter=self.limiter)
        self.groups += 1
        self.sync_seconds_max = max(self.sync_seconds_max, trio.current_time() - started)
