"""Stream blocks and certificates as server-sent events, from a height on, without a gap.

The stream reads the store at the client's pace, so a slow client costs no memory; one that
does not read at all is closed by the bound on a single write.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable

import trio
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from sequencer.codec import U64_MAX
from sequencer.rpc.errors import Code
from sequencer.rpc.forms import make_rollup_namer
from sequencer.rpc.guard import RefusedError
from sequencer.rpc.queries import Queries, UnavailableError
from sequencer.rpc.views import block_to_json, certificate_to_json
from sequencer.types.primitives import Height

KEEP_ALIVE_SECONDS = 5.0
"""A comment is sent after this long without news, so that both sides notice a dead connection."""
BLOCKS_PER_READ = 10


class EventStream(StreamingResponse):
    """An endless answer; gives its place back when it ends, however it ends."""

    def __init__(self, queries: Queries, start: Height, give_back: Callable[[], None]) -> None:
        self._events = make_events(queries, start)
        super().__init__(self._events, media_type="text/event-stream")
        self.headers["cache-control"] = "no-store"
        self._give_back = give_back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._give_back()
            await self._events.aclose()


def read_start(request: Request) -> Height:
    """Return the first height wanted: after `Last-Event-ID` if the client resumes, else `from` (default 1)."""
    seen = request.headers.get("last-event-id")
    text = request.query_params.get("from", "1") if seen is None else seen
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise RefusedError(400, "from: must be a height", Code.PARAMETERS, {"path": "$.from"})
    return min(int(text) + (seen is not None), U64_MAX)


async def make_events(queries: Queries, start: Height) -> AsyncGenerator[str, None]:
    """Yield `block` events from `start` on, `certificate` events, comments; `pruned` where a gap cannot be helped."""
    name_rollup = make_rollup_namer(queries.genesis)
    height, certified, seen = max(start, 1), 0, 0
    yield ": follows blocks and certificates\n\n"
    while True:
        records = await queries.get_blocks(height, height + BLOCKS_PER_READ)
        for record in records:
            yield _format("block", block_to_json(record, name_rollup), record.block.header.height)
        height += len(records)
        status = await queries.get_status()
        if not records and status.oldest_height > height:
            yield _format("pruned", {"from": height, "oldest_height": status.oldest_height})
            height = status.oldest_height
            continue
        if certified < status.certified_height < height:
            certified = status.certified_height
            yield _format("certificate", certificate_to_json(await queries.get_certificate(certified)))
        if not records:
            news = await _wait_for_news(queries, seen)
            if news is None:
                yield ": nothing new\n\n"
            else:
                seen = news


async def _wait_for_news(queries: Queries, seen: int) -> int | None:
    """Return the count of news once it is above `seen`, or None when it is time for a sign of life."""
    with trio.move_on_after(KEEP_ALIVE_SECONDS):
        try:
            return await queries.wait_for_news(seen)
        except UnavailableError:
            await trio.sleep_forever()
    return None


def _format(event: str, data: object, height: Height | None = None) -> str:
    line = json.dumps(data, separators=(",", ":"))
    marker = "" if height is None else f"id: {height}\n"
    return f"event: {event}\n{marker}data: {line}\n\n"
