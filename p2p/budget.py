"""Bound what each origin of gossip may publish: a bucket of bytes that fills with time. Pure."""

from __future__ import annotations

from collections import OrderedDict

from p2p.protocols import (
    GOSSIP_MESSAGE_COST_BYTES,
    GOSSIP_ORIGIN_BURST_BYTES,
    GOSSIP_ORIGIN_BYTES_PER_SECOND,
    GOSSIP_ORIGINS_MAX,
)


class OriginBudget:
    """One bucket per origin; at most `GOSSIP_ORIGINS_MAX`, the longest unused one goes first."""

    def __init__(
        self,
        bytes_per_second: int = GOSSIP_ORIGIN_BYTES_PER_SECOND,
        burst_bytes: int = GOSSIP_ORIGIN_BURST_BYTES,
    ) -> None:
        self._bytes_per_second = bytes_per_second
        self._burst_bytes = burst_bytes
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, origin: str, size: int, now: float) -> bool:
        """Take the cost of one message of `size` bytes; False, and nothing taken, when too little is left."""
        level, then = self._buckets.get(origin, (float(self._burst_bytes), now))
        level = min(float(self._burst_bytes), level + (now - then) * self._bytes_per_second)
        cost = size + GOSSIP_MESSAGE_COST_BYTES
        is_allowed = cost <= level
        self._buckets[origin] = (level - cost if is_allowed else level, now)
        self._buckets.move_to_end(origin)
        if len(self._buckets) > GOSSIP_ORIGINS_MAX:
            self._buckets.popitem(last=False)
        return is_allowed
