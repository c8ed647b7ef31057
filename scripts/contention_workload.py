"""Draw the transactions of the contention experiments: positions and keys, whatever design handles them.

Every leg pays 1 from its signer to a receiver of its rollup, so it touches two accounts. The receiver of a plain
transaction, and of the first leg of a bundle, is with the probability `hot` the one hot account of the rollup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import TypeAlias

HOT = 0
"""Number of the hot account of each rollup."""
ACCOUNTS = 1_000
"""Accounts that sign and receive, besides the hot one."""
REFUSED_SHARE = 0.03
"""Share of bundles' legs that must refuse."""

Key: TypeAlias = tuple[int, int]
"""A rollup and an account on it."""


@dataclass(frozen=True, slots=True)
class DrawnLeg:
    """A payment on one rollup."""

    rollup: int
    receiver: int
    is_refused: bool = False


@dataclass(frozen=True)
class Item:
    """A transaction of one leg, or a bundle of two."""

    number: int
    """From 0, in the order of positions."""
    signer: int
    legs: tuple[DrawnLeg, ...]
    more_keys: tuple[Key, ...] = ()
    """Keys that are held for those who wait behind this item."""

    @property
    def is_bundle(self) -> bool:
        """Whether it touches several rollups."""
        return len(self.legs) > 1

    @property
    def is_refused(self) -> bool:
        """Whether a leg must refuse, so that no design may commit it."""
        return any(leg.is_refused for leg in self.legs)

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """Every account that it touches."""
        touched = [(leg.rollup, account) for leg in self.legs for account in (self.signer, leg.receiver)]
        return tuple(dict.fromkeys((*touched, *self.more_keys)))

    def with_keys(self, keys: Sequence[Key]) -> Item:
        """Return the item holding these keys too."""
        return replace(self, more_keys=(*self.more_keys, *keys))


@dataclass(frozen=True, slots=True)
class Shape:
    """What is drawn per height."""

    heights: int
    hot: float
    plain: int
    bundles: int
    rollups: int


def draw_blocks(shape: Shape, random: Random) -> list[list[Item]]:
    """Return the items of every height, in the order of their positions."""
    blocks: list[list[Item]] = []
    number = 0
    for _ in range(shape.heights):
        kinds = [False] * shape.plain + [True] * shape.bundles
        random.shuffle(kinds)
        blocks.append([])
        for is_bundle in kinds:
            blocks[-1].append(_draw(shape, random, number, is_bundle))
            number += 1
    return blocks


def _draw(shape: Shape, random: Random, number: int, is_bundle: bool) -> Item:
    signer = random.randint(1, ACCOUNTS)
    rollups = random.sample(range(1, shape.rollups + 1), 2 if is_bundle else 1)
    legs = []
    for place, rollup in enumerate(rollups):
        is_hot = place == 0 and random.random() < shape.hot
        others = [
            account for account in (random.randint(1, ACCOUNTS), random.randint(1, ACCOUNTS)) if account != signer
        ]
        receiver = HOT if is_hot or not others else others[0]
        legs.append(DrawnLeg(rollup, receiver, is_bundle and random.random() < REFUSED_SHARE))
    return Item(number, signer, tuple(legs))


def compute_ceiling_pct(blocks: Sequence[Sequence[Item]]) -> float:
    """Return the share of bundles that no leg refuses."""
    bundles = [item for items in blocks for item in items if item.is_bundle]
    return 100 * sum(not item.is_refused for item in bundles) / len(bundles)
