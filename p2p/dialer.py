"""Keep one connection to one peer: dial, serve it until it ends, wait, and dial again for ever."""

from __future__ import annotations

import random
from collections.abc import Callable

import trio

from p2p.backoff import compute_dial_delay
from p2p.host import Host, Serve
from p2p.network import HostPeer


class Dialer:
    """The side that dials; there is exactly one per pair of hosts."""

    def __init__(
        self,
        host: Host,
        remote: HostPeer,
        serve: Serve,
        is_banned: Callable[[str], bool],
        delay_seconds: tuple[float, float],
    ) -> None:
        self._host = host
        self._remote = remote
        self._serve = serve
        self._is_banned = is_banned
        self._delay_seconds = delay_seconds
        self._nudged = trio.Event()

    def nudge(self) -> None:
        """End the present pause: the peer reached us on another host, so it is there."""
        self._nudged.set()

    async def run(self) -> None:
        """Dial for ever; the pauses start anew after a connection that had become usable."""
        failures = 0
        while True:
            self._nudged = trio.Event()
            is_usable = not self._is_banned(self._remote.peer_id) and await self._host.dial(self._remote, self._serve)
            failures = 0 if is_usable else failures + 1
            with trio.move_on_after(compute_dial_delay(max(failures - 1, 0), random.random(), *self._delay_seconds)):
                await self._nudged.wait()
