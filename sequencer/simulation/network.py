"""Carry messages between simulated nodes: ordered channels, and connections that break. # G4

A connection joins two nodes and has two channels each way. While it lives nothing on it is
lost or reordered within a channel. When it breaks, what is under way is lost: for each
channel a suffix that the sender cannot know. Each side notices on its own time, and both
dial again until they meet.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sequencer.simulation.scheduler import MILLISECOND, Scheduler
from sequencer.types.messages import Channel, Message, get_channel

DIAL_DELAY_US = (200 * MILLISECOND, 1_200 * MILLISECOND)
"""Back-off before a lost connection is dialled again, shortest and longest."""
DIAL_RETRY_US = 250 * MILLISECOND
"""Time between dials that cannot succeed yet."""
LOST = -1
"""What `intercept` returns for a message that never arrives, though the connection lives."""
NOTICE_DELAY_US_MAX = 1_000 * MILLISECOND
"""A side notices a broken connection at the latest after this."""


@dataclass(frozen=True, slots=True)
class DelayProfile:
    """Message delays of one run: `base_us` plus an exponential tail of mean `tail_us`, capped."""

    base_us: int
    tail_us: int
    cap_us: int
    """Largest delay without a fault; at most the protocol's Δ."""


class Endpoint(Protocol):
    """What the network needs of a node."""

    is_running: bool

    def on_connected(self, peer: int) -> None: ...

    def on_disconnected(self, peer: int) -> None: ...

    def on_message(self, peer: int, message: Message) -> None: ...


@dataclass(slots=True)
class Link:
    """One direction of a connection, as its sender sees it."""

    source: int
    target: int
    is_open: bool = False
    """The sender believes that the connection lives."""
    is_carrying: bool = False
    """It does live."""
    incarnation: int = 0
    """Counts breaks; a message of an older incarnation is lost."""
    votes_us: int = 0
    """Arrival of the newest message on the votes channel."""
    data_us: int = 0
    """Arrival of the newest message on the data channel."""
    extra_us: int = 0
    """Largest additional delay while a delay fault lasts."""


class Network:
    """Join `size` endpoints, everyone with everyone."""

    def __init__(self, scheduler: Scheduler, rng: random.Random, size: int, profile: DelayProfile) -> None:
        self._scheduler = scheduler
        self._rng = rng
        self._profile = profile
        self._endpoints: list[Endpoint] = []
        self._links = [[Link(source, target) for target in range(size)] for source in range(size)]
        self._cut_pairs: set[tuple[int, int]] = set()
        self.fired: Counter[str] = Counter()
        self.intercept: Callable[[int, int, Message], int | None] | None = None
        """Chooses the delay in microseconds of a message from one node to another, `LOST`, or None: as usual."""

    def attach(self, endpoints: list[Endpoint]) -> None:
        """Take the nodes and open all connections at time 0."""
        self._endpoints = endpoints
        for left in range(len(endpoints)):
            for right in range(left + 1, len(endpoints)):
                self._scheduler.call_after(self._rng.randint(0, 20 * MILLISECOND), self._dial, left, right)

    def send(self, source: int, target: int, message: Message) -> None:
        """Send; lost without notice if the connection is not what the sender believes."""
        link = self._links[source][target]
        if not link.is_open:
            return
        if not link.is_carrying:
            self._count_loss(source, target)
            return
        delay_us = None if self.intercept is None else self.intercept(source, target, message)
        if delay_us == LOST:
            return
        arrival_us = self._scheduler.now_us + (self._draw_delay(link) if delay_us is None else delay_us)
        if get_channel(message) is Channel.VOTES:
            arrival_us = link.votes_us = max(arrival_us, link.votes_us + 1)
        else:
            arrival_us = link.data_us = max(arrival_us, link.data_us + 1)
        self._scheduler.call_at(arrival_us, self._deliver, link, link.incarnation, message)

    def broadcast(self, source: int, message: Message) -> None:
        """Send to every other node."""
        for target in range(len(self._endpoints)):
            if target != source:
                self.send(source, target, message)

    def _draw_delay(self, link: Link) -> int:
        profile = self._profile
        delay_us = profile.base_us + min(int(self._rng.expovariate(1.0) * profile.tail_us), profile.cap_us)
        if link.extra_us:
            delay_us += int(self._rng.random() * link.extra_us)
            self.fired["delay"] += 1
        return delay_us

    def _deliver(self, link: Link, incarnation: int, message: Message) -> None:
        if link.incarnation != incarnation:
            self._count_loss(link.source, link.target)
            return
        self._endpoints[link.target].on_message(link.source, message)

    def _count_loss(self, source: int, target: int) -> None:
        is_cut = (min(source, target), max(source, target)) in self._cut_pairs
        self.fired["partition" if is_cut else "connection_loss"] += 1

    def break_connection(self, left: int, right: int) -> None:
        """Break the connection: what is under way is lost, each side notices later."""
        for source, target in ((left, right), (right, left)):
            link = self._links[source][target]
            if link.is_carrying:
                link.is_carrying = False
                link.incarnation += 1
            if link.is_open:
                self._scheduler.call_after(
                    self._rng.randint(0, NOTICE_DELAY_US_MAX), self._notice, link, link.incarnation
                )
        self._scheduler.call_after(self._rng.randint(*DIAL_DELAY_US), self._dial, left, right)

    def _notice(self, link: Link, incarnation: int) -> None:
        if link.is_open and link.incarnation == incarnation:
            link.is_open = False
            self._endpoints[link.source].on_disconnected(link.target)

    def _dial(self, left: int, right: int) -> None:
        """Connect if nothing stands in the way, else try again; a node that is down does not dial."""
        here, there = self._links[left][right], self._links[right][left]
        if here.is_carrying or not (self._endpoints[left].is_running and self._endpoints[right].is_running):
            return
        if here.is_open or there.is_open or (left, right) in self._cut_pairs:
            self._scheduler.call_after(DIAL_RETRY_US, self._dial, left, right)
            return
        for link in (here, there):
            self._open(link)

    def _open(self, link: Link) -> None:
        link.incarnation += 1
        link.is_carrying = True
        opened_us = self._scheduler.now_us + self._rng.randint(1, 30 * MILLISECOND)
        back = self._links[link.target][link.source]
        back.votes_us = back.data_us = opened_us  # nothing arrives here before this side knows of the connection
        self._scheduler.call_at(opened_us, self._announce, link, link.incarnation)

    def _announce(self, link: Link, incarnation: int) -> None:
        if link.incarnation == incarnation:
            link.is_open = True
            self._endpoints[link.source].on_connected(link.target)

    def drop_node(self, node: int) -> None:
        """Break all connections of a node that died; it notices nothing itself."""
        for peer in range(len(self._endpoints)):
            if peer != node:
                self._links[node][peer].is_open = False
                self.break_connection(min(node, peer), max(node, peer))

    def admit_node(self, node: int) -> None:
        """Dial all peers of a node that started again."""
        for peer in range(len(self._endpoints)):
            if peer != node:
                self._scheduler.call_after(
                    self._rng.randint(0, DIAL_DELAY_US[0]), self._dial, min(node, peer), max(node, peer)
                )

    def is_connected(self, source: int, target: int) -> bool:
        """Tell whether what `source` sends now would set out for `target`."""
        link = self._links[source][target]
        return link.is_open and link.is_carrying

    def cut(self, group: frozenset[int]) -> None:
        """Separate `group` from the rest."""
        size = len(self._endpoints)
        for left in range(size):
            for right in range(left + 1, size):
                if (left in group) != (right in group):
                    self._cut_pairs.add((left, right))
                    self.break_connection(left, right)

    def heal(self) -> None:
        """End every separation."""
        self._cut_pairs.clear()

    def set_extra_delay(self, source: int, target: int, extra_us: int) -> None:
        """Delay messages from `source` to `target` by up to `extra_us` more; 0 ends it."""
        self._links[source][target].extra_us = extra_us
