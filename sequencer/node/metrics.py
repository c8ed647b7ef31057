"""Collect one node's numbers for `GET /metrics`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from p2p.network import Network
from sequencer.node.driver import Driver
from sequencer.node.followers import Followers
from sequencer.node.rollup_status import describe_rollups
from sequencer.replica.replica import Replica
from sequencer.rpc.queries import Metric
from sequencer.store.node_store import NodeStore
from sequencer.types.genesis import Genesis


class MetricsCollector:
    """Asks every part; cheap enough for one scrape per second."""

    def __init__(
        self,
        genesis: Genesis,
        replica: Replica,
        driver: Driver,
        store: NodeStore,
        network: Network,
        followers: Followers,
        counters: Sequence[Mapping[str, int]],
    ) -> None:
        self._genesis = genesis
        self._replica = replica
        self._driver = driver
        self._store = store
        self._network = network
        self._followers = followers
        self._counters = counters

    def collect(self) -> tuple[Metric, ...]:
        """Return all samples, those of one name together."""
        return (
            *self._collect_progress(),
            *self._collect_rollups(),
            *self._collect_store(),
            *self._collect_followers(),
            *self._collect_events(),
        )

    def _collect_progress(self) -> Iterator[Metric]:
        statistics = self._replica.get_statistics()
        network = self._network.get_statistics()
        yield Metric("sequencer_view", "gauge", "Current view.", statistics.view)
        yield Metric("sequencer_finalized_height", "gauge", "Highest finalized height.", statistics.finalized_height)
        yield Metric("sequencer_executed_height", "gauge", "Highest executed height.", statistics.executed_height)
        yield Metric("sequencer_certified_height", "gauge", "Highest certified height.", statistics.certified_height)
        yield Metric("sequencer_mempool_items", "gauge", "Items held and not executed.", statistics.mempool_size)
        yield Metric("sequencer_peers", "gauge", "Validators connected.", len(statistics.peers))
        yield Metric("sequencer_followers", "gauge", "Open connections of strangers.", network.strangers)
        is_signing = statistics.role == "validator" and statistics.alarm is None
        yield Metric("sequencer_is_signing", "gauge", "1 while this node signs.", float(is_signing))

    def _collect_rollups(self) -> Iterator[Metric]:
        statuses = describe_rollups(self._genesis, self._replica.executor, self._replica.executor.height)
        labelled = [(status, {"rollup": self._genesis.get_rollup(status.rollup).name}) for status in statuses]
        settled = "Highest height at or below which nothing of the rollup is undecided, where it is executed."
        for status, labels in labelled:
            if status.settled_height is not None:
                yield Metric("sequencer_settled_height", "gauge", settled, status.settled_height, labels)
        for status, labels in labelled:
            yield Metric(
                "sequencer_suspended", "gauge", "1 while a rollup is suspended.", float(status.is_suspended), labels
            )
        for status, labels in labelled:
            yield Metric(
                "sequencer_frozen", "gauge", "1 while an executor shows nothing.", float(status.is_frozen), labels
            )

    def _collect_store(self) -> Iterator[Metric]:
        store, outbox = self._store.get_statistics(), self._driver.outbox
        yield Metric("sequencer_store_syncs_total", "counter", "Syncs of file data.", store.sync_count)
        yield Metric("sequencer_store_groups_total", "counter", "Groups of effects written.", outbox.groups)
        yield Metric("sequencer_store_segments", "gauge", "Block segments on disk.", store.block_segments)
        yield Metric(
            "sequencer_store_group_seconds_max", "gauge", "Longest time of one group.", outbox.sync_seconds_max
        )
        yield Metric("sequencer_inbox_waits_total", "counter", "Times a source waited.", self._driver.inbox.waits)
        yield Metric("sequencer_outbox_waits_total", "counter", "Times the disk held the core up.", outbox.waits)

    def _collect_followers(self) -> Iterator[Metric]:
        help_text = "Lowest height whose block a connected follower asked for, by peer id."
        for peer_id, height in sorted(self._followers.lowest_asked.items()):
            yield Metric("sequencer_follower_lowest_height_asked", "gauge", help_text, height, {"peer": peer_id})

    def _collect_events(self) -> Iterator[Metric]:
        sources: tuple[Mapping[str, int], ...] = (
            self._replica.get_statistics().counters,
            self._network.get_statistics().counters,
            self._store.get_statistics().counters,
            self._driver.counters,
            self._followers.counters,
            *self._counters,
        )
        for counters in sources:
            for name in sorted(counters):
                help_text = "Limits reached and things counted, by name."
                yield Metric("sequencer_events_total", "counter", help_text, counters[name], {"event": name})
