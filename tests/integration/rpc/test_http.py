"""What is refused at the level of HTTP, and what slow, idle and many clients may cost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from sequencer.rpc.limits import RpcLimits
from tests.integration.rpc.chain import ChainNode
from tests.integration.rpc.conftest import Served, serve

STATUS = b'{"jsonrpc":"2.0","id":1,"method":"seq_status"}'
QUICK = RpcLimits(idle_seconds_max=0.3, request_seconds_max=0.3, write_seconds_max=0.3)


def make_post(port: int, body: bytes, length: int | None = None) -> bytes:
    return (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    ).encode() + body


async def read_to_end(stream: trio.SocketStream) -> bytes:
    """Return what came until the other side closed."""
    data = b""
    with trio.fail_after(10):
        try:
            async for chunk in stream:
                data += chunk
        except trio.BrokenResourceError:
            pass
    return data


async def ask_status(stream: trio.SocketStream, port: int) -> bytes:
    """Return the answer to one request on an open connection."""
    await stream.send_all(make_post(port, STATUS))
    answer = b""
    with trio.fail_after(10):
        while not answer.endswith(b"}"):
            chunk = await stream.receive_some()
            assert chunk
            answer += chunk
    return answer


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[trio.SocketStream]:
    """Open a connection and close it at the end."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        yield stream


async def test_wrong_content_type_is_refused(served: Served) -> None:
    """A form that a browser may post without asking does not reach a method."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", ""):
        response = await served.post(STATUS, **{"content-type": kind})
        assert (response.status_code, response.json()["error"]["code"]) == (415, -32600)


async def test_foreign_origin_is_refused(served: Served) -> None:
    """A page on another site cannot act in the user's name; the node's own page can."""
    foreign = await served.post(STATUS, origin="https://evil.example")
    own = await served.post(STATUS, origin=f"http://127.0.0.1:{served.port}")
    assert (foreign.status_code, own.status_code) == (403, 200)


@pytest.mark.parametrize("path", ["events", "health", "metrics"])
async def test_foreign_origin_reads_no_other_route(served: Served, path: str) -> None:
    """Reading is refused as well."""
    async with httpx.AsyncClient(trust_env=False) as http:
        response = await http.get(served.url + path, headers={"origin": "https://evil.example"})
    assert response.status_code == 403


async def test_foreign_host_is_refused(served: Served) -> None:
    """A name that another site points to 127.0.0.1 (DNS rebinding) is not served."""
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1:x", ""):
        assert (await served.post(STATUS, host=host)).status_code in (400, 403)
    assert (await served.post(STATUS, host=f"localhost:{served.port}")).status_code == 200


async def test_preflight_is_not_granted(served: Served) -> None:
    """No answer carries a CORS header."""
    async with httpx.AsyncClient(trust_env=False) as http:
        response = await http.options(served.url, headers={"origin": "https://evil.example"})
    assert response.status_code == 405
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_unknown_path_and_method_are_told(served: Served) -> None:
    """404 and 405 with a JSON-RPC error as body."""
    async with httpx.AsyncClient(trust_env=False) as http:
        missing, wrong = await http.get(served.url + "x"), await http.get(served.url)
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert missing.json()["error"]["code"] == -32600


async def test_body_above_the_limit_is_refused(served: Served) -> None:
    """413, whether the length is announced or found out."""
    body = b" " * (1 << 20) + STATUS

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    announced = await served.post(body)
    async with httpx.AsyncClient(trust_env=False) as http:
        headers = {"content-type": "application/json"}
        found = await http.post(served.url, content=chunks(), headers=headers)
    assert (announced.status_code, found.status_code) == (413, 413)


async def test_header_above_the_limit_is_refused(served: Served) -> None:
    """431 or a closed connection; nothing is kept of it."""
    async with connect(served.port) as stream:
        await stream.send_all(b"POST / HTTP/1.1\r\nX: " + b"a" * 40_000)
        answer = await read_to_end(stream)
    assert answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")) or answer == b""


@pytest.mark.parametrize(
    "text", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00"]
)
async def test_what_is_not_http_1_is_closed_and_others_are_served(nursery: trio.Nursery, text: bytes) -> None:
    """Noise, half a request line, HTTP/2 and TLS end their own connection only."""
    served = await serve(nursery, ChainNode(), QUICK)
    async with connect(served.port) as stream:
        await stream.send_all(text)
        await read_to_end(stream)
    assert (await served.post(STATUS)).status_code == 200


async def test_slow_header_is_cut(nursery: trio.Nursery) -> None:
    """A header that comes byte by byte is cut when its time is over, however regular the bytes."""
    served = await serve(nursery, ChainNode(), QUICK)
    async with connect(served.port) as stream:
        with trio.fail_after(5):
            await _drip(stream)


async def _drip(stream: trio.SocketStream) -> None:
    """Send a byte every 50 ms until the other side closes."""
    while True:
        try:
            await stream.send_all(b"a")
        except trio.BrokenResourceError:
            return
        with trio.move_on_after(0.05):
            try:
                if await stream.receive_some() == b"":
                    return
            except trio.BrokenResourceError:
                return


async def test_idle_connection_is_closed(nursery: trio.Nursery) -> None:
    """Before the first request, and between requests."""
    served = await serve(nursery, ChainNode(), QUICK)
    async with connect(served.port) as silent, connect(served.port) as used:
        await used.send_all(make_post(served.port, STATUS))
        assert await read_to_end(silent) == b""
        assert (await read_to_end(used)).startswith(b"HTTP/1.1 200")


async def test_slow_body_is_refused(nursery: trio.Nursery) -> None:
    """A body that does not come gets 408 and costs no place among the requests."""
    served = await serve(nursery, ChainNode(), QUICK)
    async with connect(served.port) as stream:
        await stream.send_all(make_post(served.port, b"{", length=1_000))
        assert (await read_to_end(stream)).startswith(b"HTTP/1.1 408")


async def test_status_answers_while_500_connections_are_idle(served: Served) -> None:
    """Half of them say nothing, half are in the middle of a header."""
    streams = [await trio.open_tcp_stream("127.0.0.1", served.port) for _ in range(500)]
    for stream in streams[::2]:
        await stream.send_all(b"POST / HTTP/1.1\r\nX")
    with trio.fail_after(1):
        assert (await served.post(STATUS)).status_code == 200
    for stream in streams:
        await trio.aclose_forcefully(stream)


async def test_full_table_closes_the_connection_that_was_idle_longest(nursery: trio.Nursery) -> None:
    """The newest is served even when strangers hold all places."""
    served = await serve(nursery, ChainNode(), RpcLimits(connections_max=3))
    async with connect(served.port) as first, connect(served.port) as second, connect(served.port) as third:
        for stream in (first, second, third):
            assert (await ask_status(stream, served.port)).startswith(b"HTTP/1.1 200")
        assert (await served.post(STATUS)).status_code == 200
        await read_to_end(first)
        assert (await ask_status(third, served.port)).startswith(b"HTTP/1.1 200")


async def test_client_that_does_not_read_is_closed(nursery: trio.Nursery) -> None:
    """A write ends in time; the answers it did not read are gone with the connection."""
    served = await serve(nursery, ChainNode(), QUICK)
    for _ in range(100):
        served.node.advance()
    request = make_post(served.port, b'{"jsonrpc":"2.0","id":1,"method":"seq_getBlocks","params":{"from":1}}')
    async with connect(served.port) as stream:
        with trio.move_on_after(10) as scope:
            try:
                while True:
                    await stream.send_all(request)
            except trio.BrokenResourceError:
                pass
    assert not scope.cancelled_caught
    assert (await served.post(STATUS)).status_code == 200


async def test_request_that_takes_too_long_is_answered(nursery: trio.Nursery) -> None:
    """-32002 after the deadline, and the server goes on."""
    node = ChainNode()
    node.is_stuck = True
    served = await serve(nursery, node, QUICK)
    error = await served.error("seq_sendTransaction", {"transaction": {"item": "0x00"}})
    assert error["code"] == -32002


async def test_too_many_requests_at_once_are_refused(nursery: trio.Nursery) -> None:
    """503 with -32002; status is refused too, because it would have to wait."""
    node = ChainNode()
    node.is_stuck = True
    served = await serve(nursery, node, RpcLimits(requests_max=2))
    send = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "seq_sendTransaction", "params": [{"item": "0x00"}]}
    ).encode()
    async with trio.open_nursery() as clients:
        clients.start_soon(served.post, send)
        clients.start_soon(served.post, send)
        while node.submissions < 2:
            await trio.lowlevel.checkpoint()
        refused = await served.post(STATUS)
        clients.cancel_scope.cancel()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, -32002)


async def test_rate_above_the_limit_is_refused_and_recovers(nursery: trio.Nursery) -> None:
    """429 with -32005 and a time to come back; items count like calls."""
    served = await serve(nursery, ChainNode(), RpcLimits(rate_per_second=2, rate_burst=10))
    error = await served.error("seq_sendTransactions", {"transactions": [{"item": "0x00"}] * 100})
    assert error["code"] == -32005
    codes = [(await served.post(STATUS)).status_code for _ in range(12)]
    assert 429 in codes
    with trio.fail_after(20):
        while (await served.post(STATUS)).status_code != 200:
            pass


async def test_port_in_use_is_told(served: Served) -> None:
    """A second server on the same port does not start."""
    from sequencer.errors import LocalError
    from sequencer.rpc.server import RpcAddress, serve_rpc

    with pytest.raises(LocalError, match=str(served.port)):
        await serve_rpc(ChainNode(), RpcAddress(port=served.port))
