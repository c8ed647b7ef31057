"""Stop on Ctrl-C, SIGTERM or a closed terminal, without a traceback; a second signal stops at once.

A signal may come at any moment, also before the event loop listens and after it has ended. Until
then it is only remembered: an exception out of a handler could be lost in foreign code, or
leave half of a clean-up undone.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Remembered:
    """Whether a stop signal came while nobody listened."""

    is_set: bool = False


@contextmanager
def remember_signals() -> Iterator[Remembered]:
    """Remember stop signals during the block instead of dying from them; main thread only."""
    remembered = Remembered()

    def remember(number: int, frame: FrameType | None) -> None:
        remembered.is_set = True

    previous = {number: signal.signal(number, remember) for number in STOP_SIGNALS}
    try:
        yield remembered
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


async def run_until_signal(
    work: Callable[[], Awaitable[None]], hurry: Callable[[], None], remembered: Remembered
) -> None:
    """Run `work` until it ends or a signal cancels it; one that came before counts too.

    `work` may clean up in a shielded scope; `hurry` is called on every further signal and must not block.
    """
    import trio

    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            running = trio.CancelScope()

            async def listen() -> None:
                async for _ in signals:
                    if running.cancel_called:
                        hurry()
                    running.cancel()

            nursery.start_soon(listen)
            if remembered.is_set:
                running.cancel()
            with running:
                await work()
            nursery.cancel_scope.cancel()
