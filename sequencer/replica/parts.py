"""Build the parts of one replica from what the store kept."""

from __future__ import annotations

from sequencer.consensus.core import Consensus
from sequencer.consensus.own_votes import OwnVotes
from sequencer.execution.executor import Executor
from sequencer.lanes.lanes import Lanes
from sequencer.mempool.mempool import Mempool
from sequencer.ordering.delivery import Delivery
from sequencer.replica.block_server import BlockServer
from sequencer.replica.commitments import Commitments
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.evidence_pool import EvidencePool, Suspicion
from sequencer.replica.item_checks import ItemChecks
from sequencer.replica.pipeline import Pipeline
from sequencer.replica.recovery import recover
from sequencer.sync.catch_up import CatchUp
from sequencer.sync.following import Following
from sequencer.types.evidence import Statement
from sequencer.types.primitives import ValidatorIndex
from sequencer.types.records import RecordKind, Recovery
from sequencer.types.signing import SignatureKind


class Parts:
    """All parts of one replica, joined; executes stored blocks above the snapshot again."""

    def __init__(self, config: ReplicaConfig, recovery: Recovery) -> None:
        genesis = config.genesis
        self.config = config
        self.commitments = Commitments(
            genesis.chain_id,
            genesis.committee,
            genesis.parameters,
            config.index,
            config.signer,
            config.verifier,
            recovery.commitment,
            {record.number: record.digest for record in recovery.votes if record.kind is RecordKind.COMMITMENT},
        )
        self.recovered = recover(config, recovery, self.commitments.on_replayed)
        self.restored_batches = recovery.batches
        signer = None if self.recovered.observer_reason is not None else config.signer
        if signer is None:
            self.commitments.stop()
        self.executor: Executor = self.recovered.executor
        head = self.recovered.anchor.head
        lane_signer = signer if config.is_lane_enabled else None
        self.lanes = Lanes(
            genesis.chain_id,
            genesis.committee,
            genesis.parameters,
            config.index,
            lane_signer,
            config.verifier,
            head.cut,
            self.recovered.own_top,
            config.is_optimistic,
        )
        self.own_votes = OwnVotes(
            genesis.chain_id, genesis.committee.epoch, signer, recovery.votes, recovery.certificates
        )
        self.consensus = Consensus(
            genesis.chain_id,
            genesis.committee,
            genesis.parameters,
            config.index,
            self.own_votes,
            config.verifier,
            self.lanes,
            self.recovered.anchor,
        )
        self.delivery = Delivery(genesis.committee.seed, head, self.lanes)
        self.checks = ItemChecks()
        self.pipeline = Pipeline(self.executor, self.delivery, self.checks)
        self.mempool = Mempool(
            genesis.parameters,
            genesis.committee.size,
            config.index,
            self.executor,
            self.lanes.add_item if lane_signer is not None else None,
            config.is_gossip_enabled,
        )
        following = Following() if config.index is None else None
        self.catch_up = CatchUp(genesis.chain_id, genesis.committee, config.verifier, following)
        self.server = BlockServer()
        self.evidence = EvidencePool(genesis, config.index, config.verifier, recovery.evidence, self.lanes.freeze)
        self.peers: dict[ValidatorIndex, None] = {}
        """Connected validators."""

    def take_suspicions(self) -> list[Suspicion]:
        """Return what any part noticed and nobody has verified, once. # X1-X7"""
        return [
            *self.consensus.take_suspicions(),
            *self.lanes.take_suspicions(),
            *self.commitments.take_suspicions(),
        ]

    def find_rivals(self, statement: Statement) -> list[Statement]:
        """Return what is held here, verified or not, that may contradict the statement. # X1-X6"""
        if statement.kind is SignatureKind.BATCH_HEADER:
            return self.lanes.find_rivals(statement)
        if statement.kind is SignatureKind.COMMITMENT:
            return self.commitments.find_rivals(statement)
        return self.consensus.find_rivals(statement)

    @property
    def alarm(self) -> str | None:
        """Why this node stopped signing; None while all is well. # C2 E2"""
        return self.consensus.alarm or self.commitments.alarm

    @property
    def role(self) -> str:
        """validator, observer or full."""
        if self.config.index is None:
            return "full"
        return "validator" if self.own_votes.can_sign else "observer"
