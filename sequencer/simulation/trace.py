"""Condense a run into one hash, and keep its last actions for people to read."""

from __future__ import annotations

from collections import deque
from hashlib import sha256

LAST_ACTIONS = 50
"""Protocol actions that a failing run shows."""


class Trace:
    """Hash every protocol action in order: equal hashes mean equal runs."""

    def __init__(self, last_actions: int = LAST_ACTIONS) -> None:
        self._hash = sha256()
        self._last: deque[tuple[int, int, str, int, bytes]] = deque(maxlen=last_actions)
        self.count = 0

    def add(self, time_us: int, node: int, action: str, number: int, digest: bytes = b"") -> None:
        """Record that `node` did `action`; `number` is its view, height or position, `digest` names its object."""
        self.count += 1
        self._last.append((time_us, node, action, number, digest))
        self._hash.update(b"%d %d %b %d %b" % (time_us, node, action.encode(), number, digest))

    def get_hash(self) -> str:
        """Return the hash of all actions so far as 64 hexadecimal digits."""
        return self._hash.hexdigest()

    def format_last(self) -> list[str]:
        """Return the newest actions as readable lines, oldest first."""
        return [
            f"{time_us / 1e6:10.6f} s  node {node}  {action} {number} {digest[:6].hex()}".rstrip()
            for time_us, node, action, number, digest in self._last
        ]
