"""Make messages late: on one link, on many, on one stream only, in one direction only."""

from __future__ import annotations

from sequencer.simulation.faults.fault import END_US_MAX, Fault, FaultKind, Ground, Site
from sequencer.simulation.network import Impairment
from sequencer.simulation.scheduler import MILLISECOND, SECOND
from sequencer.types.messages import Channel

Draw = tuple[int, int, tuple[int, ...], tuple[int, ...], int]


def _impair(fault: Fault, site: Site, impairment: Impairment) -> None:
    """Impair all links from any of `nodes` to any of `targets` until the end."""
    for source in fault.nodes:
        for target in fault.targets:
            if source != target:
                impairments = site.network.get_link(source, target).impairments
                impairments.append(impairment)
                site.scheduler.call_at(fault.end_us, impairments.remove, impairment)


def _draw_delay(ground: Ground) -> Draw:
    everybody = tuple(range(ground.size))
    nodes, targets = ground.rng.choice(((None, None), (None, everybody), (everybody, None)))
    one, other = ground.draw_pair()
    size_us = ground.rng.randint(200, 4_000) * MILLISECOND
    return (*ground.draw_span(300, 6_000), nodes or (one,), targets or (other,), size_us)


def _inflict_delay(fault: Fault, site: Site) -> None:
    """`size` is the largest extra delay in microseconds."""
    _impair(fault, site, Impairment(site.rng, site.hit, fault.size))


def _draw_one_way_slow(ground: Ground) -> Draw:
    one, other = ground.draw_pair()
    return (*ground.draw_span(2_000, 12_000), (one,), (other,), ground.rng.randint(500, 3_000) * MILLISECOND)


def _draw_gst(ground: Ground) -> Draw:
    """Everything is slow from the start until a moment that nobody knows."""
    everybody = tuple(range(ground.size))
    end_us = ground.rng.randint(4 * SECOND, END_US_MAX // 2)
    return 0, end_us, everybody, everybody, ground.rng.randint(300, 3_000) * MILLISECOND


def _draw_reorder(ground: Ground) -> Draw:
    """One stream is slow: data after the votes about it, or votes after the data."""
    one, other = ground.draw_pair()
    size_us = ground.rng.randint(300, 2_000) * MILLISECOND
    return (*ground.draw_span(3_000, 10_000), (one, other), (one, other), size_us)


def _inflict_reorder(fault: Fault, site: Site) -> None:
    channel = site.rng.choice((Channel.VOTES, Channel.DATA))
    _impair(fault, site, Impairment(site.rng, site.hit, fault.size, channel=channel, is_felt_late_only=True))


def _draw_asymmetric(ground: Ground) -> Draw:
    one, other = ground.draw_pair()
    return (*ground.draw_span(2_000, 8_000), (one,), (other,), 0)


def _inflict_asymmetric(fault: Fault, site: Site) -> None:
    """Nothing arrives one way until the end; then all of it does, or the connection breaks and none does."""
    _impair(fault, site, Impairment(site.rng, site.hit, 0, hold_until_us=fault.end_us))
    if site.rng.random() < 0.5:
        left, right = sorted((*fault.nodes, *fault.targets))
        site.scheduler.call_at(fault.end_us - 1, site.network.break_connection, left, right, site.hit)


KINDS = (
    FaultKind("delay", "a link, or all links of a node, become slow", (1, 4), _draw_delay, _inflict_delay),
    FaultKind("one_way_slow", "one direction is slow for long", (1, 3), _draw_one_way_slow, _inflict_delay),
    FaultKind("gst", "everything is slow until GST", (1, 1), _draw_gst, _inflict_delay),
    FaultKind("reorder", "votes overtake data, or data votes", (2, 4), _draw_reorder, _inflict_reorder),
    FaultKind("asymmetric", "one direction carries nothing for a while", (2, 4), _draw_asymmetric, _inflict_asymmetric),
)
