"""Carry what one part of a replica has for another until nothing moves, then collect the effects.

Lanes come before consensus: a vote rests on batches that must be durable first.
"""

from __future__ import annotations

from collections.abc import Sequence

from sequencer.errors import StoreError
from sequencer.replica.admissions import list_admissions, list_consumers, list_crowded_out
from sequencer.replica.parts import Parts
from sequencer.replica.pipeline import Finished
from sequencer.types import effects as out
from sequencer.types.item import SignedBundle
from sequencer.types.primitives import Height, Instant, ValidatorIndex, get_earliest
from sequencer.types.vote import Proposal, Vote

ITEMS_PER_SNAPSHOT_MAX = 10_000
"""Items executed since the last snapshot after which the next is saved, whatever the height: a
restart executes them again, signatures too, which took 0.4 ms each on two busy cores."""


class Settling:
    """What happens after each event, whatever it was."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._unconnected_since_ms: int | None = None
        self._is_continuing = False
        self._noted_height: Height = 0
        self._items_since_snapshot = parts.recovered.items_replayed

    def on_continued(self) -> None:
        """The caller gives execution its next slice."""
        self._is_continuing = False

    def settle(self, effects: list[out.Effect], now: Instant) -> None:
        """Bring everything to rest and add what is to be done, in order."""
        parts = self._parts
        while True:
            self._advance_lanes(effects, now)
            moved = self._take_finalized(now)
            moved |= self._advance_execution(effects, now)
            is_lagging = parts.pipeline.lag > parts.config.genesis.parameters.delivery_lag_max
            parts.consensus.freeze_cut(parts.commitments.is_halted or is_lagging)
            if not moved:
                break
            parts.consensus.recheck(now)
        self._catch_up(effects, now)
        effects.extend(parts.lanes.take_effects())
        self._collect_consensus(effects, now)
        effects.extend(parts.commitments.take_effects())
        effects.extend(parts.mempool.take_answers())
        effects.extend(parts.mempool.take_publications())
        if parts.alarm is None:
            effects.extend(parts.relay.settle(parts.pipeline.lag, now))
            effects.extend(parts.verdicts.settle(parts.pipeline.lag, now))
        suspicions = parts.take_suspicions()
        if suspicions:
            effects.extend(parts.evidence.take_in(suspicions, now))
        self._adopt_fetched(effects, now)

    def _catch_up(self, effects: list[out.Effect], now: Instant) -> None:
        """Ask for blocks, or for a snapshot if they lead nowhere. # R2"""
        self._note_heights()
        parts, need = self._parts, self._parts.need
        delivered, finalized = parts.pipeline.delivered.height, parts.consensus.head.height
        effects.extend(parts.state_sync.poll(delivered, need, now))
        blocked_since_ms = self.get_blocked_since(now)
        if not parts.state_sync.is_busy(need):
            request = parts.catch_up.poll(delivered, blocked_since_ms, now, finalized)
            effects.extend(() if request is None else (request,))

    def _note_heights(self) -> None:
        """Who signed a certificate has come as far as it says: HELLO was long ago. # R2"""
        parts = self._parts
        for signers, height in (parts.consensus.get_finalizers(), parts.commitments.get_certifiers()):
            if height > self._noted_height:
                self._noted_height = height
                for peer in signers:
                    if peer in parts.peers:
                        parts.catch_up.on_peer_height(peer, height)

    def _adopt_fetched(self, effects: list[out.Effect], now: Instant) -> None:
        """Hand a snapshot that is complete and right to the store, behind all other effects; blame a wrong one. # R2"""
        parts = self._parts
        fetched = parts.state_sync.take_fetched()
        is_useful = fetched is not None and fetched.claim.height > parts.pipeline.delivered.height
        if fetched is not None and is_useful and parts.alarm is None:  # it would stand up again without the alarm # C2
            try:
                effects.append(parts.adoption.begin(fetched, parts.config.genesis))
            except StoreError as error:
                parts.state_sync.on_wrong(fetched, str(error), now)
        elif fetched is not None:
            parts.state_sync.on_unneeded(now)
        effects.extend(parts.state_sync.take_bans())

    def get_blocked_since(self, now: Instant | None = None) -> int | None:
        """Return since when finalized blocks wait for headers or batches."""
        if self._parts.consensus.is_finalized_connected:
            self._unconnected_since_ms = None
        elif self._unconnected_since_ms is None and now is not None:
            self._unconnected_since_ms = now.mono_ms
        return get_earliest(self._unconnected_since_ms, self._parts.delivery.blocked_since_ms)

    def get_catch_up_timer(self) -> int | None:
        """Return when blocks or a snapshot may have to be asked for."""
        parts, need = self._parts, self._parts.need
        timer = parts.state_sync.get_timer(need)
        if parts.state_sync.is_busy(need):
            return timer
        return get_earliest(timer, parts.catch_up.get_timer(self.get_blocked_since()))

    def _advance_lanes(self, effects: list[out.Effect], now: Instant) -> None:
        self._parts.lanes.on_timer(now)
        for batch in self._parts.lanes.take_arrived():
            check = self._parts.checks.check_batch(batch)
            if check is not None:
                effects.append(check)
        self._parts.mempool.on_batched(self._parts.lanes.take_created())
        if self._parts.lanes.take_change() or self._parts.consensus.is_due(now):
            self._parts.consensus.recheck(now)

    def _take_finalized(self, now: Instant) -> bool:
        finalized = self._parts.consensus.take_finalized()
        for entry in finalized:
            if self._parts.lanes.on_finalized(entry.header.cut, now):
                self._parts.mempool.on_lane_moved(now)
            self._parts.delivery.add(entry.header, entry.finalization)
        return bool(finalized)

    def _advance_execution(self, effects: list[out.Effect], now: Instant) -> bool:
        """Execute one slice; ask to be called again if there is more."""
        if self._is_continuing or not self._parts.pipeline.lag:
            return False
        finished, missing = self._parts.pipeline.advance(self._get_block_sources(), now)
        effects.extend(missing)
        for done in finished:
            self._on_executed(done, effects, now)
        if self._parts.pipeline.has_more:
            self._is_continuing = True
            effects.append(out.Continue())
        return bool(finished)

    def _on_executed(self, done: Finished, effects: list[out.Effect], now: Instant) -> None:
        """A block is executed: durable first, then indexed, then signed."""
        effects.extend(self._parts.lanes.take_effects())
        effects.append(out.PersistBlock(done.block))
        effects.append(out.StoreExecution(done.executed))
        self._parts.commitments.on_executed(done.executed)
        self._parts.relay.on_executed()
        self._parts.verdicts.on_executed(done.executed, [item for batch in done.checked for _, item in batch], now)
        sizes = zip((batch.header.lane for batch in done.block.batches), map(len, done.checked), strict=True)
        self._parts.lanes.on_executed(list_admissions(sizes, done.executed))
        for digest in self._parts.lanes.on_delivered(done.block.header.cut):
            self._parts.checks.release(digest)
        items = [checked for batch in done.checked for _, checked in batch]
        own = [
            checked.id
            for batch, checks in zip(done.block.batches, done.checked, strict=True)
            if batch.header.lane == self._parts.config.index
            for _, checked in checks
            if isinstance(checked, SignedBundle)
        ]
        bundles = [checked.bundle for checked in items if isinstance(checked, SignedBundle)]
        touched = dict.fromkeys((bundle.payer, bundle.channel) for bundle in bundles)
        consumers, crowded_out = list_consumers(items, done.executed), list_crowded_out(done.executed)
        self._parts.mempool.on_executed(touched, own, self._parts.executor.height, now, consumers, crowded_out)
        self._items_since_snapshot += len(done.executed.results)
        if self._is_snapshot_due():
            self._items_since_snapshot = 0
            executor = self._parts.executor
            effects.append(out.SaveSnapshot(executor.header, executor.take_snapshot(), executor.commitment))

    def _is_snapshot_due(self) -> bool:
        """Snapshots stand at fixed heights, and closer together where blocks are full."""
        is_at_height = (
            self._parts.executor.height % self._parts.config.genesis.parameters.snapshot_interval_heights == 0
        )
        return is_at_height or self._items_since_snapshot >= ITEMS_PER_SNAPSHOT_MAX

    def _collect_consensus(self, effects: list[out.Effect], now: Instant) -> None:
        """Votes leave with what is held, so HAVE costs no message of its own then. # L4"""
        votes = self._parts.consensus.take_effects()
        effects.extend(votes)
        if votes and any(isinstance(e, out.Broadcast) and isinstance(e.message, (Vote, Proposal)) for e in votes):
            self._parts.lanes.flush_have(now)
            effects.extend(self._parts.lanes.take_effects())
        if self._parts.alarm is not None:
            self._parts.own_votes.stop()
            self._parts.commitments.stop()
            self._parts.lanes.stop()

    def _get_block_sources(self) -> Sequence[ValidatorIndex]:
        """Return who has the batches of a finalized block: its voters. # L6"""
        finalization = self._parts.consensus.finalization
        signers = finalization.signers if finalization is not None else range(self._parts.config.genesis.committee.size)
        return tuple(signer for signer in signers if signer != self._parts.config.index)
