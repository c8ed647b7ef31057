"""Evidence proves a contradiction to anybody who has the genesis, and nothing else. # X1-X7"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sequencer.codec import decode, encode
from sequencer.consensus.voting_rules import Refuse, check_cut
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.errors import DecodeError, VerificationError
from sequencer.types.batch import BatchHeader, compute_payload_hash
from sequencer.types.block import BlockHeader
from sequencer.types.evidence import (
    Evidence,
    EvidenceKind,
    FalseBatch,
    FalseProposal,
    Statement,
    decode_evidence,
    encode_evidence,
    find_contradiction,
    is_cut_allowed,
)
from sequencer.types.primitives import Tip
from sequencer.types.signing import SignatureKind
from tests.unit.core_world import NOBODY, VERIFY, Group, name_digest

GROUP = Group()
A, B = sorted((name_digest("a"), name_digest("b")))
NOTARIZE, NULLIFY, FINALIZE = SignatureKind.NOTARIZE, SignatureKind.NULLIFY, SignatureKind.FINALIZE
PAIRS = [
    (EvidenceKind.TWO_NOTARIZES, NOTARIZE, A, NOTARIZE, B),
    (EvidenceKind.TWO_FINALIZES, FINALIZE, A, FINALIZE, B),
    (EvidenceKind.NULLIFY_AND_FINALIZE, NULLIFY, ZERO_DIGEST, FINALIZE, A),
    (EvidenceKind.TWO_PROPOSALS, SignatureKind.PROPOSAL, A, SignatureKind.PROPOSAL, B),
    (EvidenceKind.TWO_BATCHES, SignatureKind.BATCH_HEADER, A, SignatureKind.BATCH_HEADER, B),
    (EvidenceKind.TWO_COMMITMENTS, SignatureKind.COMMITMENT, A, SignatureKind.COMMITMENT, B),
]


def state(kind: SignatureKind, digest: bytes, signer: int = 1, number: int = 7) -> Statement:
    return Statement(kind, 0, signer, number, digest, GROUP.sign(signer, kind, number, digest))


def make_false_proposal(position: int = 9) -> FalseProposal:
    """Return a proposal that advances lane 0 from 1 to `position`; at most 5 is allowed."""
    parent = replace(GROUP.root, cut=(Tip(1, A), *GROUP.root.cut[1:]))
    header = GROUP.child(parent, cut=(Tip(position, B), *parent.cut[1:]))
    leader = GROUP.committee.get_leader(header.view)
    return FalseProposal(leader, header, GROUP.propose(header).signature, parent)


def make_false_batch(stated: int = 5, payload: bytes = b"four", lane: int = 2) -> FalseBatch:
    header = BatchHeader(0, lane, 3, A, compute_payload_hash(payload), stated, 1)
    signature = GROUP.sign(lane, SignatureKind.BATCH_HEADER, 3, header.digest)
    return FalseBatch(header, signature, b"" if stated > GROUP.genesis.parameters.batch_bytes_max else payload)


def make_pair(kind: EvidenceKind = EvidenceKind.TWO_NOTARIZES) -> Evidence:
    _, one, first, other, second = PAIRS[kind - 1]
    found = find_contradiction(state(one, first), state(other, second))
    assert found is not None
    return found


EVERY: list[Evidence] = [
    *(make_pair(pair[0]) for pair in PAIRS),
    make_false_proposal(),
    make_false_batch(),
    make_false_batch(300_000),
]
NAMES = ["X1", "X2", "X3", "X4", "X5", "X6", "X7 proposal", "X7 size", "X7 too large"]


@pytest.mark.parametrize(("kind", "one", "first", "other", "second"), PAIRS, ids=[pair[0].rule for pair in PAIRS])
def test_pair_is_found_in_either_order(
    kind: EvidenceKind, one: SignatureKind, first: bytes, other: SignatureKind, second: bytes
) -> None:
    """X1-X6 are pairs of statements about one number; the order in which they came does not matter."""
    forward = find_contradiction(state(one, first), state(other, second))
    assert forward is not None
    assert forward == find_contradiction(state(other, second), state(one, first))
    assert (forward.kind, forward.signer, forward.number) == (kind, 1, 7)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (state(NOTARIZE, A), state(NOTARIZE, A)),
        (state(NOTARIZE, A), state(NULLIFY, ZERO_DIGEST)),
        (state(NOTARIZE, A), state(FINALIZE, B)),
        (state(NULLIFY, ZERO_DIGEST), state(NULLIFY, ZERO_DIGEST)),
        (state(NOTARIZE, A), state(NOTARIZE, B, number=8)),
        (state(NOTARIZE, A), state(NOTARIZE, B, signer=2)),
        (state(SignatureKind.PROPOSAL, A), state(NOTARIZE, B)),
        (state(SignatureKind.BATCH_HEADER, A), state(SignatureKind.COMMITMENT, B)),
    ],
    ids=["same", "N+Z", "N+F", "Z+Z", "other view", "other signer", "proposal+vote", "batch+commitment"],
)
def test_what_a_correct_validator_may_sign_is_no_contradiction(one: Statement, other: Statement) -> None:
    """Notarize beside nullify is legal, as are votes of different views and of different validators."""
    assert find_contradiction(one, other) is None


@pytest.mark.parametrize("evidence", EVERY, ids=NAMES)
def test_evidence_survives_its_bytes_and_verifies(evidence: Evidence) -> None:
    """What was encoded is read back equal, and proves its offence to a stranger."""
    read = decode_evidence(encode_evidence(evidence))
    read.verify(GROUP.genesis, VERIFY)
    assert read == evidence


@pytest.mark.parametrize("evidence", EVERY, ids=NAMES)
def test_every_flipped_bit_of_evidence_is_refused(evidence: Evidence) -> None:
    """No byte is uncovered: whatever is changed, decoding or verification fails."""
    data = encode_evidence(evidence)
    for place in range(len(data)):
        for bit in (1, 128):
            changed = bytearray(data)
            changed[place] ^= bit
            with pytest.raises((DecodeError, VerificationError)):
                decode_evidence(bytes(changed)).verify(GROUP.genesis, VERIFY)


@pytest.mark.parametrize("evidence", EVERY, ids=NAMES)
def test_evidence_of_another_network_is_refused(evidence: Evidence) -> None:
    """The chain id is signed, so evidence accuses nobody elsewhere."""
    with pytest.raises(VerificationError):
        evidence.verify(replace(GROUP.genesis, name="other"), VERIFY)


def accuse_with_a_forged_signature() -> Evidence:
    found = find_contradiction(state(NOTARIZE, A), replace(state(NOTARIZE, B), signature=NOBODY))
    assert found is not None
    return found


def accuse_with_anothers_signature() -> Evidence:
    found = find_contradiction(state(NOTARIZE, A, 1), replace(state(NOTARIZE, B, 2), signer=1))
    assert found is not None
    return found


def accuse_for_a_payload_changed_on_the_way() -> Evidence:
    return replace(make_false_batch(4), payload=b"five!")


HONEST: list[tuple[Callable[[], Evidence], str]] = [
    (accuse_with_a_forged_signature, "second signature"),
    (accuse_with_anothers_signature, "second signature"),
    (lambda: make_false_proposal(5), "keeps V5"),
    (lambda: replace(make_false_proposal(), parent=GROUP.root), "parent is not the one"),
    (lambda: replace(make_false_proposal(), signature=NOBODY), "signature is not"),
    (lambda: replace(make_false_proposal(), signer=9), "validator 9"),
    (lambda: make_false_batch(4), "true size"),
    (accuse_for_a_payload_changed_on_the_way, "not the one that the header names"),
    (lambda: replace(make_false_batch(300_000), payload=b"four"), "proves nothing more"),
    (lambda: replace(make_false_batch(), signature=NOBODY), "signature is not"),
    (lambda: make_false_batch(5, bytes(300_000)), "payload above"),
]


@pytest.mark.parametrize(("accuse", "reason"), HONEST, ids=[reason for _, reason in HONEST])
def test_false_evidence_is_refused_with_the_reason(accuse: Callable[[], Evidence], reason: str) -> None:
    """Nobody can make evidence against a validator that signed nothing wrong. # B20"""
    with pytest.raises(VerificationError, match=reason):
        accuse().verify(GROUP.genesis, VERIFY)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (("ssq-evidence-2",), "evidence.format"),
        (("ssq-evidence-1", 0), "evidence.kind"),
        (("ssq-evidence-1", 8), "evidence.kind"),
        (("ssq-evidence-1", 1, 0, 70_000), "evidence.signer"),
        (("ssq-evidence-1", 1, 0, 1, 7, (B, NOBODY), (A, NOBODY)), "evidence.second.digest"),
        (("ssq-evidence-1", 1, 0, 1, 7, (A, NOBODY), (A, NOBODY)), "evidence.second.digest"),
        (("ssq-evidence-1", 3, 0, 1, 7, (A, NOBODY), (B, NOBODY)), "evidence.first.digest"),
        (("ssq-evidence-1", 1, 0, 1, 7, (A, NOBODY), (B, NOBODY), 0), "evidence"),
        (("ssq-evidence-1", 7, 2), "evidence.object"),
    ],
)
def test_wrong_field_of_evidence_is_named(value: tuple[object, ...], path: str) -> None:
    """One pair has one encoding; everything else is refused by its field."""
    with pytest.raises(DecodeError) as caught:
        decode_evidence(encode(value))
    assert caught.value.path == path


def test_evidence_of_one_kind_relabelled_as_another_is_refused() -> None:
    """The kind says what was signed, so two notarizes are not two finalizes."""
    value = decode(encode_evidence(make_pair()), "evidence")
    assert isinstance(value, tuple)
    for kind in (2, 4, 5, 6):
        with pytest.raises(VerificationError, match="first signature"):
            decode_evidence(encode((value[0], kind, *value[2:]))).verify(GROUP.genesis, VERIFY)


@pytest.mark.parametrize("position", range(12))
@pytest.mark.parametrize("digest", [A, B])
def test_V5_of_evidence_is_the_V5_of_the_voter(position: int, digest: bytes) -> None:
    """A proposal that a voter refuses by V5 is evidence, and no other is: both state the rule on their own."""
    parent: BlockHeader = replace(GROUP.root, cut=(Tip(4, A), *GROUP.root.cut[1:]))
    cut = (Tip(position, digest), *parent.cut[1:])
    assert is_cut_allowed(cut, parent.cut, 4) is (check_cut(cut, parent.cut, 4) != Refuse("V5"))
