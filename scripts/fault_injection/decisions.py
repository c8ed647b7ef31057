"""Follow the raw blocks of a devnet: at which height was each bundle ordered, at which decided, and as what?"""

from __future__ import annotations

import http.client
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.fault_injection.cluster import Cluster

BLOCKS_PER_CALL = 50
SYSTEM = 0
"""Namespace under which every item has its envelope."""
BEAT = 3
"""Kind of the item that lifts a suspension."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a bundle came to, and when."""

    height: int
    outcome: str
    """COMMIT or ABORT."""
    reason: str


class DecisionLog:
    """All that the blocks of a network said about bundles and settled heights."""

    def __init__(self) -> None:
        self.height = 0
        self.ordered: dict[str, int] = {}
        """Id → height at which the bundle was admitted."""
        self.refused: dict[str, str] = {}
        """Id → reason of what was ordered and not admitted."""
        self.decided: dict[str, Decided] = {}
        self.settled: dict[str, list[int]] = {}
        """Rollup → settled height in the row of each height, from 1 on."""
        self.beats: list[int] = []
        """Heights at which a beat took effect, ascending."""

    def add(self, block: dict[str, Any]) -> None:
        """Take in the next block."""
        self.height = int(block["height"])
        for result in block["results"]:
            if result["status"] == "inadmissible":
                self.refused.setdefault(result["id"], result["reason"])
            else:
                self.ordered.setdefault(result["id"], self.height)
        for outcome in block["outcomes"]:
            told = Decided(self.height, outcome["outcome"], outcome["reason"])
            self.decided.setdefault(outcome["id"], told)
        self._add_beats(block)
        for entry in block["rollups"]:
            if entry["settled_height"] is not None:
                self.settled.setdefault(entry["rollup"], []).append(entry["settled_height"])

    def _add_beats(self, block: dict[str, Any]) -> None:
        """Find the items whose envelope (an array that begins with the kind) is of a beat, and that took effect."""
        envelopes = [leaf for entry in block["rollups"] if entry["id"] == SYSTEM for leaf in entry["leaves"]]
        for leaf, result in zip(envelopes, block["results"], strict=True):
            if bytes.fromhex(leaf[2:])[1] == BEAT and result["status"] == "committed":
                self.beats.append(self.height)

    def catch_up(self, cluster: Cluster, names: Sequence[str]) -> None:
        """Read on to the newest block of the first of the nodes that answers."""
        for name in names:
            try:
                self._catch_up(cluster, name)
            except (OSError, http.client.HTTPException):
                continue
            return
        raise ConnectionError(f"none of {', '.join(names)} answers")

    def _catch_up(self, cluster: Cluster, name: str) -> None:
        while True:
            start = self.height + 1
            told = cluster.call(name, "seq_getBlocks", **{"from": start, "until": start + BLOCKS_PER_CALL})
            for block in told["blocks"]:
                self.add(block)
            if not told["blocks"]:
                return

    def find_open(self, ids: Iterable[str]) -> list[str]:
        """Return which of the bundles are not decided; one that was refused (out of order, say) may come again."""
        return [one for one in ids if one not in self.decided]

    def count(self, ids: Iterable[str]) -> dict[str, int]:
        """Return how often each outcome came, aborts by their reason up to the rollup."""
        counts: dict[str, int] = {}
        for one in ids:
            if one in self.decided:
                told = self.decided[one]
                name = told.outcome if told.outcome == "COMMIT" else ":".join(told.reason.split(":")[:2])
            else:
                name = self.refused.get(one, "open")
            counts[name] = counts.get(name, 0) + 1
        return counts

    def get_latencies(self, ids: Iterable[str]) -> list[int]:
        """Return heights from order to decision of those that are decided, ascending."""
        return sorted(self.decided[one].height - self.ordered[one] for one in ids if one in self.decided)


def compute_percentile(values: Sequence[int], percent: int) -> int:
    """Return the smallest of the ascending values that at least so many per cent do not exceed."""
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]
