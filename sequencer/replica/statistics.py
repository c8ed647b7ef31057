"""Freeze what can be counted about a replica."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sequencer.replica.executor_duties import ExecutorStatus
from sequencer.replica.parts import Parts
from sequencer.types.primitives import Height, View


@dataclass(frozen=True, slots=True)
class ReplicaStatistics:
    """A snapshot for people and metrics; nothing in the protocol depends on it."""

    role: str
    """validator, observer, executor or full."""
    observer_reason: str | None
    alarm: str | None
    """Why the node stopped signing; None while all is well."""
    view: View
    finalized_view: View
    finalized_height: Height
    """Newest height whose finalized header is connected here."""
    executed_height: Height
    certified_height: Height
    """Newest height whose commitment is certified."""
    is_halted: bool
    """Safe halt: too many scheduled commitments without a certificate."""
    delivery_lag: int
    """Finalized blocks that wait for batches or execution."""
    mempool_size: int
    gossip_published: int
    gossip_received: int
    gossip_included: int
    peers: tuple[int, ...]
    """Connected validators."""
    following: int | None
    """Validator that this full node follows now; None on any other node, and while nobody is there."""
    sync_state: str | None
    """What state sync does, or why it gave up last; None if there is nothing to say."""
    snapshot_liars: Mapping[int, str]
    """Validators that served a wrong snapshot since the start, and what was wrong."""
    executor: ExecutorStatus | None
    """What this node does as an executor; None on any other node."""
    counters: Mapping[str, int]
    """Limits that were reached and things that were refused, by name."""


def collect_statistics(parts: Parts, submissions_refused: int, messages_refused: int) -> ReplicaStatistics:
    """Return what can be counted now."""
    mempool = parts.mempool.counters
    lanes = parts.lanes.counters
    return ReplicaStatistics(
        role=parts.role,
        observer_reason=parts.recovered.observer_reason,
        alarm=parts.alarm,
        view=parts.consensus.view,
        finalized_view=parts.consensus.finalized_view,
        finalized_height=parts.consensus.head.height,
        executed_height=parts.executor.height,
        certified_height=parts.commitments.certified_height,
        is_halted=parts.commitments.is_halted,
        delivery_lag=parts.pipeline.lag,
        mempool_size=parts.mempool.size,
        gossip_published=mempool.gossip_published,
        gossip_received=mempool.gossip_received,
        gossip_included=mempool.gossip_included,
        peers=tuple(sorted(parts.peers)),
        following=None if parts.catch_up.following is None else parts.catch_up.following.peer,
        sync_state=parts.sync_state,
        snapshot_liars=parts.state_sync.get_liars(),
        executor=parts.verdicts.get_status(),
        counters={
            "items_admitted": mempool.admitted,
            "items_rejected": mempool.rejected,
            "items_expired": mempool.expired,
            "items_requeued": mempool.requeued,
            "items_held_back": parts.mempool.patience.held_back,
            "items_taken_anyway": parts.mempool.patience.taken_anyway,
            "batches_out_of_window": lanes.batches_out_of_window,
            "batches_refused": lanes.batches_refused,
            "batches_pushed": lanes.batches_pushed,
            "fetches_unanswered": lanes.fetches_unanswered,
            "views_nullified": parts.consensus.views_nullified,
            **asdict(parts.consensus.counters),
            **parts.lanes.bound_counters,
            "commitment_votes_evicted": parts.commitments.votes_evicted,
            "sync_requests": parts.catch_up.requests_sent,
            "sync_requests_refused": parts.server.requests_refused,
            "sync_snapshot_rounds": parts.state_sync.counters.rounds,
            "sync_chunks_received": parts.state_sync.counters.chunks_received,
            "sync_chunks_wrong": parts.state_sync.counters.chunks_wrong,
            "sync_snapshots_wrong": parts.state_sync.counters.snapshots_wrong,
            "sync_snapshots_installed": parts.state_sync.counters.snapshots_installed,
            "snapshot_chunks_served": parts.snapshot_server.chunks_served,
            "snapshot_requests_refused": parts.snapshot_server.requests_refused,
            "events_dropped_installing": parts.adoption.events_dropped,
            **parts.relay.get_counters(),
            "submissions_refused": submissions_refused,
            "messages_refused": messages_refused,
            **parts.verdicts.get_counters(),
            "evidence_held": len(parts.evidence.held),
            "evidence_refused": parts.evidence.refused,
            "evidence_damaged": parts.evidence.damaged,
        },
    )
