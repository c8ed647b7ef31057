"""Ask for headers that a certificate names but nobody sent. # C2 C4 L6"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from sequencer.types.effects import Send
from sequencer.types.messages import BLOCK_REPLY_HEADERS_MAX, GetBlocks
from sequencer.types.primitives import Digest, ValidatorIndex

WANTED_MAX = 64
"""Headers asked for at once; the oldest request is given up for a newer one."""
PEERS_PER_TRY = 2
"""Peers asked in parallel."""
QUICK_TRIES = 8
"""Tries at the shortest interval; then it doubles, for perhaps nobody keeps the header any more. # L7"""
BACKOFF_MAX = 3
"""The interval is at most 2^3 times the shortest."""


@dataclass(slots=True)
class _Wanted:
    sources: tuple[ValidatorIndex, ...]
    tries: int
    due_ms: int


class HeaderFetch:
    """Outstanding requests for headers, each rotated over those who should have it."""

    def __init__(self, retry_ms: int) -> None:
        self._retry_ms = retry_ms
        self._wanted: OrderedDict[Digest, _Wanted] = OrderedDict()

    @property
    def size(self) -> int:
        """Return how many headers are being asked for."""
        return len(self._wanted)

    def want(self, digest: Digest, sources: Sequence[ValidatorIndex], now_ms: int) -> None:
        """Start to ask `sources` for the header, unless it is being asked for."""
        if digest in self._wanted or not sources:
            return
        self._wanted[digest] = _Wanted(tuple(sources), 0, now_ms)
        if len(self._wanted) > WANTED_MAX:
            self._wanted.popitem(last=False)

    def is_wanted(self, digest: Digest) -> bool:
        """Tell whether an answer that starts with this header was asked for."""
        return digest in self._wanted

    def on_arrived(self, digest: Digest) -> None:
        """The header is held now."""
        self._wanted.pop(digest, None)

    def drop_all(self) -> None:
        """Give up every request; what is still missing will be wanted again."""
        self._wanted.clear()

    def poll(self, now_ms: int) -> list[Send]:
        """Return the requests that are due, and schedule their repetition."""
        sends: list[Send] = []
        for digest, wanted in self._wanted.items():
            if wanted.due_ms > now_ms:
                continue
            first = wanted.tries * PEERS_PER_TRY
            peers = {wanted.sources[(first + step) % len(wanted.sources)] for step in range(PEERS_PER_TRY)}
            sends.extend(Send(peer, GetBlocks(digest, BLOCK_REPLY_HEADERS_MAX)) for peer in sorted(peers))
            wanted.tries += 1
            wanted.due_ms = now_ms + (self._retry_ms << min(max(0, wanted.tries - QUICK_TRIES), BACKOFF_MAX))
        return sends

    def get_timer(self) -> int | None:
        """Return when the next request is due."""
        return min([wanted.due_ms for wanted in self._wanted.values()]) if self._wanted else None
