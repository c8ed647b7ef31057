"""What proves a validator faulty is noticed, verified, kept, spread and never turned against an honest one. # X1-X7"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from sequencer.replica.evidence_pool import EVIDENCE_PER_KIND_MAX, TESTIMONIES_MAX
from sequencer.types import effects as out
from sequencer.types import events
from sequencer.types.batch import Batch, compute_payload_hash
from sequencer.types.commitment import CommitmentVote
from sequencer.types.evidence import (
    Contradiction,
    Evidence,
    FalseBatch,
    Statement,
    encode_evidence,
    find_contradiction,
    make_batch_statement,
    make_proposal_statement,
)
from sequencer.types.messages import Accusation, Have, HaveEntry
from sequencer.types.primitives import Tip
from sequencer.types.signing import SignatureKind
from sequencer.types.vote import VoteKind
from tests.unit.core_world import NOBODY, VERIFY, name_digest, set_tip
from tests.unit.replica.test_byzantine import GROUP, HONEST, LIAR, Scene

A, B = sorted(name_digest(name) for name in "ab")
NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


def get_rules(scene: Scene, index: int) -> list[str]:
    """Return the rules that a replica can prove broken, each by the liar."""
    held = scene.replicas[index].get_evidence()
    for evidence in held:
        evidence.verify(scene.genesis, VERIFY)
    assert {evidence.signer for evidence in held} <= {LIAR}
    return [evidence.kind.rule for evidence in held]


def say_votes(scene: Scene, votes: Sequence[tuple[VoteKind, bytes]], target: int, view: int = 5) -> None:
    for kind, digest in votes:
        scene.say(GROUP.vote(LIAR, kind, view, digest), target)


def make_pair(view: int, kind: SignatureKind = SignatureKind.NOTARIZE, signer: int = LIAR) -> Contradiction:
    one, other = (Statement(kind, 0, signer, view, digest, GROUP.sign(signer, kind, view, digest)) for digest in (A, B))
    found = find_contradiction(one, other)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("rule", "votes"),
    [
        ("X1", [(NOTARIZE, A), (NOTARIZE, B)]),
        ("X2", [(FINALIZE, A), (FINALIZE, B)]),
        ("X3", [(NULLIFY, bytes(32)), (FINALIZE, B)]),
        ("X3", [(FINALIZE, A), (NULLIFY, bytes(32))]),
    ],
)
def test_two_votes_to_one_validator_are_proven_to_all(rule: str, votes: list[tuple[VoteKind, bytes]]) -> None:
    """Votes are kept unverified; both are verified before their signer is accused, and everybody learns it. # C1"""
    scene = Scene()
    say_votes(scene, votes, 0)
    scene.run(1_000)
    assert [get_rules(scene, index) for index in HONEST] == [[rule]] * 3
    assert [disk.evidence for disk in scene.disks.values()] == [[*scene.replicas[0].get_evidence()]] * 3


def test_votes_that_are_legal_are_no_evidence() -> None:
    """Notarize and nullify of one view, and anything in different views. # X1 X2 X3"""
    scene = Scene()
    say_votes(scene, [(NOTARIZE, A), (NULLIFY, bytes(32)), (NOTARIZE, A)], 0, 5)
    say_votes(scene, [(NOTARIZE, B), (FINALIZE, B)], 0, 6)
    scene.run(1_000)
    assert [get_rules(scene, index) for index in HONEST] == [[]] * 3


def test_forged_second_vote_accuses_nobody_and_bans_its_sender() -> None:
    """The channel says whose vote it is, so a wrong signature is the sender's own fault. # C1 G4"""
    scene = Scene()
    say_votes(scene, [(NOTARIZE, A)], 0)
    scene.say(replace(GROUP.vote(LIAR, NOTARIZE, 5, B), signature=NOBODY), 0)
    assert get_rules(scene, 0) == []
    assert [ban.peer for ban in scene.find(0, out.BanPeer)] == [LIAR]


def test_vote_that_contradicts_a_certificate_is_evidence() -> None:
    """The other half is in a certificate that somebody else assembled. # X1 C2"""
    scene = Scene()
    scene.say(GROUP.vote(LIAR, NOTARIZE, 1, B), 0)
    scene.handle(0, events.MessageReceived(1, GROUP.certify(NOTARIZE, 1, A, (1, 2, LIAR))))
    assert get_rules(scene, 0) == ["X1"]


def test_late_vote_against_a_held_certificate_is_evidence() -> None:
    """Votes after the certificate are not kept, but they are looked at. # X3"""
    scene = Scene()
    scene.handle(0, events.MessageReceived(1, GROUP.certify(FINALIZE, 1, A, (1, 2, LIAR))))
    scene.say(GROUP.vote(LIAR, NULLIFY, 1), 0)
    assert get_rules(scene, 0) == ["X3"]


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [((NOTARIZE, A), (NOTARIZE, B), "X1"), ((FINALIZE, A), (FINALIZE, B), "X2"), ((NULLIFY, b""), (FINALIZE, A), "X3")],
)
def test_contradicting_certificates_name_the_intersection(
    first: tuple[VoteKind, bytes], second: tuple[VoteKind, bytes], rule: str
) -> None:
    """More than F are faulty then: who signed both is proven faulty, F + 1 power at least. # C2"""
    scene = Scene()
    for kind, digest in (first, second):
        certificate = GROUP.certify(kind, 1, digest or bytes(32), (1, 2, LIAR))
        scene.handle(0, events.MessageReceived(1, certificate))
    held = scene.replicas[0].get_evidence()
    assert [(evidence.kind.rule, evidence.signer) for evidence in held] == [(rule, 1), (rule, 2), (rule, LIAR)]


def test_X4_two_proposals_to_one_validator_are_evidence() -> None:
    """A second, different proposal changes no vote, but it proves the leader faulty. # V2"""
    scene = Scene()
    view = GROUP.find_view(LIAR)
    one, other = (GROUP.propose(GROUP.child(GROUP.root, view, step_ms=step)) for step in (40, 50))
    scene.say(one, 0)
    scene.say(other, 0)
    scene.run(1_000)
    assert [get_rules(scene, index) for index in HONEST] == [["X4"]] * 3


def test_X4_two_proposals_to_two_validators_are_evidence() -> None:
    """Neither holds both; the notarize of one shows the other that something is wrong."""
    view = GROUP.find_view(LIAR)
    scene = Scene()
    nullified = [GROUP.certify(NULLIFY, skipped) for skipped in range(1, view)]
    one, other = (GROUP.propose(GROUP.child(GROUP.root, view, step_ms=step), *nullified) for step in (40, 50))
    scene.say(one, 0, 1)
    scene.say(other, 2)
    scene.run(1_000)
    assert [get_rules(scene, index) for index in HONEST] == [["X4"]] * 3


def test_X5_fork_pushed_to_one_validator_is_evidence() -> None:
    """The second digest for a position is not stored, but it is kept as proof. # L3"""
    scene = Scene()
    scene.say(GROUP.batch(LIAR, 1, items=(b"left",)), 0)
    scene.say(GROUP.batch(LIAR, 1, items=(b"right",)), 0)
    scene.run(1_000)
    assert [get_rules(scene, index) for index in HONEST] == [["X5"]] * 3


def test_X5_fork_pushed_to_two_validators_is_evidence() -> None:
    """Their HAVEs differ, so each shows the other what the owner signed."""
    scene = Scene()
    scene.say(GROUP.batch(LIAR, 1, items=(b"left",)), 0)
    scene.say(GROUP.batch(LIAR, 1, items=(b"right",)), 2)
    scene.run(1_000)
    assert [get_rules(scene, index) for index in HONEST] == [["X5"]] * 3


def test_X5_have_that_lies_is_no_evidence() -> None:
    """A HAVE is unsigned: it makes others show what they hold, and accuses nobody. # L4"""
    scene = Scene()
    batch = GROUP.batch(0, 1)
    scene.say(Have((HaveEntry(0, 1, batch.digest), HaveEntry(1, 1, A)), (0,) * 4))
    scene.run(1_000)
    assert [get_rules(scene, index) for index in HONEST] == [[]] * 3


@pytest.mark.parametrize("targets", [(0, 0), (0, 2)])
def test_X6_two_commitments_of_one_height_are_evidence(targets: tuple[int, int]) -> None:
    """To one validator, or to two: who has executed the height sees that the digest is odd, and shows it. # E2"""
    scene = Scene()
    scene.is_dropped = lambda source, target, message: isinstance(message, CommitmentVote)
    scene.run(5_000, lambda: min(replica.executor.height for replica in scene.replicas.values()) >= 1)
    for target, digest in zip(targets, (A, B), strict=True):
        scene.say(GROUP.commitment_vote(LIAR, 1, digest), target)
    scene.run(scene.now_ms + 1_000)
    assert [get_rules(scene, index) for index in HONEST] == [["X6"]] * 3


def test_X6_commitment_that_contradicts_a_certificate_is_evidence() -> None:
    """Kept unverified until a certificate shows what its signer told others. # E2"""
    scene = Scene()
    scene.say(GROUP.commitment_vote(LIAR, 400, A), 0)
    scene.handle(0, events.MessageReceived(1, GROUP.commitment_certificate(400, B, (1, 2, LIAR))))
    scene.say(GROUP.commitment_vote(1, 400, B), 0)
    assert get_rules(scene, 0) == ["X6"]


def test_X7_proposal_that_breaks_V5_is_evidence() -> None:
    """The parent's header goes with it, so a stranger can see it. # V5"""
    view = GROUP.find_view(LIAR)
    scene = Scene()
    nullified = [GROUP.certify(NULLIFY, skipped) for skipped in range(1, view)]
    cut = set_tip(GROUP.root.cut, 0, Tip(9, A))
    scene.say(GROUP.propose(GROUP.child(GROUP.root, view, cut), *nullified), 0)
    scene.run(1_000)
    assert [get_rules(scene, index) for index in HONEST] == [["X7"]] * 3


def make_false_batch(stated: int, payload: bytes = b"payload", hashed: bytes = b"payload") -> Batch:
    header = replace(GROUP.batch(LIAR, 1).header, payload_bytes=stated, payload_hash=compute_payload_hash(hashed))
    return Batch(header, GROUP.sign(LIAR, SignatureKind.BATCH_HEADER, 1, header.digest), payload)


@pytest.mark.parametrize("stated", [6, 300_000])
def test_X7_batch_with_a_false_size_is_evidence_and_bans_its_owner(stated: int) -> None:
    """The payload that the header names shows it; a size above the limit shows itself. # L3"""
    scene = Scene()
    scene.say(make_false_batch(stated), 0)
    scene.run(1_000)
    assert [get_rules(scene, index) for index in HONEST] == [["X7"]] * 3
    assert [ban.peer for ban in scene.find(0, out.BanPeer)] == [LIAR]


def test_X7_batch_with_another_payload_is_no_evidence() -> None:
    """Nobody signed the payload: whoever passed the batch on may have changed it."""
    scene = Scene()
    scene.say(make_false_batch(7, hashed=b"another"), 0)
    scene.say(replace(make_false_batch(6), signature=NOBODY), 0)
    assert get_rules(scene, 0) == []


@pytest.mark.parametrize(
    "evidence",
    [
        replace(make_pair(5), second=replace(make_pair(5).second, signature=NOBODY)),
        replace(make_pair(5, signer=1), first=replace(make_pair(5, signer=1).first, signature=NOBODY)),
        FalseBatch(GROUP.batch(1, 1).header, GROUP.batch(1, 1).signature, GROUP.batch(1, 1).payload),
    ],
    ids=["forged", "against an honest one", "of an honest batch"],
)
def test_false_accusation_bans_its_sender_and_is_not_kept(evidence: Evidence) -> None:
    """Who sends evidence vouches for it. # B20"""
    scene = Scene()
    scene.say(Accusation(evidence), 0)
    assert [ban.peer for ban in scene.find(0, out.BanPeer)] == [LIAR]
    assert scene.replicas[0].get_evidence() == ()


def test_statement_that_nobody_signed_bans_its_sender() -> None:
    """It is verified only if it contradicts what is held; then it must be true. # B20"""
    scene = Scene()
    batch = GROUP.batch(1, 1)
    scene.handle(0, events.MessageReceived(1, batch))
    forged = replace(make_batch_statement(batch.header, NOBODY), digest=A)
    scene.say(forged, 0)
    scene.say(replace(forged, number=2), 0)
    assert [ban.peer for ban in scene.find(0, out.BanPeer)] == [LIAR]
    assert scene.replicas[0].get_evidence() == ()


def test_G4_statement_counts_for_no_certificate() -> None:
    """Votes are not relayed: a statement of a vote is never a vote."""
    scene = Scene()
    for signer in (1, 2):
        statement = Statement(NOTARIZE_KIND, 0, signer, 1, A, GROUP.sign(signer, NOTARIZE_KIND, 1, A))
        scene.say(statement, 0)
    scene.say(GROUP.vote(LIAR, NOTARIZE, 1, A), 0)
    assert scene.replicas[0].get_statistics().view == 1


NOTARIZE_KIND = SignatureKind.NOTARIZE


def test_evidence_per_signer_and_kind_is_bounded() -> None:
    """More would prove nothing new; it is not even verified, and counted. # I11"""
    scene = Scene()
    for view in range(1, 12):
        scene.say(Accusation(make_pair(view)), 0)
    forged = make_pair(12)
    scene.say(Accusation(replace(forged, first=replace(forged.first, signature=NOBODY))), 0)
    assert get_rules(scene, 0) == ["X1"] * EVIDENCE_PER_KIND_MAX
    assert scene.replicas[0].get_statistics().counters["evidence_refused"] == 8
    assert scene.find(0, out.BanPeer) == []


def test_statements_about_one_signer_are_bounded_in_time() -> None:
    """A voter that names strange blocks makes others send a few small messages, no more. # I14"""
    scene = Scene()
    view = GROUP.find_view(LIAR)
    for number in range(view, view + 16):
        leader = GROUP.committee.get_leader(number)
        header = GROUP.child(GROUP.root, number)
        if leader != 0:
            scene.handle(0, events.MessageReceived(leader, GROUP.propose(header)))
        scene.say(GROUP.vote(LIAR, NOTARIZE, number, name_digest(str(number))), 0)
    sent = [e.message for e in scene.find(0, out.Broadcast) if isinstance(e.message, Statement)]
    assert sum(statement.signer == LIAR for statement in sent) <= 2 * TESTIMONIES_MAX
    assert get_rules(scene, 0) == []


def test_C1_vote_with_a_wrong_signature_is_passed_on_to_nobody() -> None:
    """Who passed it on would be banned for it; the voter is. # G4"""
    scene = Scene()
    number = next(view for view in range(1, 20) if GROUP.committee.get_leader(view) not in (0, LIAR))
    leader = GROUP.committee.get_leader(number)
    scene.handle(0, events.MessageReceived(leader, GROUP.propose(GROUP.child(GROUP.root, number))))
    scene.say(replace(GROUP.vote(LIAR, NOTARIZE, number, A), signature=NOBODY), 0)
    said = [e.message for e in scene.find(0, out.Broadcast) if isinstance(e.message, Statement)]
    assert all(statement.signer != LIAR for statement in said)
    assert [ban.peer for ban in scene.find(0, out.BanPeer)] == [LIAR]


def test_evidence_survives_a_restart_and_reaches_who_connects_later() -> None:
    """It is stored, verified again, and sent to a peer that connects."""
    scene = Scene()
    scene.stop(2)
    say_votes(scene, [(NOTARIZE, A), (NOTARIZE, B)], 0)
    scene.run(500)
    scene.restart(0)
    scene.stop(1)
    scene.start(2, scene.disks[2].recover())
    scene.run(1_000)
    assert [get_rules(scene, index) for index in (0, 2)] == [["X1"]] * 2


def test_damaged_evidence_in_the_store_is_not_taken_up() -> None:
    """Whatever the disk says, only what verifies accuses."""
    scene = Scene()
    pair = make_pair(5)
    scene.disks[0].evidence = [replace(pair, first=replace(pair.first, signature=NOBODY)), make_pair(6)]
    scene.restart(0)
    assert [evidence.number for evidence in scene.replicas[0].get_evidence()] == [6]
    assert scene.replicas[0].get_statistics().counters["evidence_damaged"] == 1


def test_accusation_is_passed_on_once() -> None:
    """Who learns of evidence tells the others, so a finder that reaches one validator reaches all."""
    scene = Scene()
    scene.say(Accusation(make_pair(5)), 0)
    scene.say(Accusation(make_pair(5)), 0)
    scene.run(500)
    assert [get_rules(scene, index) for index in HONEST] == [["X1"]] * 3
    told = [e for e in scene.find(0, out.Broadcast) if isinstance(e.message, Accusation)]
    assert len(told) == 1


def test_proposal_statement_is_what_a_stranger_verifies() -> None:
    """The header's own digest and view are what the leader's signature states."""
    proposal = GROUP.propose(GROUP.child(GROUP.root))
    leader = GROUP.committee.get_leader(1)
    statement = make_proposal_statement(leader, proposal.header, proposal.signature)
    assert statement.is_signed(GROUP.chain_id, GROUP.committee, VERIFY)
    assert len(encode_evidence(make_pair(5))) < 300


def test_L8_lane_that_is_proven_to_fork_is_proposed_no_more_also_after_a_restart() -> None:
    """The proof may come from somebody else, or from the disk: a leader leaves the lane out for the epoch."""
    scene = Scene()
    scene.say(Accusation(make_pair(1, SignatureKind.BATCH_HEADER)), 0)
    scene.run(100)
    for index in HONEST:
        scene.restart(index)
    for batch in GROUP.chain(LIAR, 2):
        scene.say(batch)
    scene.run(5_000)
    assert [scene.get_lane(index) for index in HONEST] == [[]] * 3


def test_L8_lane_that_nobody_proved_to_fork_is_proposed() -> None:
    """Control: the same batches without the proof are ordered."""
    scene = Scene()
    for batch in GROUP.chain(LIAR, 2):
        scene.say(batch)
    scene.run(5_000)
    assert [len(scene.get_lane(index)) for index in HONEST] == [2] * 3
