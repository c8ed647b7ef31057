"""Flood with what concerns the agreement: votes, proposals, commitments, accusations. # B14 C1 X1-X7"""

from __future__ import annotations

from dataclasses import replace

from sequencer.crypto.hashing import ZERO_DIGEST, Tag, hash_tagged
from sequencer.simulation.economy import SPLIT
from sequencer.simulation.floods.hall import Hall
from sequencer.types.commitment import CommitmentVote
from sequencer.types.evidence import Statement, find_contradiction
from sequencer.types.messages import Accusation
from sequencer.types.primitives import Digest
from sequencer.types.signing import SignatureKind
from sequencer.types.verdict import Verdict, VerdictStatement
from sequencer.types.vote import VoteKind

FAR_VIEWS = 40
"""Views ahead for which something is sent; most are beyond the window."""
PAIRS = (
    (SignatureKind.NOTARIZE, SignatureKind.NOTARIZE),
    (SignatureKind.FINALIZE, SignatureKind.FINALIZE),
    (SignatureKind.NULLIFY, SignatureKind.FINALIZE),
    (SignatureKind.PROPOSAL, SignatureKind.PROPOSAL),
    (SignatureKind.BATCH_HEADER, SignatureKind.BATCH_HEADER),
    (SignatureKind.COMMITMENT, SignatureKind.COMMITMENT),
)
"""What contradicts what, one pair for each of X1 to X6."""


def vote_for_far_views(hall: Hall) -> None:
    """Vote for five blocks, both ways, in each of the next views."""
    for view in range(hall.view + 1, hall.view + 1 + FAR_VIEWS):
        hall.receive(hall.attacker.make_vote(VoteKind.NULLIFY, view, ZERO_DIGEST))
        for _ in range(5):
            digest = hall.attacker.draw_digest()
            for kind in (VoteKind.NOTARIZE, VoteKind.FINALIZE):
                hall.receive(hall.attacker.make_vote(kind, view, digest))


def propose_in_far_views(hall: Hall) -> None:
    """Propose two blocks in each of the next views that the attacker leads."""
    for view in filter(hall.leads, range(hall.view + 1, hall.view + 1 + FAR_VIEWS)):
        for step in (1, 2):
            digest, time_ms = hall.attacker.draw_digest(), hall.head.time_ms + step
            header = replace(hall.head, view=view, parent_view=view - 1, parent_digest=digest, time_ms=time_ms)
            hall.receive(hall.attacker.make_proposal(header, ()))


def sign_every_commitment(hall: Hall) -> None:
    """Sign commitments of heights that do not exist yet."""
    for ahead in range(1, 700):
        height, digest = hall.head.height + ahead, hall.attacker.draw_digest()
        signature = hall.attacker.sign(SignatureKind.COMMITMENT, height, digest)
        hall.receive(CommitmentVote(hall.attacker.committee.epoch, height, digest, signature))


def accuse_without_end(hall: Hall) -> None:
    """Prove itself faulty, thirty times for each kind of contradiction."""
    for one, other in PAIRS:
        for number in range(1, 31):
            found = find_contradiction(_state(hall, one, number), _state(hall, other, number))
            assert found is not None  # PAIRS says so
            hall.receive(Accusation(found))


def _state(hall: Hall, kind: SignatureKind, number: int) -> Statement:
    digest: Digest = ZERO_DIGEST if kind is SignatureKind.NULLIFY else hall.attacker.draw_digest()
    index, epoch = hall.attacker.node.index, hall.attacker.committee.epoch
    return Statement(kind, epoch, index, number, digest, hall.attacker.sign(kind, number, digest))


def grow_old(hall: Hall) -> None:
    """Run until what is remembered of old heights has been let go."""
    while hall.head.height < 2_300:
        hall.advance(5_000)


def vote_on_what_nobody_ordered(hall: Hall) -> None:
    """One executor's votes on bundles that do not exist, and on every past that one bundle could have."""
    for number in range(20):
        hall.hear(_make_verdict(0, number), 0)
    for number in range(1, 8_500):
        hall.hear(_make_verdict(number, 0), 0)
        if number % 500 == 0:
            hall.look()
        if number % 2_000 == 0:
            hall.advance(2_000)  # no more are verified between two blocks


def _make_verdict(bundle: int, past: int) -> VerdictStatement:
    bundle_id, assumption = (hash_tagged(Tag.ITEM, number.to_bytes(4, "big")) for number in (bundle, past))
    return VerdictStatement(SPLIT, bundle_id, Verdict.YES, "", (), assumption)
