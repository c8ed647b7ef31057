"""Run the command line in a process in which no socket can be opened.

    python -m scripts.fault_injection.offline verify FILE --genesis FILE

Whatever tries ends with `SocketOpened`; the interpreter itself tells of every attempt.
"""

from __future__ import annotations

import os
import shutil
import sys

SOCKET_STATUS = 3
"""Exit status of a command that tried to open a socket."""


class SocketOpened(BaseException):
    """A socket was about to be opened; nothing handles it."""


def refuse_sockets(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse the events of the interpreter by which a socket comes into being or resolves a name."""
    if event in ("socket.__new__", "socket.getaddrinfo", "socket.gethostbyname"):
        raise SocketOpened(event)


def make_offline_command() -> list[str]:
    """Return what runs the command line without sockets; as root, also where there is no network at all."""
    has_namespace = os.geteuid() == 0 and shutil.which("unshare") is not None
    return [*(("unshare", "--net") if has_namespace else ()), sys.executable, "-m", "scripts.fault_injection.offline"]


def main() -> int:
    """Run the words of the command line as `sequencer` would."""
    from sequencer.cli.main import main as run_command_line

    sys.addaudithook(refuse_sockets)
    try:
        return run_command_line(sys.argv[1:])
    except SocketOpened as error:
        print(f"offline: {error}", file=sys.stderr)
        return SOCKET_STATUS


if __name__ == "__main__":
    sys.exit(main())
