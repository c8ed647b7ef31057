"""An executor says what it owes, again if it is lost, and nothing that it cannot stand for. # A9 A12 A13 A14"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sequencer.execution.executor import Executor
from sequencer.replica import executor_duties
from sequencer.replica.configuration import ExecutorIdentity
from sequencer.replica.executor_duties import BEAT_HEIGHTS, REPEAT_HEIGHTS, ROW_HEIGHTS_MAX, ExecutorDuties, pack_votes
from sequencer.replica.verdict_pool import VARIANTS_MAX, VerdictPool
from sequencer.types.bundle import AtLeast
from sequencer.types.executed import ExecutedBlock
from sequencer.types.primitives import Digest, RollupId
from sequencer.types.verdict import BeatStatement, ExecutorVote, RootStatement, Verdict, VerdictStatement
from tests.unit.core_world import VERIFY
from tests.unit.executors_world import ALPHA, DELTA, GAMMA, GENESIS, Chain, make_executor_signer, put, sign_votes

NEVER = AtLeast("kv/never", 1)


class Gamma:
    """Executor 1 of gamma with its duties, and the log."""

    def __init__(self) -> None:
        self.executor = Executor(GENESIS, frozenset({GAMMA}))
        identity = ExecutorIdentity(GAMMA, 1, make_executor_signer(GAMMA, 1))
        self.duties = ExecutorDuties(identity, GENESIS, self.executor)
        self.pool = VerdictPool(GENESIS, VERIFY, self.executor, GAMMA, has_lane=False)
        self.chain = Chain(self.executor)

    def note(self, block: ExecutedBlock, late_ms: int = 0) -> list[ExecutorVote]:
        """Tell the duties of a block; return what they say."""
        self.pool.on_executed([decision.item_id for decision in block.decisions])
        self.duties.on_executed(block, self.chain.items, block.header.time_ms + late_ms)
        return self.speak()

    def speak(self) -> list[ExecutorVote]:
        return self.duties.take_votes(self.pool, self.pool.take_telling())

    def run_empty(self, count: int, step_ms: int = 1) -> list[list[ExecutorVote]]:
        """Return what is said after each of so many empty blocks."""
        return [self.note(self.chain.add(step_ms=step_ms)) for _ in range(count)]


@pytest.fixture
def gamma() -> Gamma:
    return Gamma()


def order_late(gamma: Gamma) -> list[ExecutorVote]:
    """Order a bundle of another rollup in a block whose height is scheduled; return what is said."""
    bundle = gamma.chain.sign(put(ALPHA, "x"))
    return gamma.note(gamma.chain.add(bundle.item_bytes, step_ms=60_000))


def get_roots(votes: Sequence[ExecutorVote]) -> list[RootStatement]:
    return [vote.statement for vote in votes if isinstance(vote.statement, RootStatement)]


def get_verdicts(votes: Sequence[ExecutorVote]) -> list[tuple[Digest, Verdict]]:
    statements = [vote.statement for vote in votes if isinstance(vote.statement, VerdictStatement)]
    return [(statement.bundle_id, statement.verdict) for statement in statements]


def test_A9_executor_votes_once_and_its_signature_is_good(gamma: Gamma) -> None:
    """Every undecided bundle that touches the rollup gets one vote; others get none."""
    mine, other = gamma.chain.sign(put(GAMMA, "x")), gamma.chain.sign(put(DELTA, "x"))
    votes = gamma.note(gamma.chain.order(mine, other))
    assert get_verdicts(votes) == [(mine.id, Verdict.YES)]
    votes[0].verify(GENESIS, VERIFY)
    assert gamma.speak() == []


def test_A14_vote_that_is_lost_is_said_again_until_it_is_in_the_log(gamma: Gamma) -> None:
    """Gossip may lose it; the log says when it is not needed any more."""
    (vote,) = gamma.note(gamma.chain.order(gamma.chain.sign(put(GAMMA, "x"), put(DELTA, "x"))))
    assert gamma.run_empty(REPEAT_HEIGHTS) == [[]] * (REPEAT_HEIGHTS - 1) + [[vote]]
    gamma.note(gamma.chain.certify(vote.statement))
    assert gamma.run_empty(2) == [[], []]


def test_A14_who_connects_hears_again_what_is_open(gamma: Gamma) -> None:
    """A validator that was away knows nothing of what was said meanwhile."""
    (vote,) = gamma.note(gamma.chain.order(gamma.chain.sign(put(GAMMA, "x"))))
    gamma.duties.on_connected()
    assert gamma.run_empty(1) == [[vote]]


def test_A14_refusal_heard_leads_to_another_vote(gamma: Gamma) -> None:
    """f_r + 1 of another rollup say NO, so what stands behind is voted on anew, at once."""
    first, second = gamma.chain.sign(put(GAMMA, "x"), put(DELTA, "z")), gamma.chain.sign(put(GAMMA, "x"))
    votes = gamma.note(gamma.chain.order(first, second))
    assumption = votes[0].statement.assumption if isinstance(votes[0].statement, VerdictStatement) else b""
    refusal = VerdictStatement(DELTA, first.id, Verdict.NO, "TOO_LOW@legs[1].conditions[0]", (), assumption)
    gamma.pool.on_votes(sign_votes(refusal, (0,)))
    assert get_verdicts(gamma.speak()) == [(second.id, Verdict.YES)]


def test_A14_flickering_expectations_cost_eight_votes_per_block(gamma: Gamma) -> None:
    """However often a vote changes between two blocks, only so many are said."""
    duties, forecasts = gamma.duties, []
    gamma.note(gamma.chain.order(gamma.chain.sign(put(GAMMA, "x"))))
    for number in range(VARIANTS_MAX + 3):
        forecasts.append(VerdictStatement(GAMMA, bytes(32), Verdict.YES, "", (), number.to_bytes(32, "big")))
    said = [duties._vote(forecast) for forecast in forecasts]
    assert [vote is not None for vote in said] == [True] * VARIANTS_MAX + [False] * 3
    assert duties.withheld == 3
    gamma.run_empty(1)
    assert duties._vote(forecasts[-1]) is not None


def test_A11_row_is_signed_at_scheduled_heights(gamma: Gamma) -> None:
    """The row that is certified is the one that this node has."""
    (root,) = get_roots(order_late(gamma))
    row = gamma.executor.get_own_row(GAMMA)
    assert row is not None
    assert (root.height, root.state_root) == (1, row.state_root)


def test_A11_idle_rollup_states_its_last_row_until_that_is_certified_and_then_nothing(gamma: Gamma) -> None:
    """Else every row's certificate would make a block whose time calls for the next row."""
    order_late(gamma)
    lost, root = (get_roots(votes)[0] for votes in gamma.run_empty(2, step_ms=60_000))
    assert (lost.height, root.height) == (2, 3)
    assert get_roots(gamma.note(gamma.chain.certify(root))) == []
    assert [get_roots(votes) for votes in gamma.run_empty(3, step_ms=60_000)] == [[], [], []]
    assert len(get_roots(order_late(gamma))) == 1


def test_A11_idle_rollup_states_its_row_anew_before_proofs_of_it_end(gamma: Gamma) -> None:
    """A stranger can prove what the state holds however long nothing happens."""
    said = gamma.run_empty(ROW_HEIGHTS_MAX + 1, step_ms=60_000)
    assert [len(get_roots(votes)) for votes in said] == [0] * (ROW_HEIGHTS_MAX - 1) + [1, 1]


def suspend(world: Gamma, rollup: RollupId) -> None:
    """Let one bundle's verdict be missing until it times out."""
    world.note(world.chain.order(world.chain.sign(put(rollup, "x"), decide_within=6)))
    world.run_empty(6)
    assert world.executor.is_suspended(rollup)


def test_A13_beats_are_signed_while_suspended_and_lift_it(gamma: Gamma) -> None:
    """All executors sign at the same heights, so their signatures meet."""
    suspend(gamma, GAMMA)
    said = gamma.run_empty(BEAT_HEIGHTS)
    (beat,) = [vote.statement for votes in said for vote in votes if isinstance(vote.statement, BeatStatement)]
    assert beat.height % BEAT_HEIGHTS == 0
    gamma.note(gamma.chain.add())
    gamma.note(gamma.chain.certify(beat))
    assert not gamma.executor.is_suspended(GAMMA)
    assert not any(isinstance(v.statement, BeatStatement) for votes in gamma.run_empty(2 * BEAT_HEIGHTS) for v in votes)


def test_A13_who_catches_up_signs_no_beat(gamma: Gamma) -> None:
    """A beat says that the rollup is back: at old blocks it is not."""
    suspend(gamma, GAMMA)
    said = [gamma.note(gamma.chain.add(step_ms=1), late_ms=60_000) for _ in range(2 * BEAT_HEIGHTS)]
    assert not any(isinstance(vote.statement, BeatStatement) for votes in said for vote in votes)


def test_A12_frozen_rollup_signs_nothing_more(gamma: Gamma) -> None:
    """More than f_r certified YES where this executor computes NO: it stops, and says so."""
    lied = gamma.chain.sign(put(GAMMA, "x", NEVER))
    (vote,) = gamma.note(gamma.chain.order(lied))
    assert isinstance(vote.statement, VerdictStatement)
    truth = vote.statement
    gamma.note(gamma.chain.certify(VerdictStatement(GAMMA, lied.id, Verdict.YES, "", (), truth.assumption)))
    assert gamma.duties.get_status().is_frozen
    assert gamma.note(gamma.chain.order(gamma.chain.sign(put(GAMMA, "y")))) == []


def test_publications_are_packed_within_their_bytes(gamma: Gamma, monkeypatch: pytest.MonkeyPatch) -> None:
    """Votes leave in order, in envelopes of a bounded size, none of them empty."""
    bundles = [gamma.chain.sign(put(GAMMA, f"x{number}")) for number in range(10)]
    votes = gamma.note(gamma.chain.order(*bundles))
    monkeypatch.setattr(executor_duties, "PUBLICATION_BYTES_MAX", 700)
    packed = pack_votes(votes)
    assert [vote for publication in packed for vote in publication.votes] == votes
    assert [len(publication.votes) for publication in packed] == [4, 4, 2]
    assert pack_votes([]) == []
