"""Join the sessions of one peer to one thing that is up or down, and report in order.

Promises: all events of a peer come from one task, so a message never lies outside the PeerUp and
PeerDown around it. When one session breaks, the others are closed too: the peer then sees the
same break, and what both sides know starts anew together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import trio

from p2p.network import MessageArrived, NetworkEvent, PeerDown, PeerUp, StrangerDown, StrangerUp
from p2p.protocols import ChannelName
from p2p.session import Session

Announce: TypeAlias = Callable[[str], NetworkEvent]


class Peer:
    """One peer and its current session per channel."""

    def __init__(
        self,
        name: str,
        channels: tuple[ChannelName, ...],
        events: trio.MemorySendChannel[NetworkEvent],
        *,
        is_stranger: bool = False,
    ) -> None:
        self.name = name
        self.channels = channels
        self.is_up = False
        self._events = events
        self._up: Announce = StrangerUp if is_stranger else PeerUp
        self._down: Announce = StrangerDown if is_stranger else PeerDown
        self._sessions: dict[ChannelName, Session] = {}
        self._changed = trio.Event()

    def attach(self, session: Session) -> bool:
        """Make `session` the one of its channel; False, and both end, when there is one already.

        Two connections of one peer mean that one side has not noticed the end of the older; which
        one is good cannot be told from here, so the dialer makes a new one.
        """
        former = self._sessions.get(session.channel)
        if former is not None:
            former.abort()
            return False
        self._sessions[session.channel] = session
        return True

    def detach(self, session: Session) -> None:
        """Forget a session that ended."""
        if self._sessions.get(session.channel) is session:
            del self._sessions[session.channel]
        self.notify()

    def notify(self) -> None:
        """Let the task of this peer look at its sessions again."""
        self._changed.set()

    def send(self, channel: ChannelName, payload: bytes) -> bool:
        """Queue for the session of `channel`; False when the peer is not up or the queue is full."""
        if not self.is_up or channel not in self.channels:
            return False
        return self._sessions[channel].send(payload) if channel in self._sessions else False

    def close(self) -> None:
        """Abort all sessions."""
        for session in tuple(self._sessions.values()):
            session.abort()

    async def run(self) -> None:
        """Report one generation after another, for ever."""
        while True:
            await self.run_once()

    async def run_once(self) -> None:
        """Wait until all channels are usable, report messages until one is not, close the rest."""
        sessions = await self._wait_until_usable()
        self.is_up = True
        await self._events.send(self._up(self.name))
        async with trio.open_nursery() as nursery:
            for session in sessions:
                nursery.start_soon(self._deliver, session)
            while not any(session.ended.is_set() for session in sessions):
                await self._wait_for_change()
            nursery.cancel_scope.cancel()
        self.is_up = False
        for session in sessions:
            session.abort()
        await self._events.send(self._down(self.name))

    async def _wait_until_usable(self) -> tuple[Session, ...]:
        while True:
            sessions = tuple(self._sessions[channel] for channel in self.channels if channel in self._sessions)
            if len(sessions) == len(self.channels) and all(session.is_usable for session in sessions):
                return sessions
            await self._wait_for_change()

    async def _wait_for_change(self) -> None:
        self._changed = trio.Event()
        await self._changed.wait()

    async def _deliver(self, session: Session) -> None:
        while True:
            payload, count = await session.receive()
            await self._events.send(MessageArrived(self.name, session.channel, payload))
            session.release(count)
