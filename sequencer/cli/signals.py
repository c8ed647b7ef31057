"""Stop on Ctrl-C, SIGTERM or a closed terminal, without a traceback; a second signal stops at once."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import trio

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_until_signal(work: Callable[[], Awaitable[None]], hurry: Callable[[], None]) -> bool:
    """Run `work` until it ends or a signal cancels it; return whether a signal did.

    `work` may clean up in a shielded scope; `hurry` is called on every further signal and must not block.
    """
    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            running = trio.CancelScope()

            async def listen() -> None:
                async for _ in signals:
                    if running.cancel_called:
                        hurry()
                    running.cancel()

            nursery.start_soon(listen)
            with running:
                await work()
            nursery.cancel_scope.cancel()
    return running.cancel_called
