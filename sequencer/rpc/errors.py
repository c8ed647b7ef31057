"""Name every answer to a request that cannot be served, with its JSON-RPC code."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from sequencer.errors import DecodeError, SequencerError


class Code(enum.IntEnum):
    """JSON-RPC error codes; the texts and examples stand in `specs/rpc.md`."""

    PARSE = -32700
    """The body is not one JSON text of at most 1 MiB, nested at most 32 deep, without duplicate keys."""
    REQUEST = -32600
    """JSON, but no JSON-RPC 2.0 request, or over HTTP in a way that is refused."""
    METHOD = -32601
    PARAMETERS = -32602
    """A parameter is missing, unknown or wrong; `data.path` names it."""
    INTERNAL = -32603
    """The node is at fault; it counted and logged it."""
    NOT_FOUND = -32001
    """`data.reason` is `unknown`, `pruned` or `future`."""
    UNAVAILABLE = -32002
    """The node cannot answer now; the same request may succeed later or elsewhere."""
    REJECTED = -32003
    """The transaction was not taken in; `data.reason` and `data.path` say why."""
    UNSUPPORTED = -32004
    LIMIT = -32005
    """`data.limit` names the limit."""
    NOT_EXECUTED = -32006
    """This node does not execute the split rollup; `data.executors` names who does."""
    NOT_FINAL = 4
    """Taken in, but not final in the time given; `data.id` is the id to ask for."""


class RpcError(SequencerError):
    """A request is answered with an error; nothing changed unless the code is NOT_FINAL."""

    def __init__(self, code: Code, message: str, data: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data

    def to_json(self) -> dict[str, object]:
        """Return the `error` member of the answer."""
        answer: dict[str, object] = {"code": int(self.code), "message": str(self)}
        if self.data is not None:
            answer["data"] = dict(self.data)
        return answer


class ConditionLimitError(DecodeError):
    """A leg asks for more conditions than it may have: a limit, as ERC-7796 tells it, not a wrong field."""
