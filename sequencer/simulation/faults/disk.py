"""Make disks slow, full, forgetful and rotten."""

from __future__ import annotations

from functools import partial

from sequencer.simulation.crash_points import Survival
from sequencer.simulation.faults.fault import Fault, FaultKind, Ground, Site
from sequencer.simulation.node import SlowSync
from sequencer.simulation.scheduler import MILLISECOND
from sequencer.simulation.store import make_empty_disk

Draw = tuple[int, int, tuple[int, ...], tuple[int, ...], int]


def _draw_slow_fsync(ground: Ground) -> Draw:
    size_us = ground.rng.randint(100, 2_000) * MILLISECOND
    return (*ground.draw_span(300, 6_000), ground.draw_group(), (), size_us)


def _inflict_slow_fsync(fault: Fault, site: Site) -> None:
    """`size` is the longest duration of a sync in microseconds."""
    for node in fault.nodes:
        slow = SlowSync(site.rng, fault.size, partial(site.hit, node))
        site.nodes[node].slow_syncs.append(slow)
        site.scheduler.call_at(fault.end_us, site.nodes[node].slow_syncs.remove, slow)


def _draw_full_disk(ground: Ground) -> Draw:
    return (*ground.draw_span(500, 5_000), (ground.draw_node(),), (), 0)


def _inflict_full_disk(fault: Fault, site: Site) -> None:
    """The first write stops the node; it starts again when there is space."""
    for node in fault.nodes:
        site.nodes[node].on_disk_full = partial(_stop_for_space, fault, site, node)
        site.scheduler.call_at(fault.end_us, _free_space, site, node)


def _stop_for_space(fault: Fault, site: Site, node: int) -> None:
    if site.crash(node, Survival.TORN, fault.end_us):
        site.hit(node)


def _free_space(site: Site, node: int) -> None:
    site.nodes[node].on_disk_full = None


def _draw_damage(ground: Ground) -> Draw:
    return (*ground.draw_span(300, 3_000), ground.draw_fragile(), (), 0)


def _inflict_lost_fsync(fault: Fault, site: Site) -> None:
    """The last sync of the vote log never reached the disk, though votes that relied on it are sent."""
    for node in fault.nodes:
        if site.nodes[node].is_running and site.nodes[node].store.lose_last_sync():
            site.make_faulty(node)
            site.crash(node, Survival.NOTHING, fault.end_us)
            site.hit()


def _inflict_vote_log_rot(fault: Fault, site: Site) -> None:
    """A bit of the vote log turns; whoever starts on it must notice and sign nothing."""
    for node in fault.nodes:
        store = site.nodes[node].store
        site.crash(node, Survival.PREFIX, fault.end_us)
        if store.rot_vote_log(site.rng):
            site.hit(node)
            if store.has_forgotten:
                site.make_faulty(node)


def _inflict_bit_rot(fault: Fault, site: Site) -> None:
    """A durable record of the block store can no longer be read; often the node starts again on what is left."""
    for node in fault.nodes:
        if site.nodes[node].store.rot_record(site.rng):
            site.hit(node)
            if site.rng.random() < 0.5:
                site.crash(node, Survival.PREFIX, fault.end_us)


def _inflict_empty_disk(fault: Fault, site: Site) -> None:
    """The node comes back with a new disk: an observer that must fetch everything."""
    for node in fault.nodes:
        site.crash(node, Survival.NOTHING, fault.end_us)
        site.nodes[node].store = make_empty_disk()
        site.hit(node)


KINDS = (
    FaultKind("slow_fsync", "each sync takes up to two seconds", (1, 3), _draw_slow_fsync, _inflict_slow_fsync),
    FaultKind("full_disk", "a disk is full for a while", (1, 3), _draw_full_disk, _inflict_full_disk),
    FaultKind("lost_fsync", "the last sync of the vote log was a lie", (1, 1), _draw_damage, _inflict_lost_fsync),
    FaultKind("vote_log_rot", "a bit of the vote log turns", (1, 1), _draw_damage, _inflict_vote_log_rot),
    FaultKind("empty_disk", "a node comes back with an empty disk", (1, 1), _draw_damage, _inflict_empty_disk),
    FaultKind("bit_rot", "a record of the block store cannot be read any more", (1, 4), _draw_damage, _inflict_bit_rot),
)
