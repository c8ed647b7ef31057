"""Handle one event at a time and return the effects in the order in which they must be performed.

Duties of the caller: (1) call `handle` from one task only; (2) perform effects in order;
(3) after a `Persist…`, send nothing that follows it until it is durable; (4) answer every
request effect later with the event that bears its number; (5) call with `TimerFired` no
earlier than `get_timer()`. The same events with the same `now` give the same effects, byte for byte.
"""

from __future__ import annotations

from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.errors import LocalError, PeerError
from sequencer.execution.executor import Executor
from sequencer.mempool.departures import Departure
from sequencer.replica.bounds import collect_bounds
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.item_checks import BatchCheck, GossipCheck, SubmissionCheck
from sequencer.replica.parts import Parts
from sequencer.replica.settling import Settling
from sequencer.replica.statistics import ReplicaStatistics, collect_statistics
from sequencer.types import effects as out
from sequencer.types import events
from sequencer.types.batch import Batch
from sequencer.types.commitment import CommitmentCertificate, CommitmentVote
from sequencer.types.evidence import Evidence, Statement
from sequencer.types.item import CheckedItem, SignedBundle
from sequencer.types.messages import (
    PROTOCOL_VERSION,
    Accusation,
    Batches,
    BlockHeaders,
    GetBatches,
    GetBlocks,
    GetCertificates,
    Have,
    Hello,
    Message,
    Sync,
    SyncBlocks,
)
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.primitives import Bounds, Digest, Instant, ValidatorIndex, get_earliest
from sequencer.types.records import EMPTY_RECOVERY, Recovery
from sequencer.types.snapshot_messages import GetSnapshot, GetSnapshotChunk, SnapshotChunk, SnapshotOffer
from sequencer.types.vote import Certificate, Proposal, Vote


class Replica:
    """One validator, observer or full node."""

    def __init__(self, config: ReplicaConfig, recovery: Recovery = EMPTY_RECOVERY) -> None:
        """Take up what the store kept; executes stored blocks above the snapshot again."""
        self._config = config
        self._is_started = False
        self._timer_ms: int | None = None
        self._submissions_refused = 0
        self._bans = 0
        self._stand_on(Parts(config, recovery))

    def _stand_on(self, parts: Parts) -> None:
        """Work with these parts from now on."""
        self._parts = parts
        self.observer_reason = parts.recovered.observer_reason
        self.executor: Executor = parts.executor
        """Read-only for callers."""
        self._consensus = parts.consensus
        self._lanes = parts.lanes
        self._mempool = parts.mempool
        self._commitments = parts.commitments
        self._checks = parts.checks
        self._catch_up = parts.catch_up
        self._server = parts.server
        self._settling = Settling(parts)

    # --- the contract -------------------------------------------------------------------

    def start(self, now: Instant) -> tuple[out.Effect, ...]:
        """Begin; called once, before any event."""
        if self._is_started:
            raise LocalError("the replica was started already")
        self._is_started = True
        effects: list[out.Effect] = []
        self._begin(effects, now)
        self._settle(effects, now)
        return tuple(effects)

    def _begin(self, effects: list[out.Effect], now: Instant) -> None:
        """Take up what the store kept. # R1"""
        effects.extend(out.StoreExecution(executed) for executed in self._parts.recovered.replayed)
        self._lanes.restore(self._parts.restored_batches, self._parts.restored_votes)
        self._commitments.start()
        self._consensus.start(now)

    def handle(self, event: events.Event, now: Instant) -> tuple[out.Effect, ...]:
        """Take one event in and return what is to be done."""
        if not self._is_started:
            raise LocalError("the replica was not started")
        if isinstance(event, events.SnapshotInstalled):
            return self._on_snapshot_installed(event, now)
        if self._parts.adoption.is_running:
            self._parts.adoption.defer(event)
            return ()
        effects: list[out.Effect] = []
        is_moved = True
        try:
            is_moved = self._dispatch(event, effects, now)
        except PeerError as error:
            if not isinstance(event, events.MessageReceived):
                raise
            self._bans += 1
            effects.append(out.BanPeer(event.peer, str(error)))
        if is_moved or (self._timer_ms is not None and now.mono_ms >= self._timer_ms):
            self._settle(effects, now)
        return tuple(effects)

    def _on_snapshot_installed(self, event: events.SnapshotInstalled, now: Instant) -> tuple[out.Effect, ...]:
        """Stand on the snapshot that is durable now, as after a restart, and go on with what waited. # R1 R2"""
        earlier = self._parts
        restored, waiting = earlier.adoption.end()
        finalization = earlier.consensus.finalization
        self._stand_on(Parts(self._config, event.recovery, earlier, restored))
        effects: list[out.Effect] = []
        self._begin(effects, now)
        if finalization is not None:
            self._consensus.on_certificate(finalization, now)
        for peer, have in self._parts.peers.items():
            if have is not None:
                self._lanes.on_hello(peer, have, now)
        self._lanes.announce()
        self._mempool.on_moved(now)
        self._catch_up.on_jumped()
        self._parts.state_sync.on_installed(now)
        self._settle(effects, now)
        for late in waiting:
            effects.extend(self.handle(late, now))
        return tuple(effects)

    def get_timer(self) -> int | None:
        """Return the monotonic millisecond at which `TimerFired` is due."""
        return self._timer_ms

    def _settle(self, effects: list[out.Effect], now: Instant) -> None:
        """Bring all parts to rest, and note when the passing of time alone moves one of them."""
        self._settling.settle(effects, now)
        if self._parts.adoption.is_running:
            self._timer_ms = None
            return
        self._timer_ms = get_earliest(
            self._consensus.get_timer(),
            self._lanes.get_timer(),
            self._mempool.get_timer(),
            self._settling.get_catch_up_timer(),
        )

    # --- queries ------------------------------------------------------------------------

    def get_held(self, bundle_id: Digest) -> SignedBundle | None:
        """Return a transaction that this node holds."""
        return self._mempool.get_held(bundle_id)

    def get_departure(self, bundle_id: Digest) -> Departure | None:
        """Return how a transaction left this node without having been ordered."""
        return self._mempool.departures.get(bundle_id)

    def is_pending(self, bundle_id: Digest) -> bool:
        """Tell whether this node holds the bundle and has not executed it."""
        return self._mempool.holds(bundle_id)

    def get_statistics(self) -> ReplicaStatistics:
        """Return what can be counted, frozen."""
        return collect_statistics(self._parts, self._submissions_refused, self._bans)

    def get_evidence(self) -> tuple[Evidence, ...]:
        """Return what proves validators faulty, oldest first; a piece never changes its place. # X1-X7"""
        return self._parts.evidence.held

    def get_bounds(self, now: Instant) -> Bounds:
        """Return the size and the bound of every table, by name; changes nothing. # I11"""
        return collect_bounds(self._parts, now.mono_ms)

    # --- events -------------------------------------------------------------------------

    def _dispatch(self, event: events.Event, effects: list[out.Effect], now: Instant) -> bool:
        """Hand an event to the part that it concerns; tell whether anything may follow from it."""
        match event:
            case events.MessageReceived(peer, message):
                return self._on_message(peer, message, effects, now)
            case events.TimerFired():
                self._on_timer(now)
            case events.Continued():
                self._settling.on_continued()
            case events.ItemsChecked(request, results):
                self._on_items_checked(request, results, now)
            case events.ItemsSubmitted(request, items):
                self._on_items_submitted(request, items, effects)
            case events.ItemsGossiped(items):
                self._on_items_gossiped(items, effects)
            case events.VotesReceived(votes):
                self._parts.verdicts.on_votes(votes)
            case events.BlocksLoaded():
                _append(effects, self._server.on_loaded(event))
            case events.BatchesLoaded():
                _append(effects, self._server.on_batches_loaded(event))
            case events.SnapshotLoaded():
                _append(effects, self._parts.snapshot_server.on_loaded(event))
            case events.SnapshotChunkLoaded():
                _append(effects, self._parts.snapshot_server.on_chunk_loaded(event))
            case events.PeerConnected(peer):
                self._on_peer_connected(peer, effects)
            case events.PeerDisconnected(peer):
                self._on_peer_disconnected(peer)
        return True

    def _on_message(self, peer: ValidatorIndex, message: Message, effects: list[out.Effect], now: Instant) -> bool:
        """Hand a message to the part that it concerns; of the frequent kinds few change anything."""
        match message:
            case Vote():
                return self._consensus.on_vote(peer, message, now)
            case Have():
                return self._lanes.on_have(peer, message, now)
            case Batch():
                self._lanes.on_batch(peer, message, now)
            case Proposal():
                self._consensus.on_proposal(peer, message, now)
            case CommitmentVote():
                return self._commitments.on_vote(peer, message)
            case Certificate():
                self._consensus.on_certificate(message, now)
            case GetBatches():
                if not self._lanes.on_get_batches(peer, message):
                    _append(effects, self._server.on_fetch(peer, message))
            case Batches():
                self._lanes.on_batches(message, now)
            case GetBlocks():
                self._consensus.on_get_blocks(peer, message)
            case GetCertificates():
                self._consensus.on_get_certificates(peer, message, now)
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
            case Accusation():
                effects.extend(self._parts.evidence.on_accusation(peer, message))
            case Statement():
                rivals = self._parts.find_rivals(message)
                effects.extend(self._parts.evidence.on_statement(peer, message, rivals))
            case GetSnapshot():
                _append(effects, self._parts.snapshot_server.on_get_snapshot(peer, message))
            case SnapshotOffer():
                self._parts.state_sync.on_offer(peer, message, now)
            case GetSnapshotChunk():
                _append(effects, self._parts.snapshot_server.on_get_chunk(peer, message))
            case SnapshotChunk():
                self._parts.state_sync.on_chunk(peer, message, now)
        return True

    def _on_timer(self, now: Instant) -> None:
        self._mempool.on_timer(now)
        self._consensus.on_timer(now)

    def _on_peer_connected(self, peer: ValidatorIndex, effects: list[out.Effect]) -> None:
        """Say who and where we are; what was in flight is lost. # F5"""
        self._parts.peers[peer] = None
        self._catch_up.on_connected(peer)
        self._parts.state_sync.on_connected(peer)
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
        self._parts.verdicts.on_connected()
        effects.extend(self._parts.evidence.collect_for(peer))

    def _on_peer_disconnected(self, peer: ValidatorIndex) -> None:
        self._parts.peers.pop(peer, None)
        self._consensus.on_disconnected(peer)
        self._lanes.on_disconnected(peer)
        self._catch_up.on_disconnected(peer)
        self._parts.state_sync.on_disconnected(peer)

    def _on_hello(self, peer: ValidatorIndex, hello: Hello, now: Instant) -> None:
        """A peer says who and where it is. # F5 L2b"""
        if hello.version != PROTOCOL_VERSION or hello.chain_id != self._config.genesis.chain_id:
            raise PeerError(f"validator {peer} speaks version {hello.version} of another network or protocol")
        self._parts.peers[peer] = hello.have
        self._catch_up.on_peer_height(peer, hello.finalized_height)
        for certificate in hello.certificates:
            self._consensus.on_certificate(certificate, now)
        for vote in hello.votes:
            self._consensus.on_vote(peer, vote, now)
        self._lanes.on_hello(peer, hello.have, now)

    def _on_sync_blocks(self, peer: ValidatorIndex, answer: SyncBlocks, now: Instant) -> None:
        """Take proven blocks in as if they had come the ordinary way. # R2"""
        blocks = self._catch_up.verify_answer(peer, answer, self._parts.pipeline.delivered)
        if answer.commitment is not None:
            self._commitments.on_certificate(answer.commitment)
        if not blocks:
            return
        self._lanes.add_vouched((batch for block in blocks for batch in block.batches), now)
        self._consensus.add_headers(tuple(block.header for block in blocks), now)
        for block in blocks:
            if block.finalization is not None and block.finalization.digest == block.header.digest:
                self._consensus.on_certificate(block.finalization, now)
        if blocks[-1].finalization is not None:
            self._consensus.on_finalized_chain(blocks[-1].finalization, now)

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
                self._parts.relay.on_gossiped(results)
            case BatchCheck():
                self._parts.verdicts.on_batch(results)
            case None:
                pass


def _append(effects: list[out.Effect], effect: out.Effect | None) -> None:
    if effect is not None:
        effects.append(effect)
