"""Decide what is sent when: an open loop, fixed before the first transaction leaves.

A slow network does not slow the schedule down, so latency is counted from the time
at which a transaction was due, not from when the sender came round to it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sequencer.errors import LocalError

HOT_EVERY = 10
"""Of the bundles, one in so many draws on the hot account."""
FALSE_EVERY = 10
"""Of the bundles, one in so many carries a false condition."""
RATE_MAX = 10_000
"""Transactions per second that one sender is asked for at most."""
TRANSACTIONS_MAX = 2_000_000
"""Transactions of one run at most."""


class Kind(enum.Enum):
    """What a scheduled transaction is, and thereby what must become of it."""

    PLAIN = "plain"
    """One leg; must commit."""
    BUNDLE = "bundle"
    """Two or three legs; must commit."""
    HOT = "hot"
    """A bundle of which one leg draws on the account that all such bundles share; must commit."""
    FALSE = "false"
    """A bundle of which one leg has a condition that does not hold; must abort."""

    @property
    def is_bundle(self) -> bool:
        """Whether it touches more than one rollup."""
        return self is not Kind.PLAIN

    @property
    def must_commit(self) -> bool:
        """Whether COMMIT is the right outcome."""
        return self is not Kind.FALSE


@dataclass(frozen=True, slots=True)
class Due:
    """One transaction of the schedule."""

    number: int
    """From 0; unique in the run."""
    at_seconds: float
    """When it is due, from the start of the run."""
    kind: Kind
    lane: int
    """Which sequence it belongs to: an index over account x channel."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A whole run: `rate` transactions per second for `seconds`, `bundle_share` of them bundles."""

    rate: float
    seconds: float
    bundle_share: float
    lanes: int

    def __post_init__(self) -> None:
        if not 0 < self.rate <= RATE_MAX:
            raise LocalError(f"--rate must be above 0 and at most {RATE_MAX}, is {self.rate:g}")
        if not 0 < self.seconds * self.rate <= TRANSACTIONS_MAX:
            raise LocalError(
                f"--seconds must be above 0 and give at most {TRANSACTIONS_MAX} transactions, is {self.seconds:g}"
            )
        if not 0 <= self.bundle_share <= 1:
            raise LocalError(f"--bundles must be a share from 0 to 1, is {self.bundle_share:g}")

    @property
    def count(self) -> int:
        """Transactions of the run."""
        return max(1, round(self.rate * self.seconds))

    def get(self, number: int) -> Due:
        """Return the transaction `number`; a pure function, so nothing is stored."""
        return Due(number, number / self.rate, self._get_kind(number), number % self.lanes)

    def _get_kind(self, number: int) -> Kind:
        bundle = int((number + 1) * self.bundle_share)
        if bundle == int(number * self.bundle_share):
            return Kind.PLAIN
        if bundle % FALSE_EVERY == FALSE_EVERY // 3:
            return Kind.FALSE
        return Kind.HOT if bundle % HOT_EVERY == HOT_EVERY - 1 else Kind.BUNDLE
