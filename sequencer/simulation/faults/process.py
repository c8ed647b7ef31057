"""Kill processes, at any moment and at every boundary between writing and sending, and freeze them."""

from __future__ import annotations

from functools import partial

from sequencer.simulation.crash_points import BOUNDARIES, Boundary, Doom, Survival
from sequencer.simulation.faults.fault import Fault, FaultKind, Ground, Site
from sequencer.simulation.scheduler import MILLISECOND, SECOND

SKIP_MAX = 12
"""Boundaries that a crash point lets pass at most."""

Draw = tuple[int, int, tuple[int, ...], tuple[int, ...], int]


def _kill(site: Site, fault: Fault, node: int, survival: Survival = Survival.PREFIX) -> None:
    """Crash the node until the fault ends, and a little longer."""
    if site.crash(node, survival, fault.end_us + site.rng.randint(0, SECOND // 2)):
        site.hit(node)


def _draw_crash(ground: Ground) -> Draw:
    return (*ground.draw_span(300, ground.rng.choice((2_000, 8_000))), ground.draw_group(), (), 0)


def _inflict_crash(fault: Fault, site: Site) -> None:
    for node in fault.nodes:
        _kill(site, fault, node)


def _draw_outage(ground: Ground) -> Draw:
    """One validator is away for long: others go on, and may prune what it misses."""
    start_us = ground.rng.randint(1_000, 8_000) * MILLISECOND
    end_us = ground.rng.randint(20_000, 29_000) * MILLISECOND
    return start_us, end_us, (ground.draw_node(),), (), 0


def _draw_crash_all(ground: Ground) -> Draw:
    return (*ground.draw_span(100, 3_000), tuple(range(ground.size)), (), 0)


def _draw_crash_point(ground: Ground) -> Draw:
    number = ground.rng.randrange(len(BOUNDARIES)) + len(BOUNDARIES) * ground.rng.randint(0, SKIP_MAX)
    return (*ground.draw_span(300, 4_000), (ground.draw_node(),), (), number)


def _inflict_crash_point(fault: Fault, site: Site) -> None:
    """`size` names the boundary and how many of its kind pass before."""
    skip, place = divmod(fault.size, len(BOUNDARIES))
    for node in fault.nodes:
        peers = [peer for peer in range(len(site.nodes)) if peer != node]
        reached = tuple(site.rng.sample(peers, site.rng.randint(1, len(peers)) - 1))
        kill = partial(_kill, site, fault, node)
        site.nodes[node].doom = Doom(BOUNDARIES[place], skip, kill, reached)


def _draw_in_sync(ground: Ground) -> Draw:
    return (*ground.draw_span(300, 4_000), (ground.draw_node(),), (), ground.rng.randint(0, 3))


def _inflict_in_sync(survival: Survival, fault: Fault, site: Site) -> None:
    for node in fault.nodes:
        kill = partial(_kill_if_lossy, survival, site, fault, node)
        site.nodes[node].doom = Doom(Boundary.SYNCING, fault.size, kill)


def _kill_if_lossy(survival: Survival, site: Site, fault: Fault, node: int) -> None:
    """Crash the node; the fault is felt only if a record was lost."""
    store = site.nodes[node].store
    lost_before = store.lost_count
    site.crash(node, survival, fault.end_us)
    if store.lost_count > lost_before:
        site.hit(node)


def _draw_pause(ground: Ground) -> Draw:
    return (*ground.draw_span(200, ground.rng.choice((1_500, 6_000))), ground.draw_group(), (), 0)


def _inflict_pause(fault: Fault, site: Site) -> None:
    for node in fault.nodes:
        site.nodes[node].pause(partial(site.hit, node))
        site.scheduler.call_at(max(fault.end_us, site.scheduler.now_us + MILLISECOND), site.nodes[node].resume)


KINDS = (
    FaultKind("crash", "processes die at any moment", (1, 4), _draw_crash, _inflict_crash),
    FaultKind("outage", "one process is away for long", (1, 1), _draw_outage, _inflict_crash),
    FaultKind("crash_all", "all processes die at once", (1, 2), _draw_crash_all, _inflict_crash),
    FaultKind("crash_point", "death between writing and sending", (2, 6), _draw_crash_point, _inflict_crash_point),
    FaultKind(
        "unsynced_loss",
        "a process dies within a sync, and nothing that was not synced survives",
        (1, 3),
        _draw_in_sync,
        partial(_inflict_in_sync, Survival.NOTHING),
    ),
    FaultKind(
        "torn_write",
        "a process dies within a sync, and its files end at any byte",
        (1, 3),
        _draw_in_sync,
        partial(_inflict_in_sync, Survival.TORN),
    ),
    FaultKind("pause", "a process stands still while its inbox fills", (1, 4), _draw_pause, _inflict_pause),
)
