"""Build the parts of one replica from what the store kept."""

from __future__ import annotations

from collections import deque

from sequencer.consensus.core import Consensus
from sequencer.consensus.own_votes import OwnVotes
from sequencer.execution.executor import Executor
from sequencer.execution.outlook import Outlook
from sequencer.lanes.lanes import Lanes
from sequencer.lanes.spam import WINDOW_BLOCKS, ItemMark, SpamWindow, make_spam_window
from sequencer.mempool.mempool import AddToLane, Mempool
from sequencer.ordering.delivery import Delivery
from sequencer.replica.admissions import list_admissions
from sequencer.replica.adoption import Adoption
from sequencer.replica.block_server import BlockServer
from sequencer.replica.commitments import Commitments
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.evidence_pool import EvidencePool, Suspicion
from sequencer.replica.item_checks import ItemChecks
from sequencer.replica.message_relay import DELIVERY_HEIGHTS_PER_RANK, MessageRelay
from sequencer.replica.pipeline import Pipeline
from sequencer.replica.ranked_inclusion import RankedInclusion
from sequencer.replica.recovery import recover
from sequencer.replica.snapshot_server import SnapshotServer
from sequencer.replica.verdict_exchange import VerdictExchange
from sequencer.sync.catch_up import CatchUp
from sequencer.sync.following import Following
from sequencer.sync.state_sync import Need, StateSync
from sequencer.types.batch import decode_payload
from sequencer.types.block import FinalizedBlock
from sequencer.types.evidence import Statement
from sequencer.types.executed import ExecutedBlock
from sequencer.types.messages import Have
from sequencer.types.primitives import ValidatorIndex
from sequencer.types.records import RecordKind, Recovery
from sequencer.types.signing import SignatureKind

TOO_LATE = "nobody keeps the next block, and no snapshot of others holds the state that executors keep"
"""Why an executor that was away for too long stays where it is. # A9 L7"""


class Parts:
    """All parts of one replica, joined; executes stored blocks above the snapshot again."""

    def __init__(
        self, config: ReplicaConfig, recovery: Recovery, earlier: Parts | None = None, restored: Executor | None = None
    ) -> None:
        """`earlier` parts hand on what a jump to a snapshot leaves as it is; `restored` stands on it. # R2"""
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
        window = genesis.parameters.delivery_lag_max + WINDOW_BLOCKS
        self._replayed: deque[list[tuple[ValidatorIndex, ItemMark]]] = deque(maxlen=window)
        self.recovered = recover(config, recovery, self._on_replayed, restored)
        self.restored_batches = recovery.batches
        self.restored_votes = recovery.votes
        signer = None if self.recovered.observer_reason is not None else config.signer
        if signer is None:
            self.commitments.stop()
        self.executor: Executor = self.recovered.executor
        if not self.recovered.replayed and self.executor.height:
            self.commitments.on_restored(self.executor.height, self.executor.commitment.digest)
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
            is_logged=signer is not None,
            spam=self._make_spam_window(),
        )
        self.own_votes = OwnVotes(
            genesis.chain_id,
            genesis.committee.epoch,
            signer,
            recovery.votes,
            recovery.certificates,
        )
        if earlier is not None:
            self.own_votes.raise_floor(earlier.consensus.view)
        self.consensus: Consensus = Consensus(
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
        self.checks: ItemChecks = ItemChecks() if earlier is None else earlier.checks
        self.pipeline = Pipeline(self.executor, self.delivery, self.checks)
        proven = recovery.evidence if earlier is None else earlier.evidence.held
        self.evidence: EvidencePool = EvidencePool(genesis, config.index, config.verifier, proven, self.lanes.freeze)
        add_to_lane = self.lanes.add_item if lane_signer is not None else None
        if earlier is None:
            self._begin(add_to_lane)
        else:
            self._take_over(earlier)
            self.relay.move_to(self.executor.mail, add_to_lane)
            self.mempool.move_to(self.executor, add_to_lane, Outlook(self.executor))
            self.verdicts.move_to(self.executor, add_to_lane)

    def _on_replayed(self, block: FinalizedBlock, executed: ExecutedBlock) -> None:
        """A stored block was executed again. # R1 D1 L9"""
        self.commitments.on_replayed(executed)
        batches = ((batch.header.lane, len(decode_payload(batch.payload))) for batch in block.batches)
        self._replayed.append(list_admissions(batches, executed))

    def _make_spam_window(self) -> SpamWindow:
        """What came before the replayed blocks is not known: a snapshot does not say it. # L9"""
        genesis = self.config.genesis
        base = self.executor.height - len(self._replayed)
        spam = make_spam_window(base, genesis.parameters, genesis.committee.size)
        for items in self._replayed:
            spam.on_executed(items)
        return spam

    def _begin(self, add_to_lane: AddToLane | None) -> None:
        """Make what does not depend on where execution stands."""
        genesis, config = self.config.genesis, self.config
        self.mempool = Mempool(
            genesis.parameters,
            genesis.committee.size,
            config.index,
            self.executor,
            add_to_lane,
            config.is_gossip_enabled,
            Outlook(self.executor),
        )
        door = RankedInclusion(config.index, genesis.committee.size, add_to_lane, DELIVERY_HEIGHTS_PER_RANK)
        lag_max = genesis.parameters.delivery_lag_max
        self.relay = MessageRelay(self.executor.mail, genesis.item_rules.executor_sets, door, lag_max)
        self.verdicts = VerdictExchange(config, self.executor, add_to_lane)
        following = Following() if config.index is None else None
        self.catch_up = CatchUp(genesis.chain_id, genesis.committee, config.verifier, following)
        self.state_sync = StateSync(
            genesis.chain_id, genesis.committee, config.verifier, genesis.parameters.retain_heights, config.index
        )
        self.server = BlockServer()
        self.snapshot_server = SnapshotServer()
        self.adoption = Adoption()
        self.peers: dict[ValidatorIndex, Have | None] = {}
        """Connected validators, with what they said they hold when they connected."""

    def _take_over(self, earlier: Parts) -> None:
        """Go on with what a jump leaves as it is."""
        self.mempool = earlier.mempool
        self.relay = earlier.relay
        self.verdicts = earlier.verdicts
        self.catch_up = earlier.catch_up
        self.state_sync = earlier.state_sync
        self.server = earlier.server
        self.snapshot_server = earlier.snapshot_server
        self.adoption = earlier.adoption
        self.peers = earlier.peers

    @property
    def need(self) -> Need:
        """Tell whether only a snapshot leads further; a node that raised the alarm stays where it is. # R2

        So does an executor: others' snapshots do not hold the state that it alone keeps. # A9
        """
        return Need.NONE if self.alarm is not None or self.config.runs else self._compute_need()

    def _compute_need(self) -> Need:
        retain_heights = self.config.genesis.parameters.retain_heights
        return self.catch_up.get_need(self.pipeline.delivered.height, retain_heights, self.state_sync.has_asked)

    @property
    def sync_state(self) -> str | None:
        """What state sync does, or why nothing leads further; None if there is nothing to say."""
        if self.config.runs and self.alarm is None and self._compute_need() is Need.STUCK:
            return TOO_LATE
        return self.state_sync.describe()

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
        """validator, observer, executor or full."""
        if self.config.index is None:
            return "full" if self.config.executor is None else "executor"
        return "validator" if self.own_votes.can_sign else "observer"
