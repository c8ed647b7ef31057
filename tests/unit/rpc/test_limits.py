"""Rates and budgets grant what they say, and no more."""

from __future__ import annotations

import pytest

from sequencer.errors import LocalError
from sequencer.rpc.limits import ADDRESSES_MAX, Budget, RateLimiter


def test_burst_is_granted_and_then_the_rate() -> None:
    """An empty bucket tells how long to wait, and waiting that long is enough."""
    limiter = RateLimiter(10, 5)
    assert [limiter.take("a", 1, 0.0) for _ in range(5)] == [0.0] * 5
    wait = limiter.take("a", 1, 0.0)
    assert wait == pytest.approx(0.1)
    assert limiter.take("a", 1, wait) == 0.0


def test_refused_units_are_not_taken() -> None:
    """A client that asks for too much can still have less."""
    limiter = RateLimiter(1, 5)
    assert limiter.take("a", 6, 0.0) > 0
    assert limiter.take("a", 5, 0.0) == 0.0


def test_addresses_do_not_share_a_bucket() -> None:
    """One greedy address costs nobody else anything."""
    limiter = RateLimiter(1, 1)
    assert (limiter.take("a", 1, 0.0), limiter.take("b", 1, 0.0)) == (0.0, 0.0)


def test_table_of_addresses_is_bounded() -> None:
    """The address that was quiet longest is forgotten, and starts anew."""
    limiter = RateLimiter(1, 1)
    limiter.take("first", 1, 0.0)
    for number in range(ADDRESSES_MAX):
        limiter.take(str(number), 1, 0.0)
    assert limiter.take("first", 1, 0.0) == 0.0


def test_rate_of_zero_is_refused() -> None:
    """It would never grant anything."""
    with pytest.raises(LocalError):
        RateLimiter(0, 1)


def test_budget_refuses_beyond_its_limit_and_counts() -> None:
    """What is given back can be taken again."""
    budget = Budget(2)
    assert (budget.take(2), budget.take(), budget.refused) == (True, False, 1)
    budget.give_back()
    assert budget.take()
