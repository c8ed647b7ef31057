"""Hostile logs over split rollups: nothing raises, nothing is left over, and a restart changes nothing. # A4 A8"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.errors import StoreError
from sequencer.execution import pending, system_state
from sequencer.execution.automaton import OutcomeAutomaton
from sequencer.execution.pending_table import PendingTable
from sequencer.execution.settlement import Trial
from sequencer.types.outcome import Status
from sequencer.types.verdict import Verdict, VerdictStatement
from tests.execution_world import DEPOSIT
from tests.properties.split_log import ROLLUPS, SPLIT, WITHIN_MAX, LogWriter, make_marker
from tests.split_chain import Chain
from tests.split_world import SPLIT_GENESIS

SEEDS = st.integers(0, 2**32 - 1)
BLOCKS = 24


@settings(max_examples=40, derandomize=True, deadline=None)
@given(SEEDS)
def test_hostile_log_is_decided_in_time_alike_by_whom_and_how_often_it_is_restarted(seed: int) -> None:
    """Three nodes agree: one without delta, one that runs it, and one that restarts before every block."""
    check_log(seed)


def test_hostile_logs_reach_every_kind_of_outcome() -> None:
    """Control of the workload: what never happens is not tested."""
    seen: Counter[str] = Counter()
    for seed in range(30):
        seen += check_log(seed)
    wanted = {"COMMIT", "PENDING", "NO", "DEP", "TIMEOUT", "SUSPENDED", "STALE", "DUPLICATE", "SEQUENCE_USED"}
    assert wanted - set(seen) == set()
    often = ("COMMIT", "NO", "TIMEOUT", "STALE", "late COMMIT", "late native", "frozen")
    assert min(seen[kind] for kind in often) >= 10


_OTHER = VerdictStatement(SPLIT[0], bytes(32), Verdict.YES, "", (), bytes(32))
MUTANTS: dict[str, tuple[object, str, Callable[..., object]]] = {
    "what was held is kept (A17)": (system_state, "burn", lambda system, payer, fee, held: None),
    "an undecided bundle shows its writes (A11)": (Trial, "revert", lambda self: None),
    "deadlines are forgotten (A21)": (PendingTable, "find_due", lambda self, height: None),
    "who waits is not woken (A8)": (OutcomeAutomaton, "_wake", lambda self, entry: None),
    "a restart forgets what is certified (A9)": (pending, "_read_certificate", lambda value, path: _OTHER),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_planted_fault_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the logs that pass on the real automaton fail on each mutant."""
    target, attribute, mutant = MUTANTS[name]
    monkeypatch.setattr(target, attribute, mutant)
    with pytest.raises((AssertionError, StoreError)):
        sum(map(check_log, range(10)), Counter())


def check_log(seed: int) -> Counter[str]:
    """Run one log on three nodes; returns how often each kind of result occurred."""
    plain, runner, restarted = Chain(), Chain(runs=frozenset(SPLIT[:1])), Chain(runs=frozenset(SPLIT[:1]))
    writer, seen = LogWriter(Random(seed)), Counter[str]()
    for _ in range(BLOCKS):
        items = [plain.make_item(item) for item in writer.write(plain)]
        restarted.restart()
        blocks = [chain.execute_items(items, slice_size=3) for chain in (plain, runner, restarted)]
        assert blocks[0] == blocks[1] == blocks[2], f"nodes differ at height {blocks[0].header.height}, seed {seed}"
        assert runner.executor.get_own_row(SPLIT[0]) == restarted.executor.get_own_row(SPLIT[0])
        assert_conserved(plain)
        assert_in_time(plain)
        seen.update(result.reason.split(":")[0] or result.status.name for result in blocks[0].results)
        seen.update(describe_late(plain))
    plain.execute_empty(WITHIN_MAX)
    assert_nothing_is_left(plain)
    assert_all_or_nothing(plain, writer)
    seen["frozen"] += runner.executor.is_frozen(SPLIT[0])
    return seen


def describe_late(chain: Chain) -> list[str]:
    """Name the decisions of the newest block on what was ordered before."""
    block = chain.blocks[-1]
    late = [decision for decision in block.decisions if decision.ordered_height < block.header.height]
    kinds = [f"late {decision.status.name}" for decision in late]
    natives = [not any(verdict.rollup in SPLIT for verdict in decision.verdicts) for decision in late]
    return kinds + ["late native"] * sum(natives) + [d.reason.split(":")[0] for d in late if d.reason]


def assert_conserved(chain: Chain) -> None:
    """Deposits, what is held and what is burned add up to what the genesis gave. # A17"""
    deposits = sum(chain.executor.get_deposit(account) for account, _ in SPLIT_GENESIS.deposits)
    purse = [chain.get(0, key) or 0 for key in ("held", "burned")]
    assert deposits + sum(int(str(amount)) for amount in purse) == DEPOSIT * len(SPLIT_GENESIS.deposits)


def assert_in_time(chain: Chain) -> None:
    """Whatever is undecided has its deadline ahead. # A21"""
    undecided = [entry for entry in chain.executor.pending if entry.status is Status.PENDING]
    assert all(entry.deadline > chain.executor.height for entry in undecided)


def assert_nothing_is_left(chain: Chain) -> None:
    """After the last deadline no table holds anything: not an entry, a key, a deadline or a dep."""
    table = chain.executor._automaton._table
    assert (table.entries, dict(table._due), dict(table._dependents), chain.get(0, "held")) == ({}, {}, {}, None)
    for listed in table.rollups.values():
        counts = (listed.unsettled_count, listed.unsettled_joint_count, listed.index.key_count, len(listed.undecided))
        assert counts == (0, 0, 0, 0)


def assert_all_or_nothing(chain: Chain, writer: LogWriter) -> None:
    """A marker stands on each native rollup of a bundle iff it committed. # A8"""
    committed = {d.item_id for block in chain.blocks for d in block.decisions if d.status is Status.COMMIT}
    for number, bundle in enumerate(writer.bundles):
        for rollup in bundle.rollups:
            if rollup in ROLLUPS[:3]:
                assert chain.get(rollup, make_marker(number)) == (1 if bundle.id in committed else None)
