"""Break connections, and separate validators from each other."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from sequencer.simulation.faults.fault import Fault, FaultKind, Ground, Site

Draw = tuple[int, int, tuple[int, ...], tuple[int, ...], int]


def _draw_loss(ground: Ground) -> Draw:
    start_us, _ = ground.draw_span(300, 300)
    one, other = ground.draw_pair()
    return start_us, start_us, (one,), (other,), 0


def _inflict_loss(fault: Fault, site: Site) -> None:
    left, right = sorted((*fault.nodes, *fault.targets))
    site.network.break_connection(left, right, site.hit)


def _draw_duplicate(ground: Ground) -> Draw:
    one, other = ground.draw_pair()
    return (*ground.draw_span(2_000, 5_000), (one,), (other,), 0)


def _inflict_duplicate(fault: Fault, site: Site) -> None:
    """What arrived last before the connection broke arrives once more on the next one."""
    left, right = sorted((*fault.nodes, *fault.targets))
    for source, target in ((left, right), (right, left)):
        site.network.get_link(source, target).remember(site.hit)
        site.scheduler.call_at(fault.end_us + 2_000_000, site.network.get_link(source, target).forget)
    site.scheduler.call_at((fault.start_us + fault.end_us) // 2, site.network.break_connection, left, right)


def _separate(site: Site, pairs: Iterable[tuple[int, int]], end_us: int) -> None:
    """Cut every pair until the end."""
    chosen = sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
    cut = site.network.cut(chosen, site.hit)
    site.scheduler.call_at(end_us, site.network.mend, cut)


def _draw_partition(ground: Ground) -> Draw:
    group = ground.rng.sample(range(ground.size), ground.size // 2)
    return (*ground.draw_span(500, 6_000), tuple(sorted(group)), (), 0)


def _draw_isolation(ground: Ground) -> Draw:
    return (*ground.draw_span(500, 8_000), (ground.draw_node(),), (), 0)


def _inflict_partition(fault: Fault, site: Site) -> None:
    others = [node for node in range(len(site.nodes)) if node not in fault.nodes]
    _separate(site, product(fault.nodes, others), fault.end_us)


def _draw_bridge(ground: Ground) -> Draw:
    """Two halves, and one node between them that both reach."""
    order = ground.rng.sample(range(ground.size), ground.size)
    half = (ground.size - 1) // 2
    return (*ground.draw_span(1_000, 8_000), tuple(order[:half]), tuple(order[half:-1]), 0)


def _inflict_bridge(fault: Fault, site: Site) -> None:
    _separate(site, product(fault.nodes, fault.targets), fault.end_us)


def _draw_eclipse(ground: Ground) -> Draw:
    """One node sees one peer only."""
    victim, peer = ground.draw_pair()
    others = tuple(node for node in range(ground.size) if node not in (victim, peer))
    return (*ground.draw_span(1_000, 8_000), (victim,), others, 0)


KINDS = (
    FaultKind("connection_loss", "a connection breaks and loses an unknown suffix", (3, 12), _draw_loss, _inflict_loss),
    FaultKind("duplicate", "messages arrive again after a reconnection", (2, 4), _draw_duplicate, _inflict_duplicate),
    FaultKind("partition", "the network falls apart in halves", (1, 2), _draw_partition, _inflict_partition),
    FaultKind("isolation", "one node reaches nobody", (1, 3), _draw_isolation, _inflict_partition),
    FaultKind("bridge", "two halves that only one node reaches", (1, 3), _draw_bridge, _inflict_bridge),
    FaultKind("eclipse", "one node reaches one peer only", (2, 3), _draw_eclipse, _inflict_bridge),
)
