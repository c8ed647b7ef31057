"""f_r + 1 equal votes become one certificate; nobody can fill the pool or pass off a vote. # A9 A14"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from sequencer.replica import verdict_pool
from sequencer.replica.verdict_pool import VARIANTS_MAX, VerdictPool
from sequencer.types.item import check_item
from sequencer.types.outcome import Reason, Rejection, Status
from sequencer.types.primitives import Digest, Height, RollupId
from sequencer.types.verdict import (
    BeatStatement,
    ExecutorCertificate,
    ExecutorStatement,
    ExecutorVote,
    RootStatement,
    Verdict,
    make_certificate,
)
from tests.unit.core_world import NOBODY, VERIFY, name_digest
from tests.unit.executors_world import DELTA, GAMMA, GENESIS, make_verdict, sign_vote, sign_votes


@dataclass
class FakeLedger:
    """A state in which everything is pending but what a test says."""

    height: int = 10
    decided: set[Digest] = field(default_factory=set)
    useless: set[Digest] = field(default_factory=set)
    certain: set[Digest] = field(default_factory=set)

    def check_certificate(self, statement: ExecutorStatement) -> Rejection | None:
        return Rejection(Reason.STALE, "item") if statement.digest in self.useless else None

    def get_decided_status(self, bundle_id: Digest) -> Status | None:
        return Status.COMMIT if bundle_id in self.decided else None

    def get_deadline(self, item_id: Digest) -> Height | None:
        return None if item_id in self.decided else 50

    def is_certain(self, bundle_id: Digest, rollup: RollupId) -> bool:
        return bundle_id in self.certain


@pytest.fixture
def ledger() -> FakeLedger:
    return FakeLedger()


@pytest.fixture
def pool(ledger: FakeLedger) -> VerdictPool:
    return VerdictPool(GENESIS, VERIFY, ledger, None, has_lane=True)


def test_A9_certificate_of_f_plus_1_equal_votes_passes_the_stateless_checks(pool: VerdictPool) -> None:
    """One vote is nothing, a second one is a certificate that every node accepts."""
    statement = make_verdict("b")
    pool.on_votes([sign_vote(statement, 2)])
    assert list(pool.get_wanted()) == []
    pool.on_votes([sign_vote(statement, 0)])
    (wanted,) = pool.get_wanted()
    checked = check_item(wanted.item, GENESIS.item_rules, VERIFY)
    assert isinstance(checked, ExecutorCertificate)
    assert (checked.statement, checked.signers) == (statement, (0, 2))
    assert pool.get_statements(name_digest("b"), GAMMA) == [statement]


def test_A9_votes_that_differ_are_no_certificate(pool: VerdictPool) -> None:
    """A liar beside an honest executor moves nothing; the third vote does."""
    yes, no = make_verdict("b"), make_verdict("b", verdict=Verdict.NO)
    pool.on_votes([sign_vote(yes, 0), sign_vote(no, 1)])
    assert not pool.take_news()
    pool.on_votes([sign_vote(yes, 2)])
    assert pool.take_news()
    assert pool.get_statements(name_digest("b"), GAMMA) == [yes]


def test_A9_same_executor_twice_counts_once(pool: VerdictPool) -> None:
    """Saying it again is not saying it with another voice."""
    pool.on_votes([sign_vote(make_verdict("b"), 1)] * 3)
    assert list(pool.get_wanted()) == []


@pytest.mark.parametrize(
    "vote",
    [
        replace(sign_vote(make_verdict("b"), 0), signature=NOBODY),
        replace(sign_vote(make_verdict("b"), 0), executor=1),
        replace(sign_vote(make_verdict("b", DELTA), 0), executor=3),
        replace(sign_vote(make_verdict("b"), 0), statement=make_verdict("c")),
        replace(sign_vote(make_verdict("b"), 0), statement=make_verdict("b", 1)),
    ],
)
def test_A9_vote_that_its_executor_did_not_sign_is_refused(pool: VerdictPool, vote: ExecutorVote) -> None:
    """Another's signature, another's name, another bundle, a native rollup: each is counted and forgotten."""
    pool.on_votes([vote])
    assert (pool.counters.refused, pool.counters.kept) == (1, 0)


def test_A9_decided_bundle_leaves_nothing_and_comes_not_back(pool: VerdictPool, ledger: FakeLedger) -> None:
    """What is decided costs neither memory nor a verification."""
    pool.on_votes(sign_votes(make_verdict("b"), (0, 1)))
    ledger.decided.add(name_digest("b"))
    pool.on_executed([name_digest("b")])
    pool.on_votes([replace(sign_vote(make_verdict("b"), 2), signature=NOBODY)])
    assert {size for size, _ in pool.get_bounds().values()} == {0}
    assert pool.counters.refused == 0


def test_A9_certificate_that_would_have_no_effect_is_not_wanted(pool: VerdictPool, ledger: FakeLedger) -> None:
    """Certificates are free of charge, so nobody includes one in vain."""
    statement = make_verdict("b")
    pool.on_votes(sign_votes(statement, (0, 1)))
    ledger.useless.add(statement.digest)
    assert list(pool.get_wanted()) == []


def test_A14_ninth_variant_takes_the_place_of_the_first(pool: VerdictPool) -> None:
    """Who votes for every possible past fills eight places; what is foreseen last always gets through."""
    variants = [make_verdict("b", assumption=name_digest(str(number))) for number in range(VARIANTS_MAX + 1)]
    pool.on_votes([sign_vote(variant, 0) for variant in variants])
    assert pool.counters.replaced == 1
    assert pool.get_bounds()["votes_per_bundle_and_executor"] == (VARIANTS_MAX, VARIANTS_MAX)
    pool.on_votes([sign_vote(variants[0], 1)])
    assert not pool.take_news()
    pool.on_votes([sign_vote(variants[-1], 1)])
    assert pool.take_news()


def test_A14_only_the_last_word_of_enough_executors_is_wanted(pool: VerdictPool) -> None:
    """A certificate that its executors have given up is not included; said again, it is."""
    first, second = (make_verdict("b", assumption=name_digest(name)) for name in ("1", "2"))
    pool.on_votes([*sign_votes(first, (0, 1)), *sign_votes(second, (0, 1))])
    (wanted,) = pool.get_wanted()
    assert check_item(wanted.item, GENESIS.item_rules, VERIFY) == make_certificate(sign_votes(second, (0, 1)))
    pool.on_votes(sign_votes(first, (1,)))
    assert list(pool.get_wanted()) == []
    pool.on_votes(sign_votes(first, (0,)))
    assert len(list(pool.get_wanted())) == 1
    assert pool.get_statements(name_digest("b"), GAMMA) == [first, second]


def test_A14_old_votes_said_again_do_not_hide_what_is_certain(pool: VerdictPool, ledger: FakeLedger) -> None:
    """Anybody can send an executor's older votes once more; where the assumption is known they are worth nothing."""
    first, second = (make_verdict("b", assumption=name_digest(name)) for name in ("1", "2"))
    pool.on_votes([*sign_votes(first, (0, 1)), *sign_votes(second, (0, 1))])
    ledger.certain.add(name_digest("b"))
    ledger.useless.add(first.digest)
    pool.on_votes(sign_votes(first, (0, 1)))
    (wanted,) = pool.get_wanted()
    assert check_item(wanted.item, GENESIS.item_rules, VERIFY) == make_certificate(sign_votes(second, (0, 1)))
    pool.on_votes([replace(sign_vote(first, 2), signature=NOBODY)])
    assert pool.counters.refused == 0


def test_A21_certificate_is_urgent_when_only_the_shortest_time_is_left(pool: VerdictPool) -> None:
    """F + 5 heights before the deadline are enough with F faulty leaders, not with a faulty rank 0 besides."""
    pool.on_votes([*sign_votes(make_verdict("b"), (0, 1)), *sign_votes(BeatStatement(DELTA, 11), (0,))])
    assert GENESIS.item_rules.decide_within_min == 6
    assert [wanted.urgent_height for wanted in pool.get_wanted()] == [45, None]


def test_A9_wrong_signature_ends_its_envelope(pool: VerdictPool) -> None:
    """A verification is dear: who packs 800 wrong signatures into an envelope buys one."""
    wrong = [replace(sign_vote(BeatStatement(GAMMA, 11 + number), 0), signature=NOBODY) for number in range(800)]
    pool.on_votes([sign_vote(make_verdict("b"), 0), *wrong, sign_vote(make_verdict("c"), 0)])
    assert (pool.counters.received, pool.counters.kept, pool.counters.refused) == (2, 1, 1)
    pool.on_votes([sign_vote(make_verdict("c"), 0)])
    assert pool.counters.kept == 2


def test_A14_executor_has_so_many_votes_verified_between_two_blocks(
    pool: VerdictPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is beyond waits until it is said again; others' votes are not concerned."""
    monkeypatch.setattr(verdict_pool, "VERIFIED_PER_EXECUTOR_MAX", 3)
    pool.on_votes([sign_vote(make_verdict(f"x{number}"), 0) for number in range(5)])
    assert (pool.counters.kept, pool.counters.postponed) == (3, 2)
    pool.on_votes([sign_vote(make_verdict("x4"), 1)])
    pool.on_executed([])
    pool.on_votes([sign_vote(make_verdict("x4"), 0)])
    assert pool.take_news()


def test_A14_outputs_of_one_executor_are_bounded(pool: VerdictPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Votes that state much leave as many others of the same executor."""
    monkeypatch.setattr(verdict_pool, "OUTPUTS_PER_EXECUTOR_MAX", 100)
    wide = [replace(make_verdict(name), outputs=tuple((0, f"n{i:02}", 1) for i in range(40))) for name in "abcd"]
    pool.on_votes([sign_vote(make_verdict("small"), 1), *[sign_vote(statement, 0) for statement in wide]])
    assert pool.get_bounds()["outputs_per_executor"] == (80, 100)
    assert (pool.counters.evicted, pool.get_bounds()["statements"][0]) == (2, 3)
    pool.on_executed([statement.bundle_id for statement in wide])
    assert pool.get_bounds()["outputs_per_executor"][0] == 0


@pytest.mark.parametrize(("verdict", "is_telling"), [(Verdict.YES, False), (Verdict.NO, True)])
def test_A14_plain_yes_changes_no_expectation(pool: VerdictPool, verdict: Verdict, is_telling: bool) -> None:
    """Everybody expects a YES anyway, so nothing has to be foretold anew."""
    pool.on_votes(sign_votes(make_verdict("b", verdict=verdict), (0, 1)))
    assert pool.take_telling() is is_telling
    assert not pool.take_telling()


def test_A14_flood_of_one_executor_pushes_out_only_its_own_votes(
    pool: VerdictPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest vote of the same executor goes; an honest one's stays and still counts."""
    monkeypatch.setattr(verdict_pool, "VOTES_PER_EXECUTOR_MAX", 4)
    pool.on_votes([sign_vote(make_verdict("b"), 1)])
    pool.on_votes([sign_vote(make_verdict(f"x{number}"), 0) for number in range(9)])
    assert pool.counters.evicted == 5
    assert pool.get_bounds()["votes_per_executor"][0] == 4
    assert pool.get_bounds()["statements"][0] == 5
    pool.on_votes([sign_vote(make_verdict("b"), 2)])
    assert pool.take_news()


def test_A13_old_beats_are_forgotten(pool: VerdictPool, ledger: FakeLedger) -> None:
    """A beat without its like waits 64 heights, and an older one is not taken in."""
    pool.on_votes([sign_vote(BeatStatement(GAMMA, 9), 0), sign_vote(BeatStatement(DELTA, 70), 0)])
    ledger.height = 73
    pool.on_executed([])
    pool.on_votes([sign_vote(BeatStatement(GAMMA, 9), 1)])
    assert [wanted.subject for wanted in pool.get_wanted()] == [BeatStatement(DELTA, 70).digest]
    assert pool.get_bounds()["statements"][0] == 1


def test_A11_only_the_newest_root_is_wanted(pool: VerdictPool) -> None:
    """An older one would be stale by the time it is ordered."""
    roots = [RootStatement(GAMMA, height, height, bytes(32), bytes(32), bytes(32)) for height in (8, 9, 7)]
    for root in roots:
        pool.on_votes(sign_votes(root, (0, 1)))
    assert [wanted.subject for wanted in pool.get_wanted()] == [roots[1].digest]


def test_executor_without_lane_leaves_out_votes_on_its_own_rollup(ledger: FakeLedger) -> None:
    """It needs others' verdicts to foresee outcomes, and its own it has."""
    pool = VerdictPool(GENESIS, VERIFY, ledger, GAMMA, has_lane=False)
    pool.on_votes([sign_vote(make_verdict("b"), 0), sign_vote(make_verdict("b", DELTA), 0)])
    assert pool.counters.kept == 1
    assert len(pool.get_statements(name_digest("b"), DELTA)) == 1
