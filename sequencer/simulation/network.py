"""Carry messages between simulated nodes: ordered channels, and connections that break. # G4

A connection joins two nodes and has two channels each way. While it lives nothing on it is
lost or reordered within a channel. When it breaks, what is under way is lost: for each
channel a suffix that the sender cannot know. Each side notices on its own time, and both
dial again until they meet.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log
from typing import Protocol

from sequencer.simulation.faults.fault import HEAL_US
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
REMEMBERED_MAX = 8
"""Messages that may arrive again after a reconnection."""

Hit = Callable[..., None]
"""`hit(*nodes)`: a fault was felt by these nodes."""


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


@dataclass(eq=False, slots=True)
class Impairment:
    """What a fault does to the messages that are sent while it is on a link."""

    rng: random.Random
    hit: Hit
    extra_us_max: int
    """Largest additional delay."""
    channel: Channel | None = None
    """The only channel that is impaired; None: both."""
    hold_until_us: int = 0
    """Nothing arrives before this."""
    is_felt_late_only: bool = False
    """Felt only by messages that a later one of the other channel overtook."""


@dataclass(eq=False, slots=True)
class Link:
    """One direction of a connection, as its sender sees it."""

    source: int
    target: int
    rng: random.Random
    """Delays of this direction."""
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
    impairments: list[Impairment] = field(default_factory=list)
    on_loss: Hit | None = None
    """Told of every message that the newest break lost."""
    sent: int = 0
    """Messages that set out while the link was impaired."""
    newest_arrived: int = 0
    """Number of the newest of those that arrived."""
    _remembered: deque[Message] | None = None
    """What arrived last, while a fault wants it to arrive again."""
    _on_repeat: Hit | None = None

    def remember(self, on_repeat: Hit) -> None:
        """Keep what arrives, to let it arrive again after the next reconnection."""
        self._remembered, self._on_repeat = deque(maxlen=REMEMBERED_MAX), on_repeat

    def forget(self) -> None:
        """End `remember`."""
        self._remembered = self._on_repeat = None

    def note_arrival(self, message: Message) -> None:
        """The message is handed to the target."""
        if self._remembered is not None:
            self._remembered.append(message)

    def take_repeats(self) -> tuple[tuple[Message, ...], Hit | None]:
        """Return what is to arrive again, once."""
        repeats = tuple(self._remembered or ())
        on_repeat = self._on_repeat
        if repeats:
            self.forget()
        return repeats, on_repeat


@dataclass(frozen=True, slots=True)
class Cut:
    """Pairs of nodes that one fault keeps apart."""

    pairs: tuple[tuple[int, int], ...]


class Network:
    """Join `size` endpoints, everyone with everyone."""

    def __init__(self, scheduler: Scheduler, seed: str, size: int, profile: DelayProfile) -> None:
        self._scheduler = scheduler
        self._rng = random.Random(f"{seed}/connections")
        self._profile = profile
        self._endpoints: list[Endpoint] = []
        self._links = [
            [Link(source, target, random.Random(f"{seed}/link/{source}/{target}")) for target in range(size)]
            for source in range(size)
        ]
        self._cuts: list[Cut] = []
        self.intercept: Callable[[int, int, Message], int | None] | None = None
        """Chooses the delay in microseconds of a message from one node to another, `LOST`, or None: as usual."""

    def attach(self, endpoints: list[Endpoint]) -> None:
        """Take the nodes and open all connections at time 0."""
        self._endpoints = endpoints
        for left in range(len(endpoints)):
            for right in range(left + 1, len(endpoints)):
                self._scheduler.call_after(self._rng.randint(0, 20 * MILLISECOND), self._dial, left, right)

    def get_link(self, source: int, target: int) -> Link:
        """Return one direction of a connection."""
        return self._links[source][target]

    def send(self, source: int, target: int, message: Message) -> None:
        """Send; lost without notice if the connection is not what the sender believes."""
        link = self._links[source][target]
        if not link.is_open:
            return
        if not link.is_carrying:
            self._lose(link)
            return
        delay_us = None if self.intercept is None else self.intercept(source, target, message)
        if delay_us == LOST:
            return
        arrival_us = self._scheduler.now_us + (self._draw_delay(link) if delay_us is None else delay_us)
        if link.impairments:
            self._send_impaired(link, message, arrival_us)
        else:
            arrival_us = _queue(link, message, arrival_us)
            self._scheduler.call_at(arrival_us, self._deliver, link, link.incarnation, message)

    def broadcast(self, source: int, message: Message) -> None:
        """Send to every other node."""
        for target in range(len(self._endpoints)):
            if target != source:
                self.send(source, target, message)

    def _draw_delay(self, link: Link) -> int:
        profile = self._profile
        tail_us = int(-log(1.0 - link.rng.random()) * profile.tail_us)
        return profile.base_us + min(tail_us, profile.cap_us)

    def _send_impaired(self, link: Link, message: Message, arrival_us: int) -> None:
        """Let every impairment of the link delay the message; nothing is later than the healing because of one."""
        channel, felt = get_channel(message), []
        latest_us = max(arrival_us, HEAL_US)
        for impairment in link.impairments:
            if impairment.channel in (None, channel):
                extra_us = int(impairment.rng.random() * impairment.extra_us_max)
                arrival_us = min(max(arrival_us + extra_us, impairment.hold_until_us), latest_us)
                felt.append(impairment)
        link.sent += 1
        arrival_us = _queue(link, message, arrival_us)
        self._scheduler.call_at(
            arrival_us, self._deliver_impaired, link, link.incarnation, message, link.sent, tuple(felt)
        )

    def _deliver_impaired(
        self, link: Link, incarnation: int, message: Message, number: int, felt: tuple[Impairment, ...]
    ) -> None:
        if link.incarnation == incarnation:
            is_overtaken = number < link.newest_arrived
            link.newest_arrived = max(number, link.newest_arrived)
            for impairment in felt:
                if is_overtaken or not impairment.is_felt_late_only:
                    impairment.hit(link.source, link.target)
        self._deliver(link, incarnation, message)

    def _deliver(self, link: Link, incarnation: int, message: Message) -> None:
        if link.incarnation != incarnation:
            self._lose(link)
            return
        link.note_arrival(message)
        self._endpoints[link.target].on_message(link.source, message)

    def _lose(self, link: Link) -> None:
        if link.on_loss is not None:
            link.on_loss(link.source, link.target)

    def break_connection(self, left: int, right: int, on_loss: Hit | None = None) -> None:
        """Break the connection: what is under way is lost and told to `on_loss`, each side notices later."""
        for source, target in ((left, right), (right, left)):
            link = self._links[source][target]
            if link.is_carrying:
                link.is_carrying = False
                link.incarnation += 1
                link.on_loss = on_loss
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
        if here.is_open or there.is_open or self._is_cut(left, right):
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
            self._repeat(link)

    def _repeat(self, link: Link) -> None:
        """Let what arrived before the break arrive again, ahead of what is sent now."""
        repeats, on_repeat = link.take_repeats()
        for message in repeats:
            arrival_us = _queue(link, message, self._scheduler.now_us + self._draw_delay(link))
            self._scheduler.call_at(arrival_us, self._deliver_again, link, link.incarnation, message, on_repeat)

    def _deliver_again(self, link: Link, incarnation: int, message: Message, on_repeat: Hit | None) -> None:
        if link.incarnation == incarnation and on_repeat is not None:
            on_repeat(link.source, link.target)
        self._deliver(link, incarnation, message)

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

    def cut(self, pairs: Sequence[tuple[int, int]], on_loss: Hit | None = None) -> Cut:
        """Keep these pairs of nodes apart until `mend`; pairs name the lower index first."""
        cut = Cut(tuple(pairs))
        self._cuts.append(cut)
        for left, right in cut.pairs:
            self.break_connection(left, right, on_loss)
        return cut

    def mend(self, cut: Cut) -> None:
        """End a separation; other cuts of the same pairs stay."""
        self._cuts = [other for other in self._cuts if other is not cut]

    def _is_cut(self, left: int, right: int) -> bool:
        return any((left, right) in cut.pairs for cut in self._cuts)


def _queue(link: Link, message: Message, arrival_us: int) -> int:
    """Return when the message arrives behind those that were sent on its channel before, and note it."""
    if get_channel(message) is Channel.VOTES:
        if arrival_us <= link.votes_us:
            arrival_us = link.votes_us + 1
        link.votes_us = arrival_us
    else:
        if arrival_us <= link.data_us:
            arrival_us = link.data_us + 1
        link.data_us = arrival_us
    return arrival_us
