"""Say how long to wait before the next dial. Pure: the random value comes from the caller."""

from __future__ import annotations


def compute_dial_delay(attempt: int, random_value: float, seconds_min: float, seconds_max: float) -> float:
    """Return the pause after failure number `attempt` (0 is the first), in seconds, between the two bounds.

    The least pause doubles from `seconds_min` to half of `seconds_max`; `random_value` in [0, 1)
    adds up to as much again, so that nodes that failed together do not come back together.
    """
    doubled = seconds_min * 2.0 ** min(attempt, 32)
    return min(min(doubled, seconds_max / 2.0) * (1.0 + random_value), seconds_max)
