"""Dials back off within their bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2p.backoff import compute_dial_delay


def test_delay_without_jitter_doubles_to_half_the_bound() -> None:
    """0.5 s, 1 s, 2 s, then 2.5 s of the bound of 5 s."""
    assert [compute_dial_delay(attempt, 0.0, 0.5, 5.0) for attempt in range(5)] == [0.5, 1.0, 2.0, 2.5, 2.5]


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_delay_stays_within_its_bounds(attempt: int, random_value: float) -> None:
    """However often a dial failed, the pause lies between 0.5 and 5 s."""
    assert 0.5 <= compute_dial_delay(attempt, random_value, 0.5, 5.0) <= 5.0


def test_jitter_spreads_delays() -> None:
    """Two nodes that failed together come back apart."""
    assert compute_dial_delay(0, 0.9, 0.5, 5.0) > compute_dial_delay(0, 0.1, 0.5, 5.0)
