"""Decide who of a seed's validators is Byzantine, and whom a fault may damage beyond the crash model.

Both together have power at most F, unless more Byzantine validators are asked for than that
allows; then nobody else is damaged, and safety may break, as it should.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cast:
    """The roles of one seed."""

    byzantine: frozenset[int]
    """Validators that run a behaviour; no promise is made to them or by them."""
    fragile: frozenset[int]
    """Validators whose vote log may rot or lose a sync, and whose wall clock may run beyond the drift."""


def draw_cast(rng: random.Random, powers: tuple[int, ...], byzantine_count: int) -> Cast:
    """Draw Byzantine validators, of power at most F if the count allows it, and fragile ones for what is left of F."""
    f = (sum(powers) - 1) // 3
    order = rng.sample(range(len(powers)), len(powers))
    byzantine = _pick(order, powers, f, byzantine_count)
    if len(byzantine) < byzantine_count:
        by_power = sorted(order, key=lambda index: powers[index])
        byzantine = frozenset(by_power[:byzantine_count])
    left = f - sum(powers[index] for index in byzantine)
    others = [index for index in order if index not in byzantine]
    return Cast(byzantine, _pick(others, powers, left, len(others)))


def _pick(order: list[int], powers: tuple[int, ...], power_max: int, count_max: int) -> frozenset[int]:
    """Take validators in `order` as long as neither bound is passed."""
    chosen: list[int] = []
    for index in order:
        if len(chosen) < count_max and sum(powers[other] for other in chosen) + powers[index] <= power_max:
            chosen.append(index)
    return frozenset(chosen)
