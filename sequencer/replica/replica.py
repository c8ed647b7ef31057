"""Handle one event at a time and return the effects in the order in which they must be performed.

Duties of the caller: (1) call `handle` from one task only; (2) perform effects in order;
(3) after a `Persist…`, send nothing that follows it until it is durable; (4) answer every
request effect later with the event that bears its number; (5) call with `TimerFired` no
earlier than `get_timer()`. The same events with the same `now` give the same effects, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence

from sequencer.consensus.core import Consensus
from sequencer.consensus.own_votes import OwnVotes
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.errors import LocalError, PeerError
from sequencer.execution.executor import Executor
from sequencer.lanes.lanes import Lanes
from sequencer.mempool.mempool import Mempool
from sequencer.ordering.delivery import Delivery
from sequencer.replica.block_server import BlockServer
from sequencer.replica.commitments import Commitments
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.item_checks import BatchCheck, GossipCheck, ItemChecks, SubmissionCheck
from sequencer.replica.pipeline import Finished, Pipeline
from sequencer.replica.recovery import recover
from sequencer.replica.statistics import ReplicaStatistics
from sequencer.sync.catch_up import CatchUp
from sequencer.sync.following import Following
from sequencer.types import effects as out
from sequencer.types import events
from sequencer.types.batch import Batch
from sequencer.types.commitment import CommitmentCertificate, CommitmentVote
from sequencer.types.item import CheckedItem, SignedBundle
from sequencer.types.messages import (
    PROTOCOL_VERSION,
    Batches,
    BlockHeaders,
    GetBatches,
    GetBlocks,
    Have,
    Hello,
    Message,
    Sync,
    SyncBlocks,
)
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.primitives import Digest, Instant, ValidatorIndex, get_earliest
from sequencer.types.records import EMPTY_RECOVERY, RecordKind, Recovery
from sequencer.types.vote import Certificate, Proposal, Vote

ITEMS_PER_SNAPSHOT_MAX = 10_000
"""Items executed since the last snapshot after which the next is saved, whatever the height: a
restart executes them again, signatures too, which took 0.4 ms each on two busy cores."""


class Replica:
    """One validator, observer or full node."""

    def __init__(self, config: ReplicaConfig, recovery: Recovery = EMPTY_RECOVERY) -> None:
        """Take up what the store kept; executes stored blocks above the snapshot again."""
        genesis = config.genesis
        self._config = config
        self._commitments = Commitments(
            genesis.chain_id,
            genesis.committee,
            genesis.parameters,
            config.index,
            config.signer,
            config.verifier,
            recovery.commitment,
            {record.number: record.digest for record in recovery.votes if record.kind is RecordKind.COMMITMENT},
        )
        recovered = recover(config, recovery, self._commitments.on_replayed)
        self.observer_reason = recovered.observer_reason
        signer = None if self.observer_reason is not None else config.signer
        if signer is None:
            self._commitments.stop()
        self._recovered = recovered
        self._restored_batches = recovery.batches
        self.executor: Executor = recovered.executor
        """Read-only for callers."""
        head = recovered.anchor.head
        lane_signer = signer if config.is_lane_enabled else None
        self._lanes = Lanes(
            genesis.chain_id,
            genesis.committee,
            genesis.parameters,
            config.index,
            lane_signer,
            config.verifier,
            head.cut,
            recovered.own_top,
        )
        self._own_votes = OwnVotes(
            genesis.chain_id, genesis.committee.epoch, signer, recovery.votes, recovery.certificates
        )
        self._consensus = Consensus(
            genesis.chain_id,
            genesis.committee,
            genesis.parameters,
            config.index,
            self._own_votes,
            config.verifier,
            self._lanes,
            recovered.anchor,
        )
        self._delivery = Delivery(genesis.committee.seed, head, self._lanes)
        self._checks = ItemChecks()
        self._pipeline = Pipeline(self.executor, self._delivery, self._checks)
        self._mempool = Mempool(
            genesis.parameters,
            genesis.committee.size,
            config.index,
            self.executor,
            self._lanes.add_item if lane_signer is not None else None,
            config.is_gossip_enabled,
        )
        following = Following() if config.index is None else None
        self._catch_up = CatchUp(genesis.chain_id, genesis.committee, config.verifier, following)
        self._server = BlockServer()
        self._peers: dict[ValidatorIndex, None] = {}
        self._unconnected_since_ms: int | None = None
        self._is_continuing = False
        self._items_since_snapshot = recovered.items_replayed
        self._is_started = False
        self._submissions_refused = 0
        self._bans = 0

    # --- the contract -------------------------------------------------------------------

    def start(self, now: Instant) -> tuple[out.Effect, ...]:
        """Begin; called once, before any event."""
        if self._is_started:
            raise LocalError("the replica was started already")
        self._is_started = True
        effects: list[out.Effect] = [out.StoreExecution(executed) for executed in self._recovered.replayed]
        self._lanes.restore(self._restored_batches)
        self._commitments.start()
        self._consensus.start(now)
        self._settle(effects, now)
        return tuple(effects)

    def handle(self, event: events.Event, now: Instant) -> tuple[out.Effect, ...]:
        """Take one event in and return what is to be done."""
        if not self._is_started:
            raise LocalError("the replica was not started")
        effects: list[out.Effect] = []
        try:
            self._dispatch(event, effects, now)
        except PeerError as error:
            if not isinstance(event, events.MessageReceived):
                raise
            self._bans += 1
            effects.append(out.BanPeer(event.peer, str(error)))
        self._settle(effects, now)
        return tuple(effects)

    def get_timer(self) -> int | None:
        """Return the monotonic millisecond at which `TimerFired` is due."""
        return get_earliest(
            self._consensus.get_timer(),
            self._lanes.get_timer(),
            self._mempool.get_timer(),
            self._catch_up.get_timer(self._get_blocked_since()),
        )

    # --- queries ------------------------------------------------------------------------

    def is_pending(self, bundle_id: Digest) -> bool:
        """Tell whether this node holds the bundle and has not executed it."""
        return self._mempool.holds(bundle_id)

    def get_statistics(self) -> ReplicaStatistics:
        """Return what can be counted, frozen."""
        mempool = self._mempool.counters
        lanes = self._lanes.counters
        return ReplicaStatistics(
            role=self._get_role(),
            observer_reason=self.observer_reason,
            alarm=self._consensus.alarm or self._commitments.alarm,
            view=self._consensus.view,
            finalized_view=self._consensus.finalized_view,
            finalized_height=self._consensus.head.height,
            executed_height=self.executor.height,
            certified_height=self._commitments.certified_height,
            is_halted=self._commitments.is_halted,
            delivery_lag=self._pipeline.lag,
            mempool_size=self._mempool.size,
            gossip_published=mempool.gossip_published,
            gossip_received=mempool.gossip_received,
            gossip_included=mempool.gossip_included,
            peers=tuple(sorted(self._peers)),
            following=None if self._catch_up.following is None else self._catch_up.following.peer,
            counters={
                "items_admitted": mempool.admitted,
                "items_rejected": mempool.rejected,
                "items_expired": mempool.expired,
                "items_requeued": mempool.requeued,
                "batches_out_of_window": lanes.batches_out_of_window,
                "batches_refused": lanes.batches_refused,
                "batches_pushed": lanes.batches_pushed,
                "fetches_unanswered": lanes.fetches_unanswered,
                "views_nullified": self._consensus.views_nullified,
                "sync_requests": self._catch_up.requests_sent,
                "sync_requests_refused": self._server.requests_refused,
                "submissions_refused": self._submissions_refused,
                "messages_refused": self._bans,
            },
        )

    def _get_role(self) -> str:
        if self._config.index is None:
            return "full"
        return "validator" if self._own_votes.can_sign else "observer"

    # --- events -------------------------------------------------------------------------

    def _dispatch(self, event: events.Event, effects: list[out.Effect], now: Instant) -> None:
        match event:
            case events.MessageReceived(peer, message):
                self._on_message(peer, message, effects, now)
            case events.TimerFired():
                self._on_timer(now)
            case events.Continued():
                self._is_continuing = False
            case events.ItemsChecked(request, results):
                self._on_items_checked(request, results, now)
            case events.ItemsSubmitted(request, items):
                self._on_items_submitted(request, items, effects)
            case events.ItemsGossiped(items):
                self._on_items_gossiped(items, effects)
            case events.BlocksLoaded():
                _append(effects, self._server.on_loaded(event))
            case events.BatchesLoaded():
                _append(effects, self._server.on_batches_loaded(event))
            case events.PeerConnected(peer):
                self._on_peer_connected(peer, effects)
            case events.PeerDisconnected(peer):
                self._on_peer_disconnected(peer)

    def _on_message(self, peer: ValidatorIndex, message: Message, effects: list[out.Effect], now: Instant) -> None:
        """Hand a message to the part that it concerns."""
        match message:
            case Vote():
                self._consensus.on_vote(peer, message, now)
            case Have():
                self._lanes.on_have(peer, message, now)
                self._consensus.recheck(now)
            case Batch():
                self._lanes.on_batch(peer, message)
                self._consensus.recheck(now)
            case Proposal():
                self._consensus.on_proposal(peer, message, now)
            case CommitmentVote():
                self._commitments.on_vote(peer, message)
            case Certificate():
                self._consensus.on_certificate(message, now)
            case GetBatches():
                if not self._lanes.on_get_batches(peer, message):
                    _append(effects, self._server.on_fetch(peer, message))
            case Batches():
                self._lanes.on_batches(message, now)
                self._consensus.recheck(now)
            case GetBlocks():
                self._consensus.on_get_blocks(peer, message)
            case BlockHeaders():
                self._consensus.on_block_headers(message, now)
            case CommitmentCertificate():
                self._commitments.on_certificate(message)
            case Hello():
                self._on_hello(peer, message, now)
            case Sync():
                _append(effects, self._server.on_sync(peer, message, self.executor.height))
            case SyncBlocks():
                self._on_sync_blocks(peer, message, now)

    def _on_timer(self, now: Instant) -> None:
        self._mempool.on_timer(now)
        self._consensus.on_timer(now)

    def _on_peer_connected(self, peer: ValidatorIndex, effects: list[out.Effect]) -> None:
        """Say who and where we are; what was in flight is lost. # F5"""
        self._peers[peer] = None
        self._catch_up.on_connected(peer)
        head = self._consensus.head
        hello = Hello(
            PROTOCOL_VERSION,
            self._config.genesis.chain_id,
            self._config.genesis.committee.epoch,
            self._consensus.view,
            head.height,
            self._consensus.finalized_view,
            self._consensus.finalized_digest,
            self._consensus.get_hello_certificates(),
            self._consensus.get_hello_votes(),
            self._lanes.make_snapshot(),
        )
        effects.append(out.Send(peer, hello))
        self._commitments.send_recent(peer)

    def _on_peer_disconnected(self, peer: ValidatorIndex) -> None:
        self._peers.pop(peer, None)
        self._consensus.on_disconnected(peer)
        self._lanes.on_disconnected(peer)
        self._catch_up.on_disconnected(peer)

    def _on_hello(self, peer: ValidatorIndex, hello: Hello, now: Instant) -> None:
        """A peer says who and where it is. # F5 L2b"""
        if hello.version != PROTOCOL_VERSION or hello.chain_id != self._config.genesis.chain_id:
            raise PeerError(f"validator {peer} speaks version {hello.version} of another network or protocol")
        self._catch_up.on_peer_height(peer, hello.finalized_height)
        for certificate in hello.certificates:
            self._consensus.on_certificate(certificate, now)
        for vote in hello.votes:
            self._consensus.on_vote(peer, vote, now)
        self._lanes.on_hello(peer, hello.have, now)
        self._consensus.recheck(now)

    def _on_sync_blocks(self, peer: ValidatorIndex, answer: SyncBlocks, now: Instant) -> None:
        """Take proven blocks in as if they had come the ordinary way. # R2"""
        blocks = self._catch_up.verify_answer(peer, answer, self._pipeline.delivered)
        if answer.commitment is not None:
            self._commitments.on_certificate(answer.commitment)
        if not blocks:
            return
        self._lanes.add_vouched((batch for block in blocks for batch in block.batches), now)
        self._consensus.add_headers(tuple(block.header for block in blocks), now)
        for block in blocks:
            if block.finalization is not None and block.finalization.digest == block.header.digest:
                self._consensus.on_certificate(block.finalization, now)

    def _on_items_submitted(self, request: int, items: tuple[bytes, ...], effects: list[out.Effect]) -> None:
        check = self._checks.check_submission(request, items)
        if check is not None:
            effects.append(check)
            return
        self._submissions_refused += 1
        rejection = Rejection(Reason.QUEUE_FULL, "item", "too many requests are being checked")
        effects.append(
            out.Answer(
                request,
                tuple(
                    out.Submission(out.SubmissionStatus.REJECTED, hash_tagged(Tag.ITEM, item), rejection)
                    for item in items
                ),
            )
        )

    def _on_items_gossiped(self, items: tuple[bytes, ...], effects: list[out.Effect]) -> None:
        if self._config.is_gossip_enabled:
            _append(effects, self._checks.check_gossip(items))

    def _on_items_checked(self, request: int, results: tuple[CheckedItem, ...], now: Instant) -> None:
        match self._checks.on_checked(request, results):
            case SubmissionCheck(client_request, items):
                self._mempool.on_submitted(client_request, items, results, now)
            case GossipCheck():
                self._mempool.on_gossiped(results, now)
            case BatchCheck() | None:
                pass

    # --- bringing everything to rest ----------------------------------------------------

    def _settle(self, effects: list[out.Effect], now: Instant) -> None:
        """Carry what one part has for another until nothing moves, then collect effects.

        Lanes come before consensus: a vote rests on batches that must be durable first.
        """
        while True:
            self._advance_lanes(effects, now)
            moved = self._take_finalized(now)
            moved |= self._advance_execution(effects, now)
            is_lagging = self._pipeline.lag > self._config.genesis.parameters.delivery_lag_max
            self._consensus.freeze_cut(self._commitments.is_halted or is_lagging)
            if not moved:
                break
            self._consensus.recheck(now)
        delivered, finalized = self._pipeline.delivered.height, self._consensus.head.height
        _append(effects, self._catch_up.poll(delivered, self._get_blocked_since(now), now, finalized))
        effects.extend(self._lanes.take_effects())
        self._collect_consensus(effects, now)
        effects.extend(self._commitments.take_effects())
        effects.extend(self._mempool.take_answers())
        effects.extend(self._mempool.take_publications())

    def _advance_lanes(self, effects: list[out.Effect], now: Instant) -> None:
        self._lanes.on_timer(now)
        for batch in self._lanes.take_arrived():
            _append(effects, self._checks.check_batch(batch))
        created = self._lanes.take_created()
        if created:
            self._consensus.recheck(now)
            self._mempool.on_batched(created)

    def _take_finalized(self, now: Instant) -> bool:
        finalized = self._consensus.take_finalized()
        for entry in finalized:
            if self._lanes.on_finalized(entry.header.cut):
                self._mempool.on_lane_moved(now)
            self._delivery.add(entry.header, entry.finalization)
        return bool(finalized)

    def _advance_execution(self, effects: list[out.Effect], now: Instant) -> bool:
        """Execute one slice; ask to be called again if there is more."""
        if self._is_continuing or not self._pipeline.lag:
            return False
        finished, missing = self._pipeline.advance(self._get_block_sources(), now)
        effects.extend(missing)
        for done in finished:
            self._on_executed(done, effects, now)
        if self._pipeline.has_more:
            self._is_continuing = True
            effects.append(out.Continue())
        return bool(finished)

    def _on_executed(self, done: Finished, effects: list[out.Effect], now: Instant) -> None:
        """A block is executed: durable first, then indexed, then signed."""
        effects.extend(self._lanes.take_effects())
        effects.append(out.PersistBlock(done.block))
        effects.append(out.StoreExecution(done.executed))
        self._commitments.on_executed(done.executed)
        for digest in self._lanes.on_delivered(done.block.header.cut):
            self._checks.release(digest)
        bundles = [checked for batch in done.checked for _, checked in batch if isinstance(checked, SignedBundle)]
        own = [
            checked.id
            for batch, items in zip(done.block.batches, done.checked, strict=True)
            if batch.header.lane == self._config.index
            for _, checked in items
            if isinstance(checked, SignedBundle)
        ]
        touched = dict.fromkeys((signed.bundle.payer, signed.bundle.channel) for signed in bundles)
        self._mempool.on_executed(touched, own, self.executor.height, now)
        self._items_since_snapshot += len(done.executed.results)
        if self._is_snapshot_due():
            self._items_since_snapshot = 0
            effects.append(out.SaveSnapshot(self.executor.header, self.executor.take_snapshot()))

    def _is_snapshot_due(self) -> bool:
        """Snapshots stand at fixed heights, and closer together where blocks are full."""
        is_at_height = self.executor.height % self._config.genesis.parameters.snapshot_interval_heights == 0
        return is_at_height or self._items_since_snapshot >= ITEMS_PER_SNAPSHOT_MAX

    def _collect_consensus(self, effects: list[out.Effect], now: Instant) -> None:
        """Votes leave with what is held, so HAVE costs no message of its own then. # L4"""
        votes = self._consensus.take_effects()
        effects.extend(votes)
        if any(isinstance(e, out.Broadcast) and isinstance(e.message, Vote | Proposal) for e in votes):
            self._lanes.flush_have(now)
            effects.extend(self._lanes.take_effects())
        if self._consensus.alarm is not None or self._commitments.alarm is not None:
            self._own_votes.stop()
            self._commitments.stop()
            self._lanes.stop()

    # --- small things -------------------------------------------------------------------

    def _get_blocked_since(self, now: Instant | None = None) -> int | None:
        """Return since when finalized blocks wait for headers or batches."""
        if self._consensus.is_finalized_connected:
            self._unconnected_since_ms = None
        elif self._unconnected_since_ms is None and now is not None:
            self._unconnected_since_ms = now.mono_ms
        return get_earliest(self._unconnected_since_ms, self._delivery.blocked_since_ms)

    def _get_block_sources(self) -> Sequence[ValidatorIndex]:
        """Return who has the batches of a finalized block: its voters. # L6"""
        finalization = self._consensus.finalization
        signers = finalization.signers if finalization is not None else range(self._config.genesis.committee.size)
        return tuple(signer for signer in signers if signer != self._config.index)


def _append(effects: list[out.Effect], effect: out.Effect | None) -> None:
    if effect is not None:
        effects.append(effect)
