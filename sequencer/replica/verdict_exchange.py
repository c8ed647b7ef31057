"""Carry the executors' votes: own ones out, others' in, and what is complete into the own lane. # A9 A14

Validators collect and include; executors listen and vote; a full node that is neither takes no votes in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from sequencer.execution.executor import Executor
from sequencer.mempool.mempool import AddToLane
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.executor_duties import ExecutorDuties, ExecutorStatus, pack_votes
from sequencer.replica.ranked_inclusion import WANTED_MAX, RankedInclusion
from sequencer.replica.verdict_pool import VerdictPool, compute_subject
from sequencer.types.effects import PublishVotes
from sequencer.types.executed import ExecutedBlock
from sequencer.types.item import CheckedItem
from sequencer.types.primitives import Bounds, Instant
from sequencer.types.verdict import ExecutorCertificate, ExecutorVote


class VerdictExchange:
    """What one node does for the verdicts of split rollups."""

    def __init__(self, config: ReplicaConfig, executor: Executor, add_to_lane: AddToLane | None) -> None:
        self._genesis, identity = config.genesis, config.executor
        genesis = self._genesis
        self._executor = executor
        self._is_listening = bool(genesis.item_rules.executor_sets) and not (config.index is None and identity is None)
        own_rollup = None if identity is None else identity.rollup
        self._pool = VerdictPool(genesis, config.verifier, executor, own_rollup, config.index is not None)
        self._inclusion = RankedInclusion(config.index, genesis.committee.size, add_to_lane)
        self._duties = None if identity is None else ExecutorDuties(identity, genesis, executor)
        self._is_moved = True

    def move_to(self, executor: Executor, add_to_lane: AddToLane | None) -> None:
        """Go on above another state and with another own lane. # R2"""
        self._executor = executor
        self._pool.move_to(executor)
        self._inclusion.move_to(add_to_lane)
        if self._duties is not None:
            self._duties.move_to(executor)
        self._is_moved = True

    def get_status(self) -> ExecutorStatus | None:
        """Return what this node does as an executor."""
        return None if self._duties is None else self._duties.get_status()

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of every table. # I11"""
        voted, trials = (0, 0) if self._duties is None else self._duties.sizes
        undecided = self._genesis.parameters.waiting_per_rollup_max
        return {
            **self._pool.get_bounds(),
            "certificates_wanted": (self._inclusion.size, WANTED_MAX),
            "bundles_voted": (voted, undecided),
            "trials": (trials, undecided * len(self._genesis.rollups)),
        }

    def get_counters(self) -> dict[str, int]:
        """Return what was done and refused, by name."""
        withheld = 0 if self._duties is None else self._duties.withheld
        return {
            **{f"executor_votes_{name}": value for name, value in asdict(self._pool.counters).items()},
            "executor_votes_withheld": withheld,
            "certificates_included": self._inclusion.included,
            "certificates_postponed": self._inclusion.postponed,
        }

    def on_votes(self, votes: Iterable[ExecutorVote]) -> None:
        """Votes came by gossip."""
        if self._is_listening:
            self._pool.on_votes(votes)

    def on_batch(self, items: Iterable[CheckedItem]) -> None:
        """A batch has arrived: what another lane brings need not be brought by this one."""
        seen = [compute_subject(item.statement) for item in items if isinstance(item, ExecutorCertificate)]
        self._inclusion.on_seen(seen, self._executor.height)

    def on_connected(self) -> None:
        """A validator is there that may have missed what was said."""
        if self._duties is not None:
            self._duties.on_connected()

    def on_executed(self, executed: ExecutedBlock, items: Iterable[CheckedItem], now: Instant) -> None:
        """A block of these items was executed."""
        self._is_moved = True
        self._pool.on_executed([decision.item_id for decision in executed.decisions])
        if self._duties is not None:
            self._duties.on_executed(executed, items, now.wall_ms)

    def settle(self, lag: int, now: Instant) -> list[PublishVotes]:
        """Vote, and include what is complete, if anything has changed; `lag` counts blocks not executed yet.

        With more of them than a network under load has, most of what an executor foresees is decided by then.
        """
        publications: list[PublishVotes] = []
        if self._duties is not None and lag <= self._genesis.parameters.delivery_lag_max:
            votes = self._duties.take_votes(self._pool, self._pool.take_telling())
            self._pool.on_votes(votes)
            publications = pack_votes(votes)
        news = self._pool.take_news()
        if self._is_moved:
            self._is_moved = False
            self._inclusion.include(self._pool.get_wanted(), self._executor.height, now)
        elif news:
            self._inclusion.include_more(news, self._executor.height, now)
        return publications
