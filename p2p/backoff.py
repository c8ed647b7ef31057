"""Say how long to wait before the next dial. Pure: the random value comes from the caller."""

from __future__ import annotations


def compute_dial_delay(attempt: int, random_value: float, seconds_min: float, seconds_max: float) -> float:
    """Return the pause after failure number `attempt` (0 is the first), in seconds.

    Doubles from `seconds_min` up to `seconds_max`; `random_value` in [0, 1) takes away up to half,
    so that nodes that failed together do not come back together. Never below half of `seconds_min`.
    """
    doubled = seconds_min * 2.0 ** min(attempt, 32)
    return min(doubled, seconds_max) * (1.0 - random_value / 2.0)
