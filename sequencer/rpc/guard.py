"""Refuse HTTP requests that a browser or a stranger sends in a user's name.

A page on another site can make a browser send requests to 127.0.0.1. What it cannot do is
send `application/json` without a preflight (which is not answered), forge `Host` or omit
`Origin`; so these three are checked.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request

from sequencer.rpc.errors import Code, RpcError

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


class RefusedError(RpcError):
    """The request is refused before it is read; `http_status` is the answer's."""

    def __init__(
        self, http_status: int, message: str, code: Code = Code.REQUEST, data: dict[str, object] | None = None
    ) -> None:
        super().__init__(code, message, data)
        self.http_status = http_status


class Guard:
    """Checks version, host, origin and content type of every request."""

    def __init__(self, hosts: Iterable[str]) -> None:
        """`hosts` are names under which the node is reached besides the loopback ones, without port."""
        self._hosts = LOOPBACK_HOSTS | frozenset(host.lower() for host in hosts)

    def check(self, request: Request) -> None:
        """Raise `RefusedError` for a request that may not be served."""
        if request.scope.get("http_version") not in ("1.0", "1.1"):
            raise RefusedError(505, "HTTP/1.1 only")
        host = self._check_host(request)
        for origin in request.headers.getlist("origin"):
            if origin.lower() != f"http://{host}":
                raise RefusedError(403, "requests of another origin are refused")
        if request.method == "POST":
            _check_content_type(request)

    def _check_host(self, request: Request) -> str:
        hosts = request.headers.getlist("host")
        if len(hosts) != 1:
            raise RefusedError(400, "exactly one Host header is required")
        host = hosts[0].lower()
        name, colon, port = host.rpartition(":")
        if not colon or host.endswith("]"):
            name, port = host, ""
        if name not in self._hosts or (port and not port.isascii()) or (port and not port.isdigit()):
            raise RefusedError(403, "this Host is not served; the operator can add it")
        return host


def _check_content_type(request: Request) -> None:
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise RefusedError(415, "content-type must be application/json")
