"""Garbled HTTP ends its own connection at most, and leaves nothing behind."""

from __future__ import annotations

import random

import httpx
import pytest
import trio

from sequencer.rpc import events
from sequencer.rpc.limits import RpcLimits
from tests.integration.rpc.chain import ChainNode
from tests.integration.rpc.conftest import Served, serve

STATUS = b'{"jsonrpc":"2.0","id":1,"method":"seq_status"}'
HOST = b"Host: 127.0.0.1\r\n"
JSON = HOST + b"Content-Type: application/json\r\n"
CHUNKED = b"2e\r\n" + STATUS + b"\r\n0\r\n\r\n"
REQUESTS = (
    b"POST / HTTP/1.1\r\n" + JSON + b"Content-Length: 46\r\n\r\n" + STATUS,
    b"POST / HTTP/1.1\r\n"
    + JSON
    + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n2e\r\n"
    + STATUS
    + b"\r\n0\r\n\r\n",
    b"GET /events?from=1 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /metrics HTTP/1.0\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    b"GET /health HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
)
LIMITS = RpcLimits(
    idle_seconds_max=0.3, request_seconds_max=0.3, write_seconds_max=0.3, rate_per_second=1e6, rate_burst=1e6
)


def garble(chance: random.Random) -> bytes:
    """Return one or two requests sent ahead, with up to three bytes changed, cut out, put in or repeated."""
    text = bytearray(chance.choice(REQUESTS) * chance.choice((1, 1, 2)))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(text))
        piece = chance.choice((chance.randbytes(1), b"", chance.randbytes(9), bytes(text[:40])))
        text[at : at + chance.randrange(12)] = piece
        text = text or bytearray(b"x")
    return bytes(text)


async def send_and_leave(port: int, text: bytes, seconds: float) -> None:
    """Send, listen for a moment, and close, whatever the answer."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        try:
            await stream.send_all(text)
            with trio.move_on_after(seconds):
                async for _ in stream:
                    pass
        except trio.BrokenResourceError:
            return


async def count_connections(served: Served) -> float:
    """Return the open connections, that of this question not counted."""
    async with httpx.AsyncClient(trust_env=False) as http:
        lines = (await http.get(served.url + "metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("sequencer_rpc_connections ")) - 1


@pytest.mark.parametrize("seed", [1, 2])
async def test_garbled_requests_leave_no_connection_behind(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """After 150 of them the node answers, and every connection has ended."""
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.1)
    served = await serve(nursery, ChainNode(), LIMITS)
    chance = random.Random(seed)
    for _ in range(15):
        async with trio.open_nursery() as clients:
            for _ in range(10):
                clients.start_soon(send_and_leave, served.port, garble(chance), chance.random() / 20)
    assert await served.result("seq_status")
    with trio.fail_after(20):
        while await count_connections(served) > 0:
            await trio.lowlevel.checkpoint()
