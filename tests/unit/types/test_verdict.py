"""What executors sign comes back from its bytes and counts for its rollup and its signer only. # A9"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.codec import Fields, decode, encode
from sequencer.crypto.signatures import Ed25519Signer, verify_ed25519
from sequencer.errors import DecodeError, LocalError, PeerError
from sequencer.types.outcome import Status
from sequencer.types.verdict import (
    BeatStatement,
    ExecutorStatement,
    ExecutorVote,
    RootStatement,
    Verdict,
    VerdictStatement,
    compute_assumption,
    compute_statement_signing_bytes,
    make_certificate,
    read_statement,
)
from tests.split_world import DELTA, EXECUTOR_SIGNERS, SPLIT_GENESIS

YES = VerdictStatement(DELTA, bytes(32), Verdict.YES, "", ((0, "amount", 5), (1, "out", 0)), b"a" * 32)
NO = VerdictStatement(DELTA, bytes(32), Verdict.NO, "TOO_LOW@legs[15].conditions[63]", (), b"a" * 32)
BEAT = BeatStatement(DELTA, 7)
ROOT = RootStatement(DELTA, 7, 6, b"s" * 32, b"r" * 32, b"o" * 32)
STATEMENTS = (YES, NO, BEAT, ROOT)


def sign(statement: ExecutorStatement, executor: int, signer: Ed25519Signer | None = None) -> ExecutorVote:
    """Return the vote of one of delta's executors."""
    message = compute_statement_signing_bytes(SPLIT_GENESIS.chain_id, statement)
    return ExecutorVote(statement, executor, (signer or EXECUTOR_SIGNERS[executor]).sign(message))


@pytest.mark.parametrize("statement", STATEMENTS)
def test_vote_comes_back_from_its_bytes_and_verifies(statement: ExecutorStatement) -> None:
    """Encoding loses nothing, and the signature holds."""
    vote = sign(statement, 1)
    found = ExecutorVote.from_value(decode(encode(vote.to_value()), "vote"), "vote")
    found.verify(SPLIT_GENESIS, verify_ed25519)
    assert found == vote


@pytest.mark.parametrize(
    ("vote", "reason"),
    [
        (sign(BEAT, 0, EXECUTOR_SIGNERS[1]), "wrong signature of executor 0"),
        (replace(sign(BEAT, 0), executor=1), "wrong signature of executor 1"),
        (replace(sign(BEAT, 0), statement=BeatStatement(DELTA, 8)), "wrong signature"),
        (replace(sign(BEAT, 0), executor=3), "has no executor 3"),
        (sign(BeatStatement(1, 7), 0), "rollup 1 has no executor set"),
        (sign(BeatStatement(9, 7), 0), "rollup 9 has no executor set"),
    ],
)
def test_A9_vote_that_counts_for_nobody_is_refused(vote: ExecutorVote, reason: str) -> None:
    """Another key, executor, statement or rollup than was signed."""
    with pytest.raises(PeerError, match=reason):
        vote.verify(SPLIT_GENESIS, verify_ed25519)


@pytest.mark.parametrize(
    ("statement", "path"),
    [
        (replace(YES, reason="X@legs[0]"), "s.reason"),
        (replace(NO, reason=""), "s.reason"),
        (replace(NO, reason="lower@legs[0]"), "s.reason"),
        (replace(NO, reason="X@" + "l" * 127), "s.reason"),
        (replace(NO, outputs=YES.outputs), "s.outputs"),
        (replace(YES, outputs=YES.outputs[::-1]), "s.outputs"),
        (replace(YES, outputs=((0, "a", 1), (0, "a", 2))), "s.outputs"),
        (replace(YES, outputs=((16, "a", 1),)), "s.outputs[0].leg"),
        (replace(YES, outputs=((0, "A", 1),)), "s.outputs[0].name"),
        (replace(ROOT, settled_height=8), "s.settled_height"),
    ],
)
def test_statement_that_nobody_may_sign_is_refused_by_its_field(statement: ExecutorStatement, path: str) -> None:
    """One statement has one form, so two executors that agree sign one digest."""
    fields = decode(encode(statement.to_fields()), "s")
    with pytest.raises(DecodeError) as raised:
        read_statement(statement.KIND, Fields(fields, "s"), "s")
    assert raised.value.path == path


def test_statements_of_two_kinds_never_share_a_digest() -> None:
    """The kind is hashed, and each field is."""
    changed = (replace(YES, assumption=bytes(32)), replace(YES, rollup=9), replace(ROOT, settled_height=5))
    assert len({statement.digest for statement in (*STATEMENTS, *changed)}) == 7


def test_assumption_depends_on_what_is_assumed_but_not_on_its_order() -> None:
    """Two executors that met the ancestors in another order sign the same."""
    outcomes = [(b"b" * 32, Status.COMMIT, b"c" * 32), (b"a" * 32, Status.ABORT, b"c" * 32)]
    inputs = [(1, "out", 2), (0, "out", 1)]
    assumption = compute_assumption(outcomes, inputs)
    assert assumption == compute_assumption(outcomes[::-1], inputs[::-1])
    others = [
        compute_assumption([(b"b" * 32, Status.ABORT, b"c" * 32), outcomes[1]], inputs),
        compute_assumption([(b"b" * 32, Status.COMMIT, b"d" * 32), outcomes[1]], inputs),
        compute_assumption(outcomes[:1], inputs),
        compute_assumption(outcomes, inputs[:1]),
        compute_assumption((), ()),
    ]
    assert len({assumption, *others}) == 6


def test_certificate_orders_its_signers() -> None:
    """Votes come in any order."""
    certificate = make_certificate([sign(ROOT, 2), sign(ROOT, 0)])
    assert (certificate.signers, certificate.signatures[1]) == ((0, 2), sign(ROOT, 2).signature)


@pytest.mark.parametrize("votes", [[], [sign(ROOT, 0), sign(BEAT, 1)]])
def test_certificate_of_no_statement_or_two_is_the_callers_error(votes: list[ExecutorVote]) -> None:
    """A certificate says one thing."""
    with pytest.raises(LocalError):
        make_certificate(votes)
