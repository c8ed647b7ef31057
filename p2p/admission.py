"""Decide whom a host serves: known peers always, strangers up to a bound on the open host, nobody who is banned.

Pure: the time is an argument.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from p2p.network import NetworkConfiguration
from p2p.protocols import BAD_ITEMS_MAX, BAN_SECONDS, BANS_MAX, ChannelName


class Admission:
    """Who is who, and who is banned until when."""

    def __init__(self, configuration: NetworkConfiguration) -> None:
        self._names: dict[ChannelName, dict[str, str]] = {
            "votes": {peer.votes.peer_id: peer.name for peer in configuration.peers},
            "data": {peer.data.peer_id: peer.name for peer in configuration.peers},
            "open": {peer.open.peer_id: peer.name for peer in configuration.peers},
        }
        self._allowed = configuration.open_peer_ids_allowed
        self._strangers_max = configuration.strangers_max
        self._banned_until: dict[str, float] = {}
        self._bad_items: Counter[str] = Counter()

    def get_name(self, channel: ChannelName, peer_id: str) -> str | None:
        """Return the name of a configured peer, None of a stranger."""
        return self._names[channel].get(peer_id)

    def get_peer_ids(self, name: str) -> tuple[str, ...]:
        """Return the peer ids of a configured peer; anything else is taken as a peer id itself."""
        found = tuple(peer_id for names in self._names.values() for peer_id, known in names.items() if known == name)
        return found or (name,)

    def is_banned(self, peer_id: str, now: float) -> bool:
        """Whether a ban is in force."""
        return self._banned_until.get(peer_id, now) > now

    def is_stranger_admitted(self, peer_id: str, strangers: Iterable[str]) -> bool:
        """Whether the open host has room for `peer_id` beside the strangers that it serves."""
        if peer_id in self._allowed:
            return True
        return sum(other not in self._allowed for other in strangers) < self._strangers_max

    def ban(self, peer_id: str, until: float) -> None:
        """Refuse a peer until then; of more than `BANS_MAX` the one that ends first goes."""
        self._banned_until[peer_id] = until
        if len(self._banned_until) > BANS_MAX:
            del self._banned_until[min(self._banned_until, key=lambda known: self._banned_until[known])]

    def report_bad_item(self, peer_id: str, now: float) -> bool:
        """Count one bad item; True when this one bans the peer."""
        self._bad_items[peer_id] += 1
        if self._bad_items[peer_id] < BAD_ITEMS_MAX:
            if len(self._bad_items) > BANS_MAX:
                del self._bad_items[next(iter(self._bad_items))]
            return False
        del self._bad_items[peer_id]
        self.ban(peer_id, now + BAN_SECONDS)
        return True
