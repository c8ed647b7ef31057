"""Keep a devnet busy with acknowledged transfers while a script hurts it."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from scripts.fault_injection.cluster import Cluster
from scripts.fault_injection.wallet import Wallet

INTERVAL_SECONDS = 0.2
"""Pause of a worker between two calls."""
ITEMS_PER_CALL = 5
WORKERS = 4
"""With the two above: at most 100 transfers per second, unless the caller asks for other numbers."""
LAST_TRIES = 4
"""After the end, for items that were refused: a gap would hold up all that follows in their channels."""
STOP_SECONDS_MAX = 30.0


class BackgroundLoad:
    """Sends transfers from a few threads to every validator in turn that answers, until the context ends."""

    def __init__(
        self, cluster: Cluster, wallet: Wallet, *, workers: int = WORKERS, items_per_call: int = ITEMS_PER_CALL
    ) -> None:
        self._cluster = cluster
        self._wallet = wallet
        self._items_per_call = items_per_call
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[number], daemon=True) for number in range(workers)]
        self.sent = 0
        """Transfers that some validator answered for."""
        self.seconds = 0.0
        """How long the load lasted, after its end."""

    def __enter__(self) -> BackgroundLoad:
        self._started_at = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(STOP_SECONDS_MAX)
        self.seconds = time.monotonic() - self._started_at

    def _run(self, turn: int) -> None:
        while not self._ended.wait(INTERVAL_SECONDS):
            items = [self._wallet.sign_transfer() for _ in range(self._items_per_call)]
            turn += 1
            tries_after_end = 0
            # A channel keeps its order only if a refused item is sent again before its successor.
            while tries_after_end < LAST_TRIES and not self._try_send(turn, items):
                turn += 1
                tries_after_end += self._ended.is_set()

    def _try_send(self, turn: int, items: list[tuple[str, str]]) -> bool:
        try:
            self._wallet.send(self._cluster.names[turn % len(self._cluster.names)], items)
        except (OSError, RuntimeError):  # dead, or just dying
            self._ended.wait(INTERVAL_SECONDS)
            return False
        self.sent += len(items)
        return True
