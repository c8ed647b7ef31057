"""Set up one devnet with a split rollup: its bundles, what its blocks say of them, and its executors to hurt."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.decisions import DecisionLog
from scripts.fault_injection.markers import Marker, MarkerWallet
from scripts.fault_injection.report import Report

SPLIT = "gamma"
ROLLUPS = "alpha,beta:transfer,gamma:transfer:split=3"
DECIDE_WITHIN = 20
"""Heights to the timeout: F + 5 = 6 is the least; an idle network makes two heights a second."""
DECIDED_SECONDS_MAX = 60.0
STEP_SECONDS_MAX = 30.0


class Scene:
    """One devnet with a split rollup, its markers and what its blocks say."""

    def __init__(self, cluster: Cluster, folder: Path, report: Report) -> None:
        self.cluster = cluster
        self.wallet = MarkerWallet(cluster, folder / "markers.jsonl")
        self.log = DecisionLog()
        self.report = report
        self.figures: dict[str, object] = {}

    def sign(
        self,
        rollups: Sequence[str],
        count: int,
        *,
        decide_within: int = DECIDE_WITHIN,
        false_on: str | None = None,
        moved: int = 0,
        sent: int = 0,
    ) -> list[Marker]:
        """Return so many bundles over the rollups; native ones are decided at once."""
        within = decide_within if SPLIT in rollups else 0
        return [
            self.wallet.sign(rollups, decide_within=within, false_on=false_on, moved=moved, sent=sent)
            for _ in range(count)
        ]

    def catch_up(self) -> None:
        """Read on to the newest block."""
        self.log.catch_up(self.cluster, self.cluster.names)

    def is_decided(self, ids: Sequence[str]) -> bool:
        """Tell whether all of the bundles are."""
        self.catch_up()
        return not self.log.find_open(ids)

    def is_all_open(self, ids: Sequence[str]) -> bool:
        """Tell whether all of the bundles are ordered and none is decided."""
        self.catch_up()
        return all(one in self.log.ordered for one in ids) and len(self.log.find_open(ids)) == len(ids)

    def get_settled(self) -> int:
        """Return the split rollup's settled height as last certified, at the newest block."""
        self.catch_up()
        return self.log.settled[SPLIT][-1]

    def send_and_wait(self, markers: Sequence[Marker]) -> list[str]:
        """Hand the bundles in and return their ids once all are decided."""
        self.wallet.send(markers)
        ids = [marker.id for marker in markers]
        wait_until(partial(self.is_decided, ids), DECIDED_SECONDS_MAX, f"{len(ids)} bundles are decided")
        return ids

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to every executor."""
        for name in self.cluster.executor_names:
            self.cluster.kill(name, number)

    def restart(self, names: Sequence[str]) -> None:
        """Start executors again and wait until they are in step."""
        for name in names:
            self.cluster.restart(name)
        for name in names:
            in_step = partial(self.cluster.is_in_step, name, self.cluster.names)
            wait_until(in_step, STEP_SECONDS_MAX, f"{name} in step")
