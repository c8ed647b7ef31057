"""Bound what clients may cost: sizes, rates, times and counts, in one place."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from sequencer.errors import LocalError

ADDRESSES_MAX = 4_096
"""Source addresses whose rate is remembered; beyond it the one that was quiet longest is forgotten."""


@dataclass(frozen=True, slots=True)
class RpcLimits:
    """What one node grants all its clients together, or each source address."""

    connections_max: int = 640
    """Open connections; at the limit the one that was idle longest is closed, if none is the new one is. 1..4,096."""
    idle_seconds_max: float = 10.0
    """A connection without a complete request header for this long is closed (covers slow headers). 0.1..600."""
    request_seconds_max: float = 10.0
    """From the header to the answer; then error -32002. 0.1..600."""
    write_seconds_max: float = 10.0
    """One write to a client that does not read; then the connection is closed. 0.1..600."""
    header_bytes_max: int = 16_384
    """Request line and headers; beyond it HTTP 431. 1,024..65,536."""
    body_bytes_max: int = 1 << 20
    """Request body; beyond it HTTP 413. 1,024..16 MiB."""
    large_body_bytes: int = 16_384
    """A body above this takes a share of `body_budget_bytes` while it is read."""
    body_budget_bytes: int = 16 << 20
    """Bytes of large bodies being read at one time; beyond it HTTP 503. ≥ `body_bytes_max`."""
    requests_max: int = 64
    """Requests being answered at one time, a batch counts once; beyond it HTTP 503. 1..1,024."""
    streams_max: int = 64
    """Open event streams; beyond it HTTP 503. 1..1,024."""
    rate_per_second: float = 2_000.0
    """Units granted to a source address per second: one per call, per item and per started KiB of body. > 0."""
    rate_burst: float = 8_000.0
    """Units that a quiet address saves up; ≥ 2,026, so that one full submission passes."""
    batch_calls_max: int = 100
    """Calls of one JSON-RPC batch."""
    answer_bytes_max: int = 2 << 20
    """Bytes of one answer, about 20 ms of work; further calls of a batch get -32005, lists are cut and say `next`."""


class RateLimiter:
    """Grants units to each source address from a bucket that refills with time."""

    def __init__(self, rate_per_second: float, burst: float) -> None:
        if rate_per_second <= 0 or burst < 1:
            raise LocalError("rate_per_second must be above 0 and rate_burst at least 1")
        self._rate = rate_per_second
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, units: float, now: float) -> float:
        """Take `units`; return 0, or if they are not there the seconds until they will be (nothing is taken)."""
        level, then = self._buckets.pop(address, (self._burst, now))
        level = min(self._burst, level + (now - then) * self._rate)
        is_granted = level >= units
        self._buckets[address] = (level - units if is_granted else level, now)
        if len(self._buckets) > ADDRESSES_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if is_granted else (units - level) / self._rate


class Budget:
    """Counts something that is in use, up to a limit; `take` refuses beyond it and counts refusals."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0
        self.refused = 0

    def take(self, amount: int = 1) -> bool:
        """Take `amount` and tell whether it was there."""
        if self.used + amount > self._limit:
            self.refused += 1
            return False
        self.used += amount
        return True

    def give_back(self, amount: int = 1) -> None:
        """Return what was taken."""
        self.used -= amount
