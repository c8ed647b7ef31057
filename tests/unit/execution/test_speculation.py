"""Executors foretell outcomes, say what they assumed, and correct themselves when they hear otherwise. # A14"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from sequencer.execution.executor import Executor
from sequencer.execution.speculation import Speculation
from sequencer.types.bundle import AtLeast, Operation, Reference
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest, RollupId
from sequencer.types.verdict import Verdict, VerdictStatement
from tests.unit.executors_world import ALPHA, DELTA, GAMMA, GENESIS, Chain, make_leg, make_verdict, put

NEVER = AtLeast("kv/never", 1)


@dataclass
class Said:
    """What executors are known to say."""

    statements: list[VerdictStatement] = field(default_factory=list)

    def get_statements(self, bundle_id: Digest, rollup: RollupId) -> Sequence[VerdictStatement]:
        return [s for s in self.statements if (s.bundle_id, s.rollup) == (bundle_id, rollup)]


class Executors:
    """Gamma's and delta's executors on one log; what they foretell is not heard unless a test says so."""

    def __init__(self) -> None:
        self.gamma = Executor(GENESIS, frozenset({GAMMA}))
        self.delta = Executor(GENESIS, frozenset({DELTA}))
        self.chain = Chain(self.gamma, self.delta)
        self.speculation = Speculation(GENESIS, self.gamma, GAMMA)
        self.other = Speculation(GENESIS, self.delta, DELTA)
        self.said = Said()

    def foresee(self) -> dict[Digest, VerdictStatement]:
        """Return gamma's verdicts by bundle."""
        return {statement.bundle_id: statement for statement in self.speculation.foresee(self.said)}

    def foresee_other(self) -> list[VerdictStatement]:
        """Return delta's verdicts."""
        return self.other.foresee(self.said)


@pytest.fixture
def world() -> Executors:
    return Executors()


def test_A14_chain_of_undecided_bundles_is_voted_on_at_once_and_commits_with_one_block(world: Executors) -> None:
    """Nobody waits for the one before: all certificates are in one block, and what they assume comes true."""
    first, second = world.chain.sign(put(GAMMA, "x")), world.chain.sign(put(GAMMA, "y", AtLeast("kv/x", 1)))
    world.chain.order(first, second)
    foreseen = world.foresee()
    assert [foreseen[bundle.id].verdict for bundle in (first, second)] == [Verdict.YES, Verdict.YES]
    decided = world.chain.certify(*foreseen.values()).decisions
    assert [(d.item_id, d.status) for d in decided] == [(first.id, Status.COMMIT), (second.id, Status.COMMIT)]


def test_A14_own_refusal_is_foreseen_for_those_behind(world: Executors) -> None:
    """What this rollup refuses leaves nothing behind for the next one."""
    first, second = world.chain.sign(put(GAMMA, "x", NEVER)), world.chain.sign(put(GAMMA, "y", AtLeast("kv/x", 1)))
    world.chain.order(first, second)
    foreseen = world.foresee()
    assert foreseen[second.id].reason == "TOO_LOW@legs[0].conditions[0]"
    decided = world.chain.certify(*foreseen.values()).decisions
    assert [d.reason for d in decided] == ["NO:gamma:TOO_LOW@legs[0].conditions[0]"] * 2


def test_A14_refusal_heard_from_another_rollup_changes_the_vote(world: Executors) -> None:
    """A guess that proves wrong costs another vote with another assumption; only that one counts in the log."""
    first = world.chain.sign(put(GAMMA, "x"), put(DELTA, "z", NEVER))
    second = world.chain.sign(put(GAMMA, "y", AtLeast("kv/x", 1)))
    world.chain.order(first, second)
    guessed = world.foresee()
    world.said.statements += world.foresee_other()
    corrected = world.foresee()
    assert (guessed[second.id].verdict, corrected[second.id].verdict) == (Verdict.YES, Verdict.NO)
    assert corrected[second.id].assumption != guessed[second.id].assumption
    assert corrected[first.id] == guessed[first.id]
    decided = world.chain.certify(guessed[second.id], *corrected.values(), *world.foresee_other()).decisions
    assert [(d.item_id, d.status) for d in decided] == [(first.id, Status.ABORT), (second.id, Status.ABORT)]
    assert decided[1].reason.startswith("NO:gamma:TOO_LOW")


def test_A14_refusal_under_other_outcomes_is_not_believed(world: Executors) -> None:
    """A NO that assumes what is not expected here says nothing about what will be."""
    first = world.chain.sign(put(GAMMA, "x"), put(DELTA, "z"))
    second = world.chain.sign(put(GAMMA, "y", AtLeast("kv/x", 1)))
    world.chain.order(first, second)
    lie = make_verdict("lie", DELTA, Verdict.NO, assumption=bytes(32))
    world.said.statements.append(VerdictStatement(DELTA, first.id, lie.verdict, lie.reason, (), lie.assumption))
    assert world.foresee()[second.id].verdict is Verdict.YES


def test_A8_native_refusal_is_foreseen(world: Executors) -> None:
    """Every node runs native rollups, so an executor knows their verdict while the log still waits for others'."""
    first = world.chain.sign(put(GAMMA, "x"), put(DELTA, "z"))
    second = world.chain.sign(put(GAMMA, "x"), put(DELTA, "z"), put(ALPHA, "a"))
    third = world.chain.sign(put(GAMMA, "y", AtLeast("kv/x", 2)), put(ALPHA, "b", AtLeast("kv/a", 1)))
    fourth = world.chain.sign(put(GAMMA, "w", AtLeast("kv/x", 1)), put(ALPHA, "b", NEVER))
    fifth = world.chain.sign(put(GAMMA, "v", AtLeast("kv/w", 1)))
    world.chain.order(first, second, third, fourth, fifth)
    foreseen = world.foresee()
    assert [foreseen[b.id].verdict for b in (second, third, fifth)] == [Verdict.YES, Verdict.NO, Verdict.NO]


def test_A15_value_of_another_rollup_is_waited_for_and_then_bound(world: Executors) -> None:
    """Without the value there is no verdict, on the bundle nor on what rests on it; with it both are stated."""
    add = make_leg(DELTA, Operation("add", ("kv/n", 7)))
    use = make_leg(GAMMA, Operation("set", ("kv/got", Reference(0, "value"))))
    first, second = world.chain.sign(add, use), world.chain.sign(put(GAMMA, "y", AtLeast("kv/got", 7)))
    world.chain.order(first, second)
    assert world.foresee() == {}
    world.said.statements += world.foresee_other()
    assert world.said.statements[0].outputs == ((0, "value", 7),)
    foreseen = world.foresee()
    assert [foreseen[b.id].verdict for b in (first, second)] == [Verdict.YES, Verdict.YES]
    decided = world.chain.certify(*world.said.statements, *foreseen.values()).decisions
    assert [d.status for d in decided] == [Status.COMMIT, Status.COMMIT]
    assert world.gamma.get_state_value(GAMMA, "kv/got") == 7


def test_A16_dep_that_is_refused_is_foreseen(world: Executors) -> None:
    """A bundle whose dep will not commit leaves nothing behind."""
    first = world.chain.sign(put(GAMMA, "x", NEVER))
    second = world.chain.sign(put(GAMMA, "y"), deps=(first.id,))
    third = world.chain.sign(put(GAMMA, "z", AtLeast("kv/y", 1)))
    world.chain.order(first, second, third)
    foreseen = world.foresee()
    assert [foreseen[b.id].verdict for b in (second, third)] == [Verdict.YES, Verdict.NO]


def test_A13_silent_rollup_is_expected_to_stay_silent(world: Executors) -> None:
    """Whatever still waits for a suspended rollup is expected to abort, so those behind can be voted on."""
    hostage = world.chain.sign(put(GAMMA, "x"), put(DELTA, "z1"), decide_within=6)
    world.chain.order(hostage)
    for _ in range(3):
        world.chain.add()
    late = world.chain.sign(put(GAMMA, "x"), put(DELTA, "z2"))
    behind = world.chain.sign(put(GAMMA, "y", AtLeast("kv/x", 1)))
    world.chain.order(late, behind)
    assert world.foresee()[behind.id].verdict is Verdict.YES
    world.chain.add()
    assert world.chain.add().decisions[0].reason == "TIMEOUT:gamma,delta"
    assert world.gamma.is_suspended(DELTA)
    assert world.foresee()[behind.id].verdict is Verdict.NO


def test_walk_changes_nothing_and_runs_nothing_twice(world: Executors) -> None:
    """What was computed once is remembered while it rests on the same, and forgotten with the decision."""
    bundles = [world.chain.sign(put(GAMMA, "x"), put(ALPHA, f"a{number}")) for number in range(5)]
    world.chain.order(*bundles)
    before = world.gamma.take_snapshot()
    first = world.foresee()
    runs = world.speculation.trials_run
    assert world.foresee() == first
    assert (world.speculation.trials_run, runs) == (10, 10)
    assert world.gamma.take_snapshot() == before
    world.chain.certify(*first.values())
    assert world.foresee() == {}
    assert world.speculation.size == 0
