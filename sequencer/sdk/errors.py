"""Name what can go wrong for a client."""

from __future__ import annotations

from collections.abc import Mapping

from sequencer.errors import SequencerError
from sequencer.types.primitives import Digest


class ClientError(SequencerError):
    """Base of what the SDK raises about a node's behaviour."""


class UnreachableError(ClientError):
    """No endpoint answered: refused, closed, too slow, or not with JSON-RPC."""


class AnswerError(ClientError):
    """A node answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Mapping[str, object]) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message
        self.data = data


class RejectedError(AnswerError):
    """The transaction was not taken in; `reason` is one of `types.outcome.Reason`, `path` the wrong field."""

    @property
    def reason(self) -> str:
        """Why."""
        return str(self.data.get("reason", ""))

    @property
    def path(self) -> str:
        """Which field, from `$`, the transaction."""
        return str(self.data.get("path", "$"))


class NotFinalError(ClientError):
    """The transaction did not become final in time; it still may. `bundle_id` lets the caller go on waiting."""

    def __init__(self, bundle_id: Digest, seconds: float) -> None:
        super().__init__(f"{bundle_id.hex()} is not final after {seconds:g} s; it still may become so")
        self.bundle_id = bundle_id
