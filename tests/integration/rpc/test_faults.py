"""A fault of the node is answered and counted; a broken invariant stops the server."""

from __future__ import annotations

import json
from contextlib import suppress

import httpx
import pytest
import trio

from sequencer.errors import InvariantViolation
from sequencer.rpc.queries import NodeStatus, UnavailableError
from sequencer.rpc.server import RpcAddress, serve_rpc
from tests.integration.rpc.chain import ChainNode
from tests.integration.rpc.conftest import serve


class FaultyNode(ChainNode):
    """Raises what it is told to."""

    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self.fault = fault

    async def get_status(self) -> NodeStatus:
        raise self.fault


async def test_unexpected_error_is_an_internal_error_and_the_server_goes_on(nursery: trio.Nursery) -> None:
    """-32603 names the kind of error and nothing more."""
    served = await serve(nursery, FaultyNode(ZeroDivisionError("secret")))
    error = await served.error("seq_status")
    assert (error["code"], "secret" in json.dumps(error)) == (-32603, False)
    assert await served.result("seq_rollups")


async def test_unavailable_node_says_so(nursery: trio.Nursery) -> None:
    """-32002, and `/health` is 503."""
    served = await serve(nursery, FaultyNode(UnavailableError("catches up")))
    async with httpx.AsyncClient(trust_env=False) as http:
        health = await http.get(served.url + "health")
    assert ((await served.error("seq_status"))["code"], health.status_code) == (-32002, 503)


async def test_broken_invariant_stops_the_server() -> None:
    """The node that runs the server must stop signing: the error leaves `serve_rpc`, answered or not."""
    node = FaultyNode(InvariantViolation("two blocks at one height"))

    async def ask(port: int) -> None:
        request = {"jsonrpc": "2.0", "id": 1, "method": "seq_status"}
        with suppress(httpx.RemoteProtocolError, httpx.ReadError):
            async with httpx.AsyncClient(trust_env=False) as http:
                await http.post(f"http://127.0.0.1:{port}/", json=request)

    with pytest.RaisesGroup(InvariantViolation, flatten_subgroups=True), trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await ask(await nursery.start(serve_rpc, node, RpcAddress()))
            await trio.sleep_forever()
