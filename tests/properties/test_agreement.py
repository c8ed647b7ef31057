"""No fork whatever a traitor sends and whoever dies when; and progress once it falls silent."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from sequencer.consensus import voting_rules
from sequencer.consensus.view_record import ViewRecord
from sequencer.errors import InvariantViolation
from sequencer.types.committee import Committee
from sequencer.types.primitives import ValidatorIndex, View
from sequencer.types.records import RecordKind
from tests.properties.traitor import TRAITOR, Life, Trial

SEEDS = 30


@pytest.mark.parametrize("seed", range(SEEDS))
def test_agreement_holds_against_a_traitor_and_crashes(seed: int) -> None:
    """No contradicting certificates, no fork, nobody correct blamed, and progress. # I1 I2 I3 I4 I7 I9 I12"""
    assert find_break(seed) == []


def test_traitor_is_proven_faulty_in_many_ways() -> None:
    """Control of the finding: the same trials prove what the traitor did, and who. # X1 X2 X3 X4"""
    proven: set[tuple[str, int]] = set()
    for seed in range(12):
        trial = Trial(seed)
        trial.run()
        proven |= {(kind.rule, signer) for (kind, signer, _), is_true in trial.proven.items() if is_true}
    assert {signer for _, signer in proven} == {TRAITOR}
    assert {rule for rule, _ in proven} >= {"X1", "X2", "X3", "X4"}


def finalize_whenever(record: ViewRecord, current_view: View, finalized_view: View, highest_logged_view: View) -> bool:
    """Planted: V12 without its ban on finalize after nullify, and at any time."""
    return record.view > finalized_view and RecordKind.FINALIZE not in record.own


def count_two(committee: Committee, signers: Iterable[ValidatorIndex]) -> bool:
    """Planted: two of four are strong."""
    return committee.get_power(signers) >= 2


def forget_headers(life: Life) -> None:
    """Planted: the headers that votes name do not survive a crash."""
    life.headers.clear()


def forget_log(life: Life) -> None:
    """Planted: the vote log does not survive a crash."""
    life.log.clear()
    life.certificates.clear()


@pytest.mark.parametrize(
    ("owner", "name", "planted"),
    [
        (voting_rules, "may_finalize", finalize_whenever),
        (Committee, "is_strong", count_two),
        (Life, "read_disk", forget_log),
        (Life, "read_disk", forget_headers),
    ],
    ids=["finalize after nullify", "strong is two", "log lost", "headers lost"],
)
def test_planted_bug_is_found_by_some_seed(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, planted: Callable[..., object]
) -> None:
    """Control: each rule that is taken away is missed."""
    monkeypatch.setattr(owner, name, planted)
    assert any(find_break(seed) for seed in range(SEEDS))


def find_break(seed: int) -> list[str]:
    """Run a seed; return what it broke, a broken invariant of the code included."""
    trial = Trial(seed)
    try:
        trial.run()
        found = trial.find_violations()
        return found if found or trial.heal() else ["no progress after the traitor fell silent"]
    except InvariantViolation as error:
        return [str(error)]
