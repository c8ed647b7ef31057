"""Let clocks be wrong, jump, and run fast or slow."""

from __future__ import annotations

from functools import partial

from sequencer.simulation.faults.fault import Fault, FaultKind, Ground, Site

Draw = tuple[int, int, tuple[int, ...], tuple[int, ...], int]
SKEW_MS_MAX = 150
"""How far a correct clock is wrong beside its usual offset: all stay within the drift of each other."""
RATES = (700, 1_400)
"""Slowest and fastest monotonic clock, in thousandths."""


def _draw_skew(ground: Ground) -> Draw:
    """Within the drift for anybody, far beyond it for a fragile validator."""
    span = ground.draw_span(500, 8_000)
    if ground.fragile and ground.rng.random() < 0.5:
        size_ms = ground.rng.choice((ground.drift_ms, 2 * ground.drift_ms, 10_000, 60_000))
        return (*span, ground.draw_fragile(), (), ground.rng.choice((-1, 1)) * size_ms)
    return (*span, (ground.draw_node(),), (), ground.rng.choice((-1, 1)) * ground.rng.randint(50, SKEW_MS_MAX))


def _inflict_skew(fault: Fault, site: Site) -> None:
    """`size` is how far the wall clock is off, in milliseconds."""
    for node in fault.nodes:
        clock = site.nodes[node].clock
        clock.set_shift(fault.size, partial(site.hit, node))
        site.scheduler.call_at(fault.end_us, clock.set_shift, 0)


def _inflict_jump(fault: Fault, site: Site) -> None:
    """The wall clock jumps one way, later the other way, and at the end back to what it should be."""
    for node in fault.nodes:
        clock, middle_us = site.nodes[node].clock, (fault.start_us + fault.end_us) // 2
        clock.set_shift(fault.size, partial(site.hit, node))
        site.scheduler.call_at(middle_us, clock.set_shift, -fault.size, partial(site.hit, node))
        site.scheduler.call_at(fault.end_us, clock.set_shift, 0, partial(site.hit, node))


def _draw_drift(ground: Ground) -> Draw:
    return (*ground.draw_span(1_000, 12_000), ground.draw_group(), (), ground.rng.choice(RATES))


def _inflict_drift(fault: Fault, site: Site) -> None:
    """`size` is the rate of the monotonic clock in thousandths."""
    for node in fault.nodes:
        site.nodes[node].set_clock_rate(fault.size, partial(site.hit, node))
        site.scheduler.call_at(fault.end_us, site.nodes[node].set_clock_rate, 1_000)


KINDS = (
    FaultKind("clock_skew", "a wall clock is wrong for a while", (1, 4), _draw_skew, _inflict_skew),
    FaultKind("clock_jump", "a wall clock jumps there and back", (1, 4), _draw_skew, _inflict_jump),
    FaultKind("clock_drift", "monotonic clocks run fast or slow", (1, 3), _draw_drift, _inflict_drift),
)
