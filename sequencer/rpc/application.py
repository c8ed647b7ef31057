"""Route HTTP requests: POST / (JSON-RPC), GET /events, /health and /metrics; bound each."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sequencer.rpc.connections import EVENTS_PATH
from sequencer.rpc.dispatch import Dispatcher, encode_error
from sequencer.rpc.errors import Code, RpcError
from sequencer.rpc.events import EventStream, read_start
from sequencer.rpc.guard import Guard, RefusedError
from sequencer.rpc.limits import Budget, RateLimiter, RpcLimits
from sequencer.rpc.metrics import render_metrics
from sequencer.rpc.queries import Metric, NodeStatus, Queries, UnavailableError

Endpoint = Callable[[Request], Awaitable[Response]]

STALE_BLOCKS = 1
"""`/health` says 503 below this height."""


class Application:
    """The routes of one node; `get_own_metrics` tells what was refused."""

    def __init__(self, queries: Queries, dispatcher: Dispatcher, guard: Guard, limits: RpcLimits) -> None:
        self._queries = queries
        self._dispatcher = dispatcher
        self._guard = guard
        self._limits = limits
        self._rates = RateLimiter(limits.rate_per_second, limits.rate_burst)
        self._bodies = Budget(limits.body_budget_bytes)
        self._requests = Budget(limits.requests_max)
        self._streams = Budget(limits.streams_max)
        self._refused: dict[int, int] = {}
        self.get_connection_metrics: Callable[[], tuple[Metric, ...]] = tuple
        self.asgi = Starlette(
            routes=[
                Route("/", self._guarded(self._answer_rpc), methods=["POST"]),
                Route(EVENTS_PATH, self._guarded(self._answer_events), methods=["GET"]),
                Route("/health", self._guarded(self._answer_health), methods=["GET"]),
                Route("/metrics", self._guarded(self._answer_metrics), methods=["GET"]),
            ],
            exception_handlers={HTTPException: self._answer_http_error},
        )

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint behind the guard, with its refusals as answers."""

        async def answer(request: Request) -> Response:
            try:
                self._guard.check(request)
                return await endpoint(request)
            except RefusedError as error:
                return self._refuse(error)
            except ClientDisconnect:
                return Response(status_code=400)

        return answer

    def _refuse(self, error: RefusedError) -> Response:
        self._refused[error.http_status] = self._refused.get(error.http_status, 0) + 1
        # The body may not have been read: the connection cannot serve another request.
        headers = {"connection": "close"}
        if error.http_status == 429 and error.data is not None:
            headers["retry-after"] = str(error.data["retry_after_seconds"])
        return Response(encode_error(error), error.http_status, headers, "application/json")

    async def _answer_http_error(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = "POST / takes JSON-RPC; GET /events, /health and /metrics exist"
        return self._refuse(RefusedError(status, text))

    async def _answer_rpc(self, request: Request) -> Response:
        address = request.client.host if request.client else ""
        self._charge_http(address, 1)
        body = await self._read_body(request)
        self._charge_http(address, len(body) // 1024)
        if not self._requests.take():
            raise RefusedError(503, "too many requests are being answered", Code.UNAVAILABLE, {"limit": "requests_max"})
        try:
            answer = await self._dispatcher.answer(body, lambda units: self._charge(address, units))
        finally:
            self._requests.give_back()
        return Response(status_code=204) if answer is None else Response(answer, media_type="application/json")

    def _charge_http(self, address: str, units: int) -> None:
        """Refuse a request of an address that has no unit left, before its body is read or parsed."""
        wait = self._rates.take(address, units, trio.current_time())
        if wait > 0:
            data: dict[str, object] = {"limit": "rate", "retry_after_seconds": math.ceil(wait)}
            raise RefusedError(429, "too many requests from this address", Code.LIMIT, data)

    def _charge(self, address: str, units: int) -> None:
        wait = self._rates.take(address, units, trio.current_time())
        if wait > 0:
            data = {"limit": "rate", "retry_after_seconds": math.ceil(wait)}
            raise RpcError(Code.LIMIT, f"rate limit: {units} units are not granted now", data)

    async def _read_body(self, request: Request) -> bytes:
        """Return the body within its bounds of size, memory and time; raises `RefusedError`."""
        chunks: list[bytes] = []
        size = reserved = 0
        try:
            with trio.fail_after(self._limits.request_seconds_max):
                is_last = False
                while not is_last:
                    chunk, is_last = await _receive(request)
                    size += len(chunk)
                    if size > self._limits.body_bytes_max:
                        raise RefusedError(413, f"the body has more than {self._limits.body_bytes_max} bytes")
                    if size > max(self._limits.large_body_bytes, reserved):
                        reserved = self._reserve(size, reserved)
                    chunks.append(chunk)
        except trio.TooSlowError:
            raise RefusedError(408, f"the body took more than {self._limits.request_seconds_max:g} s") from None
        finally:
            self._bodies.give_back(reserved)
        return b"".join(chunks)

    def _reserve(self, size: int, reserved: int) -> int:
        """Take the share for a body that has grown to `size`; returns what is reserved now."""
        if not self._bodies.take(size - reserved):
            raise RefusedError(503, "too many large bodies at once", Code.UNAVAILABLE, {"limit": "body_budget_bytes"})
        return size

    async def _answer_events(self, request: Request) -> Response:
        self._charge_http(request.client.host if request.client else "", 1)
        start = read_start(request)
        if not self._streams.take():
            raise RefusedError(503, "too many event streams", Code.UNAVAILABLE, {"limit": "streams_max"})
        return EventStream(self._queries, start, self._streams.give_back)

    async def _answer_health(self, request: Request) -> Response:
        """Answer 200 while the node follows the chain, 503 with the reason otherwise."""
        try:
            with trio.fail_after(1):
                status = await self._queries.get_status()
        except (UnavailableError, trio.TooSlowError):
            return JSONResponse({"healthy": False, "reason": "the node does not answer"}, 503)
        reason = _find_illness(status)
        return JSONResponse(
            {"healthy": reason is None, "reason": reason, "height": status.height}, 200 if reason is None else 503
        )

    async def _answer_metrics(self, request: Request) -> Response:
        text = render_metrics((*self._queries.get_metrics(), *self.get_own_metrics()))
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    def get_own_metrics(self) -> tuple[Metric, ...]:
        """Return what this server counted."""
        calls = [
            Metric("sequencer_rpc_calls_total", "counter", "Calls by method.", count, {"method": name})
            for name, count in self._dispatcher.calls.items()
        ]
        errors = [
            Metric("sequencer_rpc_errors_total", "counter", "Error answers by code.", count, {"code": str(code)})
            for code, count in self._dispatcher.errors.items()
        ]
        refused = [
            Metric("sequencer_rpc_refused_total", "counter", "Refused HTTP requests.", count, {"status": str(status)})
            for status, count in sorted(self._refused.items())
        ]
        streams = Metric("sequencer_rpc_streams", "gauge", "Open event streams.", self._streams.used)
        return (*calls, *errors, *refused, streams, *self.get_connection_metrics())


async def _receive(request: Request) -> tuple[bytes, bool]:
    """Return the next piece of the body, and whether it is the last."""
    message = await request.receive()
    if message["type"] != "http.request":
        raise ClientDisconnect
    return bytes(message.get("body", b"")), not message.get("more_body", False)


def _find_illness(status: NodeStatus) -> str | None:
    return status.alarm or status.halt_reason or (None if status.height >= STALE_BLOCKS else "no block yet")
