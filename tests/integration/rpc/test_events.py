"""The event stream starts at a height, resumes after one, and ends with its client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import trio

from sequencer.rpc.limits import RpcLimits
from tests.integration.rpc.chain import ChainNode
from tests.integration.rpc.conftest import Served, serve


class Events:
    """Reads one event at a time; each is one chunk of the body, so that its lines are whole."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = b""

    async def _read_line(self) -> str:
        while b"\n" not in self._buffer:
            chunk = await self._stream.receive_some()
            assert chunk, "the stream ended"
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode()

    async def next(self) -> tuple[str, int]:
        """Return the next event's name and height."""
        name = ""
        with trio.fail_after(10):
            while True:
                line = await self._read_line()
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
                    return name, data.get("height", data.get("oldest_height"))


@asynccontextmanager
async def listen(served: Served, query: str = "", header: str = "") -> AsyncIterator[Events]:
    """Open the stream."""
    stream = await trio.open_tcp_stream("127.0.0.1", served.port)
    async with stream:
        request = f"GET /events{query} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n{header}\r\n"
        await stream.send_all(request.encode())
        yield Events(stream)


async def test_stream_gives_the_past_and_goes_on_with_the_present(served: Served) -> None:
    """From a height on, without a gap; the certificate follows the blocks that it covers."""
    served.node.advance()
    served.node.advance()
    async with listen(served, "?from=2") as stream:
        past = [await stream.next(), await stream.next()]
        served.node.advance(is_certified=False)
        present = await stream.next()
        served.node.certify(3)
        certificate = await stream.next()
    assert past == [("block", 2), ("certificate", 2)]
    assert (present, certificate) == (("block", 3), ("certificate", 3))


async def test_stream_resumes_after_the_last_event_seen(served: Served) -> None:
    """`Last-Event-ID` wins over `from`, as browsers resend the same URL."""
    for _ in range(3):
        served.node.advance()
    async with listen(served, "?from=1", "Last-Event-ID: 2\r\n") as stream:
        assert await stream.next() == ("block", 3)


async def test_stream_tells_a_gap_that_it_cannot_fill(served: Served) -> None:
    """Pruned blocks are said, then the oldest kept one follows."""
    for _ in range(4):
        served.node.advance()
    served.node.oldest_height = 3
    async with listen(served, "?from=1") as stream:
        assert [await stream.next(), await stream.next()] == [("pruned", 3), ("block", 3)]


async def test_bad_start_is_refused(served: Served) -> None:
    """400, and no stream is opened."""
    async with httpx.AsyncClient(trust_env=False) as http:
        for query in ("?from=-1", "?from=x", "?from=" + "9" * 30):
            assert (await http.get(served.url + "events" + query)).status_code == 400


async def test_streams_are_bounded_and_give_their_place_back(nursery: trio.Nursery) -> None:
    """One too many gets 503; when one ends, the next is served."""
    served = await serve(nursery, ChainNode(), RpcLimits(streams_max=1))
    served.node.advance()
    async with httpx.AsyncClient(trust_env=False) as http:
        async with listen(served) as stream:
            await stream.next()
            assert (await http.get(served.url + "events")).status_code == 503
        with trio.fail_after(5):
            while "sequencer_rpc_streams 0" not in (await http.get(served.url + "metrics")).text:
                pass
    async with listen(served) as stream:
        assert await stream.next() == ("block", 1)
