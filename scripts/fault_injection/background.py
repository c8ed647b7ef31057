"""Keep a devnet busy with acknowledged transfers while a script hurts it."""

from __future__ import annotations

import threading
from types import TracebackType

from scripts.fault_injection.cluster import Cluster
from scripts.fault_injection.wallet import Wallet

INTERVAL_SECONDS = 0.1
ITEMS_PER_INTERVAL = 10
"""At most 100 transfers per second."""


class BackgroundLoad:
    """Sends transfers from a thread to every validator in turn that answers, until the context ends."""

    def __init__(self, cluster: Cluster, wallet: Wallet) -> None:
        self._cluster = cluster
        self._wallet = wallet
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0
        self.refused = 0
        """Calls that no validator answered, because it was dead."""

    def __enter__(self) -> BackgroundLoad:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(30)

    def _run(self) -> None:
        turn = 0
        transfers = self._wallet.iterate_transfers()
        while not self._ended.wait(INTERVAL_SECONDS):
            items = [next(transfers) for _ in range(ITEMS_PER_INTERVAL)]
            turn += 1
            # A channel keeps its order only if a refused item is sent again before its successor.
            while not self._ended.is_set() and not self._try_send(turn, items):
                turn += 1

    def _try_send(self, turn: int, items: list[tuple[str, str]]) -> bool:
        name = self._cluster.names[turn % len(self._cluster.names)]
        try:
            self._wallet.send(name, items)
        except (OSError, RuntimeError):
            self.refused += 1
            self._ended.wait(INTERVAL_SECONDS)
            return False
        self.sent += len(items)
        return True
