"""Turn the text of a request into the text of its answer: JSON-RPC 2.0, single and batch."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import trio

from sequencer.errors import DecodeError, InvariantViolation, LocalError
from sequencer.rpc.errors import Code, ConditionLimitError, RpcError
from sequencer.rpc.json_values import Members, parse_json
from sequencer.rpc.limits import RpcLimits
from sequencer.rpc.queries import HeightNotRetainedError, NotExecutedError, Queries, UnavailableError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """What a method gets: the node, its parameters, and how to be charged for items."""

    queries: Queries
    read: Members
    """Parameters by name; the method reads all and finishes."""
    limits: RpcLimits
    charge: Callable[[int], None]
    """Charge the source address for so many items; raises `RpcError` -32005 if they are not granted."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the table."""

    name: str
    parameters: tuple[str, ...]
    """Names in the order in which a parameter array gives them."""
    answer: Callable[[Call], Awaitable[object]]


class Dispatcher:
    """Answers request bodies from a table of methods; counts calls and faults."""

    def __init__(self, queries: Queries, methods: Mapping[str, Method], limits: RpcLimits) -> None:
        self._queries = queries
        self._methods = methods
        self._limits = limits
        self.calls: dict[str, int] = dict.fromkeys(sorted(methods), 0)
        self.errors: dict[int, int] = dict.fromkeys(sorted(int(code) for code in Code), 0)
        self._is_violated = trio.Event()
        self._violation = InvariantViolation("none")

    async def watch(self) -> None:
        """Wait until an answer met a broken invariant, and raise it: the node must stop."""
        await self._is_violated.wait()
        raise self._violation

    async def answer(self, body: bytes, charge: Callable[[int], None]) -> str | None:
        """Return the text of the answer, or None if the body held notifications only.

        All calls of a body share one deadline.
        """
        try:
            request = parse_json(body)
        except DecodeError as error:
            return _encode(self._refuse(None, RpcError(Code.PARSE, str(error))))
        deadline = trio.current_time() + self._limits.request_seconds_max
        if not isinstance(request, list):
            answer = await self._answer_one(request, charge, deadline)
            return None if answer is None else _encode(answer)
        if not 1 <= len(request) <= self._limits.batch_calls_max:
            message = f"a batch has 1..{self._limits.batch_calls_max} calls, not {len(request)}"
            return _encode(self._refuse(None, RpcError(Code.REQUEST, message)))
        return await self._answer_batch(request, charge, deadline)

    async def _answer_batch(self, requests: list[object], charge: Callable[[int], None], deadline: float) -> str | None:
        texts: list[str] = []
        size = 0
        for request in requests:
            answer = await self._answer_one(request, charge, deadline, size > self._limits.answer_bytes_max)
            if answer is not None:
                texts.append(_encode(answer))
                size += len(texts[-1])
        return f"[{','.join(texts)}]" if texts else None

    async def _answer_one(
        self, request: object, charge: Callable[[int], None], deadline: float, is_full: bool = False
    ) -> dict[str, object] | None:
        request_id: object = None
        is_notification = False
        try:
            request_id, is_notification = _read_id(request)
            if is_full:
                raise RpcError(Code.LIMIT, "the batch's answer is full", {"limit": "answer_bytes_max"})
            charge(1)
            result = await self._call(request, charge, deadline)
        except RpcError as error:
            return None if is_notification else self._refuse(request_id, error)
        return None if is_notification else {"jsonrpc": "2.0", "id": request_id, "result": result}

    async def _call(self, request: object, charge: Callable[[int], None], deadline: float) -> object:
        name, parameters = _read_request(request)
        method = self._methods.get(name)
        if method is None:
            raise RpcError(Code.METHOD, f"there is no method {name[:64]!r}")
        self.calls[name] += 1
        try:
            read = _read_parameters(parameters, method.parameters)
            with trio.fail_at(deadline):
                return await method.answer(Call(self._queries, read, self._limits, charge))
        except ConditionLimitError as error:
            raise RpcError(Code.LIMIT, str(error), {"limit": "conditions", "path": error.path}) from None
        except DecodeError as error:
            raise RpcError(Code.PARAMETERS, str(error), {"path": error.path, "detail": error.reason}) from None
        except NotExecutedError as error:
            data = {"reason": "not_executed", "rollup": error.rollup, "executors": list(error.executors)}
            raise RpcError(Code.NOT_EXECUTED, str(error), data) from None
        except HeightNotRetainedError as error:
            raise RpcError(Code.NOT_FOUND, str(error), {"reason": "pruned"}) from None
        except UnavailableError as error:
            raise RpcError(Code.UNAVAILABLE, str(error)) from None
        except trio.TooSlowError:
            message = f"not answered within {self._limits.request_seconds_max:g} s; what was sent may still be taken in"
            raise RpcError(Code.UNAVAILABLE, message) from None
        except RpcError:
            raise
        except InvariantViolation as error:
            self._violation = error
            self._is_violated.set()
            raise RpcError(Code.INTERNAL, "the node found itself in contradiction and stops") from error
        except LocalError as error:
            raise RpcError(Code.PARAMETERS, str(error)) from None
        except Exception as error:
            _LOG.exception("%s failed", name)  # edge of one call: counted, logged, told; the others go on
            raise RpcError(Code.INTERNAL, f"internal error ({type(error).__name__})") from error

    def _refuse(self, request_id: object, error: RpcError) -> dict[str, object]:
        self.errors[int(error.code)] += 1
        return {"jsonrpc": "2.0", "id": request_id, "error": error.to_json()}


def encode_error(error: RpcError) -> str:
    """Return an answer without id, for requests that are refused before they are read."""
    return _encode({"jsonrpc": "2.0", "id": None, "error": error.to_json()})


def _encode(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _read_id(request: object) -> tuple[object, bool]:
    """Return (id, is it a notification); raises `RpcError` for what cannot be an id."""
    if not isinstance(request, dict):
        raise RpcError(Code.REQUEST, "a request must be an object")
    if "id" not in request:
        return None, request.get("jsonrpc") == "2.0" and "method" in request
    request_id = request["id"]
    is_text = type(request_id) is str and len(request_id) <= 128
    is_number = type(request_id) is int and abs(request_id) < 2**64
    if not (is_text or is_number or request_id is None):
        raise RpcError(Code.REQUEST, "id must be text of at most 128 characters, an integer below 2^64, or null")
    return request_id, False


def _read_request(request: object) -> tuple[str, object]:
    """Return (method, parameters) of one request; raises `RpcError` if it is none."""
    try:
        read = Members(request, "request")
        version, name = read.take("jsonrpc"), read.take("method")
        parameters = read.take("params") if read.has("params") else {}
        read.optional("id", lambda value, _: value)
        read.finish()
    except DecodeError as error:
        raise RpcError(Code.REQUEST, str(error), {"path": error.path}) from None
    if version != "2.0":
        raise RpcError(Code.REQUEST, 'request.jsonrpc: must be "2.0"', {"path": "request.jsonrpc"})
    if type(name) is not str:
        raise RpcError(Code.REQUEST, "request.method: must be text", {"path": "request.method"})
    return name, parameters


def _read_parameters(parameters: object, names: tuple[str, ...]) -> Members:
    """Return the parameters by name, whether they came as object or as array."""
    if isinstance(parameters, list):
        if len(parameters) > len(names):
            raise DecodeError("$", f"has {len(parameters)} parameters, at most {len(names)} are known")
        return Members(dict(zip(names, parameters, strict=False)), "$")
    return Members(parameters, "$")
