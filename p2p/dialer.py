"""Keep one connection to one peer: dial, serve it until it ends, wait, and dial again for ever."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import trio

from p2p.backoff import compute_dial_delay
from p2p.host import Host, Serve
from p2p.network import HostPeer


@dataclass(frozen=True, slots=True)
class Dialer:
    """The side that dials; there is exactly one per pair of hosts."""

    host: Host
    remote: HostPeer
    serve: Serve
    is_banned: Callable[[str], bool]
    seconds_min: float
    seconds_max: float

    async def run(self) -> None:
        """Dial for ever; the pause starts anew after a connection that had become usable."""
        attempt = 0
        while True:
            is_usable = not self.is_banned(self.remote.peer_id) and await self.host.dial(self.remote, self.serve)
            attempt = 0 if is_usable else attempt + 1
            await trio.sleep(self._compute_delay(max(attempt - 1, 0)))

    def _compute_delay(self, attempt: int) -> float:
        return compute_dial_delay(attempt, random.random(), self.seconds_min, self.seconds_max)
