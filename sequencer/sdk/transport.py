"""Carry JSON-RPC calls to one endpoint over HTTP with keep-alive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType

import httpx
import trio

from sequencer.rpc.errors import Code
from sequencer.sdk.errors import AnswerError, RejectedError, UnreachableError

CONNECT_SECONDS_MAX = 2.0
ANSWER_SECONDS_MAX = 12.0
"""A little more than a node's own deadline of 10 s."""
CONNECTIONS_MAX = 16
"""Connections to one endpoint."""


class _Body(httpx.AsyncByteStream):
    """Gives a body in one piece; httpx' own generator complains when a cancelled request leaves it half-way."""

    def __init__(self, data: bytes) -> None:
        self._chunks = iter((data,))

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        try:
            return next(self._chunks)
        except StopIteration:
            raise StopAsyncIteration from None


class Endpoint:
    """One node's RPC; calls may run at the same time."""

    def __init__(self, url: str) -> None:
        """`url` as http://127.0.0.1:8600; proxies of the environment are not used."""
        self.url = url.rstrip("/") + "/"
        self._next_id = 0
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_SECONDS_MAX, connect=CONNECT_SECONDS_MAX),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX, keepalive_expiry=5.0),
            headers={"content-type": "application/json"},
            trust_env=False,
        )

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, also when cancelled: closing waits for nobody."""
        with trio.CancelScope(shield=True):
            await self._http.aclose()

    async def call(self, method: str, parameters: Mapping[str, object]) -> object:
        """Return the result; raises `AnswerError` (`RejectedError`), or `UnreachableError` if there is no answer."""
        self._next_id += 1
        request = {"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": parameters}
        try:
            body = json.dumps(request, separators=(",", ":")).encode()
            http_request = self._http.build_request("POST", self.url, content=body)
            http_request.stream = _Body(body)
            answer = await self._http.send(http_request)
            value = json.loads(answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
            raise UnreachableError(f"{self.url}: {str(error) or type(error).__name__}") from None
        if not isinstance(value, dict):
            raise UnreachableError(f"{self.url}: the answer is not JSON-RPC")
        if "result" in value and value.get("id") == request["id"]:
            return value["result"]
        raise _make_error(self.url, value.get("error"))


def _make_error(url: str, error: object) -> Exception:
    if not isinstance(error, dict) or type(error.get("code")) is not int:
        return UnreachableError(f"{url}: the answer is not JSON-RPC")
    data = error.get("data")
    kind = RejectedError if error["code"] == Code.REJECTED else AnswerError
    return kind(error["code"], str(error.get("message")), data if isinstance(data, dict) else {})
