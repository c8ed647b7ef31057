"""Let the product's own executors vote: they follow late, foresee, gossip, and say again what was lost. # A9 A13 A14"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sequencer.replica.configuration import ExecutorIdentity
from sequencer.replica.executor_duties import ExecutorDuties
from sequencer.replica.verdict_pool import VerdictPool
from sequencer.types.block import BlockHeader
from sequencer.types.outcome import ItemResult, Rejection, Status
from sequencer.types.primitives import Digest, Height, RollupId
from sequencer.types.verdict import ExecutorStatement, ExecutorVote, VerdictStatement
from tests.properties.split.economy import EXECUTOR_SIGNERS, EXECUTORS, VERIFIER
from tests.properties.split.network import Items, Network, make_lie
from tests.properties.split.nodes import Node

GOSSIP_ROUNDS_MAX = 6
"""Rounds in which votes answer votes, between two blocks."""


class Newest:
    """What a pool asks of a node, whose executor changes when it restarts."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def height(self) -> Height:
        return self._node.executor.height

    def check_certificate(self, statement: ExecutorStatement) -> Rejection | None:
        return self._node.executor.check_certificate(statement)

    def get_decided_status(self, bundle_id: Digest) -> Status | None:
        return self._node.executor.get_decided_status(bundle_id)

    def get_deadline(self, item_id: Digest) -> Height | None:
        return self._node.executor.get_deadline(item_id)

    def is_certain(self, bundle_id: Digest, rollup: RollupId) -> bool:
        return self._node.executor.is_certain(bundle_id, rollup)


class ExecutorSet:
    """Three executors of one rollup, which follow the log together; the last one lies."""

    def __init__(self, network: Network, rollup: RollupId) -> None:
        genesis, shape = network.genesis, network.shape
        self.rollup = rollup
        self._network = network
        self.node = Node(genesis, (rollup,))
        self.pool = VerdictPool(genesis, VERIFIER, Newest(self.node), rollup, has_lane=False)
        self._honest_count = EXECUTORS - (2 if rollup in shape.liars else 1)
        self._duties = [
            ExecutorDuties(
                ExecutorIdentity(rollup, index, EXECUTOR_SIGNERS[rollup, index]), genesis, self.node.executor
            )
            for index in range(EXECUTORS)
        ]
        self._lag = shape.lags[rollup - 1]
        self._waiting: list[tuple[BlockHeader, Items]] = []
        self._voted: set[Digest] = set()

    def hear_block(self, header: BlockHeader, items: Items) -> None:
        """A block is final; it is executed when its time has come."""
        self._waiting.append((header, items))

    def catch_up(self) -> None:
        """Execute what is old enough."""
        while len(self._waiting) > self._lag:
            header, items = self._waiting.pop(0)
            executed = self.node.execute(header, items)
            self.pool.on_executed(decision.item_id for decision in executed.decisions)
            for duties in self._duties:
                duties.on_executed(executed, [checked for _, checked in items], header.time_ms)

    def take_votes(self) -> list[ExecutorVote]:
        """Return what the three publish now."""
        votes = [vote for duties in self._duties for vote in duties.take_votes(self.pool, has_heard=True)]
        for vote in votes:
            if vote.executor == 0 and isinstance(vote.statement, VerdictStatement):
                self._network.counts["re-votes"] += vote.statement.bundle_id in self._voted
                self._voted.add(vote.statement.bundle_id)
        return [self._turn(vote) for vote in votes]

    def _turn(self, vote: ExecutorVote) -> ExecutorVote:
        """Return what is really said: liars say the opposite."""
        if vote.executor < self._honest_count:
            return vote
        return self._network.sign(make_lie(vote.statement), vote.executor)


class Executors:
    """All executor sets and the validators' pool; takes the place of the network's ideal voters."""

    def __init__(self, network: Network, validator: Node) -> None:
        self._network = network
        self._sets = [ExecutorSet(network, rollup) for rollup in sorted(network.shape.split)]
        self._pool = VerdictPool(network.genesis, VERIFIER, Newest(validator), None, has_lane=True)
        network.voters = self
        network.followers.append(self.on_block)

    def on_block(self, header: BlockHeader, items: Items, results: Sequence[ItemResult]) -> None:
        """Executors that are up execute and vote; what they say is heard by all before the next block."""
        self._pool.on_executed(ruling.item_id for ruling in self._network.reference.rulings)
        for members in self._sets:
            members.hear_block(header, items)
        running = [members for members in self._sets if members.rollup not in self._network.crashed]
        for members in running:
            members.catch_up()
        for _ in range(GOSSIP_ROUNDS_MAX):
            votes = [vote for members in running for vote in members.take_votes()]
            self._pool.on_votes(votes)
            for members in running:
                members.pool.on_votes(votes)
            if not votes:
                break

    def take(self, is_taken: Callable[[], bool]) -> list[bytes]:
        """Return the certificates that a proposer has, would take and does not drop."""
        return [wanted.item for wanted in self._pool.get_wanted() if is_taken()]
