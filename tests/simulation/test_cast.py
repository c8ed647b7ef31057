"""The roles of a seed stay within F, counted by power."""

from __future__ import annotations

import random

import pytest

from sequencer.simulation.cast import draw_cast


@pytest.mark.parametrize("powers", [(1,) * 4, (1,) * 6, (1,) * 10, (1, 2, 3, 4), (5, 1, 1, 1)])
@pytest.mark.parametrize("byzantine", [0, 1])
def test_cast_of_any_seed_has_power_of_at_most_f(powers: tuple[int, ...], byzantine: int) -> None:
    """Byzantine and fragile validators are disjoint and have power ≤ F together."""
    f = (sum(powers) - 1) // 3
    for seed in range(50):
        cast = draw_cast(random.Random(seed), powers, byzantine)
        assert len(cast.byzantine) == byzantine
        assert not cast.byzantine & cast.fragile
        assert sum(powers[index] for index in cast.byzantine | cast.fragile) <= f


def test_cast_with_more_byzantine_than_f_allows_spares_everybody_else() -> None:
    """Two of four are possible when asked for; then no fault adds a third."""
    cast = draw_cast(random.Random(1), (1, 1, 1, 1), 2)
    assert (len(cast.byzantine), cast.fragile) == (2, frozenset())
