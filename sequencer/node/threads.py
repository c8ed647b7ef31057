"""Run work in a thread that nobody waits for once it is cancelled: only for work without effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

_T = TypeVar("_T")


async def run_abandonable(work: Callable[[], _T], limiter: trio.CapacityLimiter | None = None) -> _T:
    """Return what `work` returns; when cancelled, return at once and forget it."""
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)  # type: ignore[call-arg]  # the stubs that libp2p brings are older than trio
