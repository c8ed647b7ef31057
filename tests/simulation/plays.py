"""Play situations that random runs hardly ever meet; each play tells whether the protocol comes through."""

from __future__ import annotations

from dataclasses import replace

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.types.batch import Batch, BatchHeader, compute_payload_hash, encode_payload
from sequencer.types.bundle import Bundle, Leg, Operation
from sequencer.types.effects import PersistVote
from sequencer.types.evidence import Statement
from sequencer.types.item import SignedBundle
from sequencer.types.messages import SYNC_BLOCKS_MAX, Batches, GetBatches, Have, Hello, Message, Sync, SyncBlocks
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind
from tests.simulation.directed import LOST, Stage


def make_item(stage: Stage, sequence: int, channel: int = 0) -> bytes:
    """Return a transaction of the first account that sets one key."""
    workload = stage.simulation.clients.workload
    payer = workload.accounts[0]
    leg = Leg(3, payer, (), (Operation("set", (f"kv/directed{sequence}", 1)),), None)
    chain_id = stage.simulation.genesis.chain_id
    bundle = Bundle(chain_id, payer, channel, sequence, 0, 2**40, 0, (), (leg,))
    signed: SignedBundle = workload.sign_bundle(bundle)
    return signed.item_bytes


def play_forwarding_deadlock(stage: Stage) -> bool:
    """One validator alone gets N(1); the leader of view 2 says nothing more. Do the others ever go on?"""
    traitor = stage.get_leader(2)
    proposer = stage.get_leader(1)
    late, chosen = (node for node in range(4) if node not in (traitor, proposer))

    def intercept(source: int, target: int, message: Message) -> int | None:
        if source == traitor:
            is_gift = isinstance(message, Vote) and message.kind is VoteKind.NOTARIZE and message.view == 1
            return 1_000 if is_gift and target == chosen else LOST
        is_first = isinstance(message, Proposal) and message.header.view == 1
        return LOST if is_first and target == late else 1_000

    stage.advance(0.1)
    stage.intercept(intercept)
    stage.advance(40)
    return all(stage.get_height(node) >= 3 for node in (proposer, late, chosen))


def play_lost_push(stage: Stage) -> bool:
    """One of four is dead; the cut of a connection loses the only copy of a batch for another. Is it ordered?"""
    owner, dead, victim = stage.get_leader(1), stage.get_leader(2), stage.get_leader(3)
    stage.advance(1)
    stage.crash(dead)
    is_cut = False

    def intercept(source: int, target: int, message: Message) -> int | None:
        nonlocal is_cut
        if source == victim and isinstance(message, GetBatches | Sync):
            return LOST  # fetching would mend what pushing again must mend
        if isinstance(message, Batch) and (source, target) == (owner, victim) and not is_cut:
            is_cut = True
            stage.simulation.network.break_connection(min(owner, victim), max(owner, victim))
        return LOST if is_cut and isinstance(message, Batch) and stage.simulation.scheduler.now_us < 2_500_000 else None

    stage.intercept(intercept)
    stage.submit(owner, make_item(stage, 0))
    stage.advance(30)
    return is_cut and all(stage.get_position(node, owner) == 1 for node in range(4) if node != dead)


def play_sequence_gap(stage: Stage) -> bool:
    """The second transaction of a channel goes to one validator long before the first goes to another."""
    stage.advance(1)
    stage.submit(0, make_item(stage, 1))
    stage.advance(4)
    stage.submit(1, make_item(stage, 0))
    stage.advance(15)
    results = [result for block in stage.simulation.execution.get_blocks() for result in block.results]
    return [result.status for result in results if result.status is not Status.INADMISSIBLE] == [Status.COMMIT] * 2


def play_gap_below_tip(stage: Stage) -> bool:
    """A validator misses the first batch of a lane for a while but gets the second; nothing is proposed meanwhile."""
    owner, victim = stage.get_leader(1), stage.get_leader(4)

    def intercept(source: int, target: int, message: Message) -> int | None:
        is_first = isinstance(message, Batch) and message.header.position == 1 and (source, target) == (owner, victim)
        is_early = stage.simulation.scheduler.now_us < 3_000_000
        return LOST if is_early and (is_first or isinstance(message, Proposal)) else None

    stage.advance(1)
    stage.intercept(intercept)
    for sequence in range(2):
        stage.submit(owner, make_item(stage, sequence))
        stage.advance(0.3)
    stage.advance(10)
    return stage.get_position(victim, owner) == 2


def play_restart_with_finalize(stage: Stage) -> bool:
    """Two validators have logged finalize, two have not seen the notarization; all four die at once."""
    finalizers, others = (0, 1), (2, 3)

    def intercept(source: int, target: int, message: Message) -> int | None:
        is_vote = isinstance(message, Vote) and message.view == 1
        return LOST if is_vote and (target in others or message.kind is VoteKind.FINALIZE) else None  # type: ignore[union-attr] # is_vote says so

    stage.advance(0.1)
    stage.intercept(intercept)
    ready = stage.advance_until(lambda: all(stage.has_logged(n, RecordKind.FINALIZE, 1) for n in finalizers), 10)
    for node in range(4):
        stage.crash(node)
    stage.intercept(None)
    stage.advance(2)
    for node in range(4):
        stage.restart(node)
    stage.advance(30)
    return ready and all(stage.get_height(node) >= 3 for node in range(4))


def play_late_notarization(stage: Stage) -> bool:
    """A validator whose log ends in a nullify of view 5 starts alone and is shown N(3). Does it keep silent?"""
    digest = bytes([3]) * 32
    for node in range(4):
        stage.crash(node)
    records = (VoteRecord(RecordKind.NOTARIZE, 0, 3, digest), VoteRecord(RecordKind.NULLIFY, 0, 5, ZERO_DIGEST))
    for record in records:
        stage.nodes[0].store.append_vote(PersistVote(record))
    stage.nodes[0].store.sync()
    stage.nodes[0].boot()
    message = compute_signing_bytes(stage.simulation.genesis.chain_id, 0, SignatureKind.NOTARIZE, 3, digest)
    signers = [peer.config.signer for peer in stage.nodes[1:]]
    signatures = tuple(signer.sign(message) for signer in signers if signer is not None)
    stage.nodes[0].on_message(1, Certificate(VoteKind.NOTARIZE, 0, 3, digest, (1, 2, 3), signatures))
    stage.advance(1)
    return not stage.has_logged(0, RecordKind.FINALIZE, 3)


def play_restart_alone(stage: Stage) -> bool:
    """A validator dies right after it logged finalize, and starts without a peer. Does it hold on to that?"""

    def intercept(source: int, target: int, message: Message) -> int | None:
        return LOST if isinstance(message, Vote) and message.kind is VoteKind.FINALIZE else None

    stage.advance(0.1)
    stage.intercept(intercept)
    ready = stage.advance_until(lambda: stage.has_logged(0, RecordKind.FINALIZE, 1), 10)
    for node in range(4):
        stage.crash(node)
    stage.advance(1)
    stage.nodes[0].boot()
    stage.advance(20)
    return ready and not stage.has_logged(0, RecordKind.NULLIFY, 1)


def play_restart_with_own_batch(stage: Stage) -> bool:
    """A validator dies with an own batch that is pushed but not ordered, and goes on with other items."""

    def intercept(source: int, target: int, message: Message) -> int | None:
        return LOST if isinstance(message, Proposal) and stage.simulation.scheduler.now_us < 4_000_000 else None

    stage.intercept(intercept)
    stage.advance(1)
    stage.submit(0, make_item(stage, 0))
    stage.advance(0.5)
    stage.crash(0)
    stage.restart(0)
    stage.submit(0, make_item(stage, 0, channel=1))
    stage.advance(20)
    return all(stage.get_position(node, 0) == 2 for node in range(4))


def play_long_absence(stage: Stage) -> bool:
    """A validator is away for more blocks than one answer carries, and comes back with an old disk."""
    stage.advance(3)
    stage.crash(3)
    for sequence in range(10):
        stage.submit(sequence % 3, make_item(stage, sequence))
        stage.advance(8)
    gap = stage.get_height(0) - stage.get_height(3)
    stage.restart(3)
    stage.advance(10)
    return gap > SYNC_BLOCKS_MAX and stage.get_height(3) >= stage.get_height(0) - 1


def play_relayed_vote(stage: Stage) -> bool:
    """A traitor shows one validator the vote of another as if it were its own; a third vote is lost. Is it counted?"""
    witness, traitor = stage.get_leader(1), stage.get_leader(2)  # else the next proposal would show the certificate
    victim, silent = (node for node in range(4) if node not in (witness, traitor))
    stage.simulation.ledger.faulty.add(traitor)

    def intercept(source: int, target: int, message: Message) -> int | None:
        is_vote = isinstance(message, Vote) and message.view == 1 and message.kind is VoteKind.NOTARIZE
        if is_vote and source == witness and target == victim:
            stage.simulation.scheduler.call_after(2_000, stage.nodes[victim].on_message, traitor, message)
        is_lost = source == traitor or (is_vote and source == silent) or isinstance(message, Certificate | Hello)
        return LOST if is_lost else 1_000

    stage.advance(0.1)
    stage.intercept(intercept)
    stage.advance(3)
    is_fooled = stage.has_logged(victim, RecordKind.FINALIZE, 1)
    stage.intercept(None)
    stage.advance(20)
    return not is_fooled and all(stage.get_height(node) >= 3 for node in (victim, witness, silent))


def play_skipped_view(stage: Stage) -> bool:
    """A traitor leads, and builds on the block before the newest, without a nullification. Does anybody follow?"""
    traitor = stage.get_leader(4)
    others = [node for node in stage.nodes if node.index != traitor]
    stage.simulation.ledger.faulty.add(traitor)
    headers = stage.simulation.ledger.headers

    def deceive(proposal: Proposal) -> None:
        header = proposal.header
        parent = headers[headers[header.parent_digest].parent_digest]
        false = replace(
            header,
            height=parent.height + 1,
            parent_view=parent.view,
            parent_digest=parent.digest,
            cut=parent.cut,
        )
        signer = stage.nodes[traitor].config.signer
        assert signer is not None  # a validator
        message = compute_signing_bytes(
            stage.simulation.genesis.chain_id, 0, SignatureKind.PROPOSAL, false.view, false.digest
        )
        forged = Proposal(false, proposal.justification, signer.sign(message))
        stage.simulation.observers.on_sent(stage.nodes[traitor], None, forged)
        for node in others:
            stage.simulation.scheduler.call_after(1_000, node.on_message, traitor, forged)

    def intercept(source: int, target: int, message: Message) -> int | None:
        if isinstance(message, Vote) and message.kind is VoteKind.FINALIZE and message.view == 3:
            return LOST  # else the block to be skipped is final, and nobody could be misled
        if source != traitor or not isinstance(message, Proposal) or message.header.view != 4:
            return None
        if target == others[0].index:
            deceive(message)
        return LOST

    stage.intercept(intercept)
    stage.advance(30)
    return all(stage.get_height(node.index) >= 5 for node in others)


def play_log_of_another_epoch(stage: Stage) -> bool:
    """The log of a validator holds records of another epoch, of a view far ahead. Does it take part in this one?"""
    stage.advance(0.1)
    stage.crash(0)
    for kind in (RecordKind.NOTARIZE, RecordKind.FINALIZE):
        stage.nodes[0].store.append_vote(PersistVote(VoteRecord(kind, 7, 1_000, bytes([7]) * 32)))
    stage.nodes[0].store.sync()
    stage.restart(0)
    stage.advance(20)
    return all(stage.get_height(node) >= 3 for node in range(4)) and not stage.has_logged(0, RecordKind.NULLIFY, 1_000)


def play_store_behind_the_log(stage: Stage) -> bool:
    """The newest blocks of a validator are lost, its vote log is whole. Does it fetch them and sign nothing twice?"""
    for sequence in range(4):
        stage.submit(sequence % 3, make_item(stage, sequence))
        stage.advance(4)
    stage.crash(3)
    blocks = stage.nodes[3].store.durable.blocks
    height = max(blocks)
    for lost in range(max(1, height - 3), height + 1):
        del blocks[lost]
    stage.restart(3)
    stage.advance(15)
    return height >= 4 and stage.get_height(3) >= max(height, stage.get_height(0) - 1)


def play_fork_above_finality(stage: Stage) -> bool:
    """Finality takes another fork of a lane than a validator holds; it vouches for what stands above, and forgets why.

    It dies before the finalized block is durable, and is shown what goes on with its own fork before anything else.
    """
    traitor, victim, *others = (stage.get_leader(view) for view in (4, 3, 1, 2))
    stage.simulation.ledger.faulty.add(traitor)
    is_alone = False

    def intercept(source: int, target: int, message: Message) -> int | None:
        is_taught = target == victim and (is_alone or isinstance(message, Batches | SyncBlocks))
        # Who knows of a fork shuns the lane.
        is_telling = source == victim and isinstance(message, Proposal | Have | Statement)
        return LOST if traitor in (source, target) or is_taught or is_telling else None

    stage.intercept(intercept)
    stage.advance(1)
    first = make_batch(stage, traitor, 1, ZERO_DIGEST, 0)
    held, taken = (make_batch(stage, traitor, 2, first.digest, label) for label in (1, 2))
    push(stage, first, *others, victim)
    push(stage, held, victim)
    push(stage, taken, *others)
    stage.advance(8)
    is_taken = [stage.get_position(node, traitor) for node in (victim, *others)] == [1, 2, 2]
    push(stage, make_batch(stage, traitor, 3, taken.digest, 3), victim)
    stage.advance(1)
    is_alone = True
    stage.crash(victim)
    stage.restart(victim)
    push(stage, make_batch(stage, traitor, 3, held.digest, 4), victim)
    stage.advance(1)
    stage.crash(victim)
    stage.intercept(None)
    stage.restart(victim)
    stage.advance(10)
    return is_taken and stage.get_position(victim, traitor) >= 2


def make_batch(stage: Stage, lane: int, position: int, parent: Digest, label: int) -> Batch:
    """Return what the owner of a lane may sign; the label tells forks apart."""
    config = stage.nodes[lane].config
    assert config.signer is not None  # a validator
    payload = encode_payload((make_item(stage, 0, channel=label),))
    header = BatchHeader(0, lane, position, parent, compute_payload_hash(payload), len(payload), 1)
    signature = config.signer.sign(header.compute_signing_bytes(config.genesis.chain_id))
    return Batch(header, signature, payload)


def push(stage: Stage, batch: Batch, *targets: int) -> None:
    """Let a lane's owner push a batch to some."""
    owner = stage.nodes[batch.header.lane]
    stage.simulation.observers.on_sent(owner, None, batch)
    for target in targets:
        stage.simulation.scheduler.call_after(1_000, stage.nodes[target].on_message, owner.index, batch)
