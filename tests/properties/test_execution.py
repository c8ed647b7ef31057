"""Random logs: the executor agrees with the reference, and each planted fault is noticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.execution import conditions, outcome_window, system_state
from sequencer.execution.evaluation import Evaluation
from sequencer.execution.executor import Executor
from sequencer.execution.machines import access, amm
from sequencer.state.journal import Journal
from sequencer.types.outcome import Status
from tests.execution_world import GENESIS, World
from tests.properties.execution_log import check_log, make_log

SEEDS = st.integers(0, 2**32 - 1)
CONTROL_SEEDS = range(25)
"""A planted fault must show within so many logs."""


@settings(max_examples=80, derandomize=True, deadline=None)
@given(SEEDS)
def test_random_log_equals_the_reference_and_keeps_every_invariant(seed: int) -> None:
    """Results, states, all-or-nothing, conservation, totality, block by block. # A4 A8 A17"""
    check_log(seed)


def test_random_logs_reach_every_kind_of_result() -> None:
    """Control of the workload: a reason that never occurs is not tested."""
    seen = check_logs(range(60))
    reasons = {"COMMIT", "MALFORMED", "WRONG_CHAIN", "BAD_DECIDE_WITHIN", "BAD_SIGNATURE", "SEQUENCE_USED"}
    reasons |= {"SEQUENCE_GAP", "NOT_YET_VALID", "EXPIRED", "UNFUNDED", "ACCESS", "BAD_ARGUMENT", "BAD_KEY"}
    reasons |= {"INSUFFICIENT", "NOT_AN_AMOUNT", "NO_OUTPUT", "OVERFLOW", "SLIPPAGE", "UNKNOWN_OPERATION", "NO_POOL"}
    reasons |= {"NOT_EQUAL", "TOO_LOW", "OUT_OF_RANGE", "NOT_SIGNER", "WRONG_NONCE", "OUTSIDE_HEIGHTS", "OUTSIDE_TIMES"}
    assert reasons - set(seen) == set()
    assert sum(len(reason) == 64 for reason in seen) > 0, "no abort by DEP"
    assert seen["COMMIT"] > sum(seen.values()) // 4


@settings(max_examples=15, derandomize=True, deadline=None)
@given(SEEDS)
def test_slices_of_any_size_give_the_same_blocks(seed: int) -> None:
    """Where execution pauses changes nothing, not even a root."""
    log = make_log(seed)
    worlds = [World(), World(), World()]
    for items in log:
        for world, slice_size in zip(worlds, (1, 5, 1_000), strict=True):
            world.execute_items(items, slice_size)
    assert worlds[0].blocks == worlds[1].blocks == worlds[2].blocks


@settings(max_examples=15, derandomize=True, deadline=None)
@given(SEEDS)
def test_restore_in_the_middle_of_a_log_gives_the_same_commitments(seed: int) -> None:
    """A node that restarts computes what it would have computed. # R1"""
    log, cut = make_log(seed), Random(seed).randrange(10)
    whole, restarted = World(), World()
    for height, items in enumerate(log):
        if height == cut:
            snapshot, header = restarted.executor.take_snapshot(), restarted.executor.header
            restarted.executor = Executor.restore(GENESIS, snapshot, header)
        assert restarted.execute_items(items) == whole.execute_items(items)
    assert restarted.executor.take_snapshot() == whole.executor.take_snapshot()


def _keep_everything(journal: Journal, mark: int) -> None:
    """Mutant of Journal.revert."""


def _revert_half(journal: Journal, mark: int) -> None:
    """Mutant: one write survives."""
    while journal.mark() > mark + 1:
        key, previous = journal._undo.pop()
        journal._writes[key] = None if not isinstance(previous, int | bytes) else previous


MUTANTS: dict[str, tuple[object, str, Callable[..., object]]] = {
    "abort reverts nothing (A8)": (Journal, "revert", _keep_everything),
    "abort reverts not all (A8)": (Journal, "revert", _revert_half),
    "the highest rollup is named (A8)": (
        Evaluation,
        "get_refusal",
        lambda self: self.failures[max(self.failures)] if self.failures else None,
    ),
    "every verdict is YES (A8)": (Evaluation, "get_refusal", lambda self: None),
    "unknown deps count as committed (A16)": (
        outcome_window.OutcomeWindow,
        "get_status",
        lambda self, dep: Status.COMMIT,
    ),
    "fees are free (A17)": (system_state, "compute_fee", lambda *arguments: 0),
    "sequences are not checked (A6)": (system_state, "check_admission", lambda *arguments: None),
    "access is not checked (A7)": (access.LegState, "get", lambda self, key: self.journal.get(key)),
    "nonces are not consumed (A6)": (conditions, "_consume_nonce", lambda state, account, nonce: None),
    "pools take no fee": (amm, "compute_out", lambda x, y, amount: y * amount // (x + amount)),
    "credit is forgotten": (amm, "credit", lambda state, asset, to, amount: None),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_planted_fault_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the same logs that pass on the real executor fail on each mutant."""
    target, attribute, mutant = MUTANTS[name]
    monkeypatch.setattr(target, attribute, mutant)
    with pytest.raises(AssertionError):
        check_logs(CONTROL_SEEDS)


def check_logs(seeds: Iterable[int]) -> Counter[str]:
    """Check one log per seed; returns how often each kind of result occurred."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        seen += check_log(seed)
    return seen
