"""Thresholds come from power, never from counting to 2F+1; leaders take turns by power. # G1 E7"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from sequencer.errors import LocalError
from sequencer.types.committee import Committee, Validator
from tests.unit.core_world import make_signer, name_digest

STRONG = {1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5, 8: 6, 9: 7, 10: 7}
WEAK = {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 2, 7: 3, 8: 3, 9: 3, 10: 4}


def make_committee(*powers: int, seed: str = "seed") -> Committee:
    members = tuple(Validator(f"v{i}", make_signer(i).public_key, power) for i, power in enumerate(powers))
    return Committee(0, members, name_digest(seed))


@pytest.mark.parametrize(("size", "strong"), STRONG.items())
def test_G1_strong_threshold_for_equal_power(size: int, strong: int) -> None:
    """W - F validators are strong and one fewer is not."""
    committee = make_committee(*(1,) * size)
    assert (committee.is_strong(range(strong)), committee.is_strong(range(strong - 1))) == (True, False)


@pytest.mark.parametrize(("size", "weak"), WEAK.items())
def test_G1_weak_threshold_for_equal_power(size: int, weak: int) -> None:
    """F + 1 validators are weak and one fewer is not."""
    committee = make_committee(*(1,) * size)
    assert (committee.is_weak(range(weak)), committee.is_weak(range(weak - 1))) == (True, False)


@pytest.mark.parametrize(
    "powers", [(1,) * n for n in range(1, 9)] + [(5, 1, 1), (3, 2, 2, 2), (10, 1, 1, 1, 1), (7, 7, 7, 1)]
)
def test_G1_two_strong_sets_share_an_honest_member(powers: tuple[int, ...]) -> None:
    """Any two strong sets overlap in more than F power."""
    committee = make_committee(*powers)
    sets = [set(c) for k in range(len(powers) + 1) for c in combinations(range(len(powers)), k)]
    strong = [s for s in sets if committee.is_strong(s)]
    assert all(committee.get_power(a & b) > committee.fault_power for a in strong for b in strong)


@pytest.mark.parametrize("powers", [(1, 1, 1, 1), (1,) * 7, (3, 2, 2, 2), (10, 1, 1, 1, 1), (100, 1)])
def test_G1_honest_validators_alone_are_strong(powers: tuple[int, ...]) -> None:
    """Whoever is left when F power is silent can go on."""
    committee = make_committee(*powers)
    faulty = [i for i in range(len(powers)) if powers[i] <= committee.fault_power]
    assert all(committee.is_strong(j for j in range(len(powers)) if j != i) for i in faulty)


def test_G1_unequal_power_counts_power_not_heads() -> None:
    """One validator with 10 of 14 is strong alone; the other four are not even weak."""
    committee = make_committee(10, 1, 1, 1, 1)
    assert (committee.is_strong([0]), committee.is_weak([1, 2, 3, 4])) == (True, False)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 10])
def test_E7_equal_power_gives_every_leader_one_slot_in_n(size: int) -> None:
    """Any n consecutive views have n different leaders."""
    committee = make_committee(*(1,) * size)
    assert all(len({committee.get_leader(v) for v in range(s, s + size)}) == size for s in range(1, 40))


def test_E7_unequal_power_gives_slots_in_proportion() -> None:
    """Over a whole table each leader has as many slots as its power demands."""
    committee = make_committee(4, 2, 1, 1)
    counts = Counter(committee.get_leader(view) for view in range(64))
    assert counts == {0: 32, 1: 16, 2: 8, 3: 8}


def test_E7_seed_permutes_the_order() -> None:
    """Another epoch seed gives another order of leaders."""
    orders = {tuple(make_committee(*(1,) * 7, seed=str(s)).get_leader(v) for v in range(7)) for s in range(20)}
    assert len(orders) > 10


@pytest.mark.parametrize("powers", [(1,) * 4, (1,) * 7, (1,) * 10, (4, 2, 1, 1), (3, 3, 2, 2, 1, 1)])
def test_T1_leader_gap_bounds_every_faulty_run(powers: tuple[int, ...]) -> None:
    """No set of power ≤ F owns more consecutive slots than F' says."""
    committee = make_committee(*powers)
    sets = [set(c) for k in range(1, len(powers)) for c in combinations(range(len(powers)), k)]
    faulty = [s for s in sets if committee.get_power(s) <= committee.fault_power]
    leaders = [committee.get_leader(view) for view in range(16 * len(powers) * 2)]
    longest = 0
    for chosen in faulty:
        run = 0
        for leader in leaders:
            run = run + 1 if leader in chosen else 0
            longest = max(longest, run)
    assert longest <= committee.leader_gap_max


def test_committee_unknown_name_raises() -> None:
    """Asking for nobody is the caller's error."""
    with pytest.raises(LocalError, match="nobody"):
        make_committee(1).get_index("nobody")


def test_committee_digest_binds_every_power() -> None:
    """The validators hash of a commitment changes with any power."""
    assert make_committee(1, 1).digest != make_committee(1, 2).digest
