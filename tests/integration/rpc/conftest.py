"""Serve a test chain on a free port of the loopback address."""

from __future__ import annotations

import json
from dataclasses import dataclass

import httpx
import pytest
import trio

from sequencer.rpc.limits import RpcLimits
from sequencer.rpc.server import RpcAddress, serve_rpc
from tests.integration.rpc.chain import ChainNode


@dataclass(frozen=True)
class Served:
    """A node and where it answers."""

    node: ChainNode
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def post(self, body: bytes, **headers: str) -> httpx.Response:
        """POST a body as it is."""
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            return await http.post(self.url, content=body, headers={"content-type": "application/json", **headers})

    async def call(self, method: str, parameters: object = None) -> dict[str, object]:
        """Return the whole answer of one call."""
        request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": parameters or {}}
        answer = (await self.post(json.dumps(request).encode())).json()
        assert answer["jsonrpc"] == "2.0"
        assert answer["id"] == 7
        return dict(answer)

    async def result(self, method: str, parameters: object = None) -> object:
        """Return the result of a call that must succeed."""
        answer = await self.call(method, parameters)
        assert "result" in answer, answer
        return answer["result"]

    async def error(self, method: str, parameters: object = None) -> dict[str, object]:
        """Return the error of a call that must fail."""
        answer = await self.call(method, parameters)
        assert "error" in answer, answer
        error = answer["error"]
        assert isinstance(error, dict)
        return error


async def serve(nursery: trio.Nursery, node: ChainNode, limits: RpcLimits | None = None) -> Served:
    """Start a server that ends with the nursery."""
    return Served(node, await nursery.start(serve_rpc, node, RpcAddress(), limits))


@pytest.fixture
async def served(nursery: trio.Nursery) -> Served:
    return await serve(nursery, ChainNode())
