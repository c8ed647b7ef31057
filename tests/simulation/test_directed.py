"""Situations that random runs hardly ever meet; each also plays with the rule removed, and then fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from sequencer.consensus import voting_rules
from sequencer.consensus.core import Consensus
from sequencer.consensus.own_votes import OwnVotes
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.lanes.lane import Lane
from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import Plant
from sequencer.simulation.scheduler import SECOND
from sequencer.simulation.simulator import Simulation
from sequencer.types.batch import Batch
from sequencer.types.bundle import Bundle, Leg, Operation
from sequencer.types.effects import PersistVote
from sequencer.types.item import SignedBundle
from sequencer.types.messages import GetBatches, Message, Sync
from sequencer.types.outcome import Status
from sequencer.types.primitives import Tip
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind
from tests.simulation.directed import LOST, Stage, run_staged
from tests.simulation.planted.bugs import may_finalize_late, plant_no_certificate_forwarding, plant_no_repush
from tests.simulation.planted.plant import replaced


def make_item(stage: Stage, sequence: int) -> bytes:
    """Return a transaction of the first account that sets one key."""
    workload = stage.simulation.clients.workload
    payer = workload.accounts[0]
    leg = Leg(3, payer, (), (Operation("set", (f"kv/directed{sequence}", 1)),), None)
    chain_id = stage.simulation.genesis.chain_id
    bundle = Bundle(chain_id, payer, 0, sequence, 0, 2**40, 0, (), (leg,))
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


def test_F_certificate_held_by_one_validator_reaches_those_who_wait() -> None:
    """Without forwarding the same run halts for ever."""
    assert run_staged(play_forwarding_deadlock)
    assert not run_staged(play_forwarding_deadlock, plant_no_certificate_forwarding)


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


def test_L2b_batch_lost_with_a_connection_is_pushed_again_while_one_validator_is_dead() -> None:
    """Three of four must hold it, so the one that lost it must get it; without pushing again its lane stalls."""
    assert run_staged(play_lost_push)
    assert not run_staged(play_lost_push, plant_no_repush)


def play_sequence_gap(stage: Stage) -> bool:
    """The second transaction of a channel goes to one validator long before the first goes to another."""
    stage.advance(1)
    stage.submit(0, make_item(stage, 1))
    stage.advance(4)
    stage.submit(1, make_item(stage, 0))
    stage.advance(15)
    results = [result for block in stage.simulation.execution.get_blocks() for result in block.results]
    return [result.status for result in results if result.status is not Status.INADMISSIBLE] == [Status.COMMIT] * 2


def test_A6_sequence_gap_through_two_lanes_is_closed_in_order() -> None:
    """What comes too early waits, and both take effect once."""
    assert run_staged(play_sequence_gap)


def play_gap_below_tip(stage: Stage) -> bool:
    """A validator misses the first batch of a lane for a while but gets the second; nothing is proposed meanwhile."""
    owner, victim = 0, 1

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


@contextmanager
def plant_have_with_gap() -> Iterator[None]:
    """Put a batch on the chain whether or not its parent is held."""

    def may_extend(self: Lane, batch: Batch) -> bool:
        return batch.header.position > self.floor.position and batch.header.position not in self.chain

    def get_top(self: Lane) -> Tip:
        highest = max(self.chain, default=None)
        return self.floor if highest is None else Tip(highest, self.chain[highest])

    with replaced(Lane, "may_extend", may_extend), replaced(Lane, "top", property(get_top)):
        yield


def test_L4_have_never_covers_a_gap_below_the_tip() -> None:
    """HAVE waits until the hole has closed; saying it early is reported."""
    assert run_staged(play_gap_below_tip)
    with pytest.raises(AssertionError, match="L4"):
        run_staged(play_gap_below_tip, plant_have_with_gap)


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


@contextmanager
def plant_nothing_offered_again() -> Iterator[None]:
    """Forget at a restart the certificates that votes rest on, and offer no old votes."""
    genuine = OwnVotes.__init__

    def forget_certificates(self: OwnVotes, chain_id: Any, epoch: Any, signer: Any, log: Any, _: Any) -> None:
        genuine(self, chain_id, epoch, signer, log, ())

    with (
        replaced(Consensus, "get_hello_votes", lambda self: ()),
        replaced(OwnVotes, "__init__", forget_certificates),
    ):
        yield


def test_F5_own_votes_are_offered_again_after_a_restart() -> None:
    """Whoever logged finalize may never nullify, so without the old votes the view can never end."""
    assert run_staged(play_restart_with_finalize)
    assert not run_staged(play_restart_with_finalize, plant_nothing_offered_again)


def play_late_notarization(plant: Plant | None) -> Ledger:
    """Start a validator whose log ends in a nullify of view 5, and show it N(3)."""
    digest = bytes([3]) * 32
    with plant() if plant is not None else nullcontext():
        simulation = Simulation(1, SimulationOptions(faults=()))
        node = simulation.nodes[0]
        for record in (
            VoteRecord(RecordKind.NOTARIZE, 0, 3, digest),
            VoteRecord(RecordKind.NULLIFY, 0, 5, ZERO_DIGEST),
        ):
            node.store.append_vote(PersistVote(record))
        node.store.sync()
        node.boot()
        message = compute_signing_bytes(simulation.genesis.chain_id, 0, SignatureKind.NOTARIZE, 3, digest)
        signers = [peer.config.signer for peer in simulation.nodes[1:]]
        signatures = tuple(signer.sign(message) for signer in signers if signer is not None)
        node.on_message(1, Certificate(VoteKind.NOTARIZE, 0, 3, digest, (1, 2, 3), signatures))
        simulation.advance(SECOND)
    return simulation.ledger


def test_V12_finalize_is_not_derived_again_after_a_restart() -> None:
    """A notarization of a view below the log's highest gives no finalize; deriving one is reported."""
    assert VoteKind.FINALIZE not in {kind for kind, _, _ in play_late_notarization(None).votes}
    late = play_late_notarization(lambda: replaced(voting_rules, "may_finalize", may_finalize_late))
    assert [violation.rule for violation in late.violations] == ["R1", "V12"]
