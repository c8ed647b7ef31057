"""Name what commands share: exit statuses, common options, and how an error is told.

0 all is well, 1 a promise was broken (safety, atomicity, a failed check), 2 it could not run.
"""

from __future__ import annotations

import argparse
import enum
from collections.abc import Mapping

from sequencer.errors import InvariantViolation, LocalError, SequencerError, VerificationError

RPC_DEFAULT = "http://127.0.0.1:8600"
"""Where `devnet` puts its first node's RPC if the port is free."""


class ExitStatus(enum.IntEnum):
    """What the shell is told."""

    OK = 0
    BROKEN = 1
    FAILED = 2


class CommandError(LocalError):
    """A command could not run; `reason` is a fixed word for programs, the text is for people."""

    def __init__(self, text: str, reason: str = "failed") -> None:
        super().__init__(text)
        self.reason = reason


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument(
        "--json", action="store_true", help="one JSON object per line on stdout, the last is the result"
    )


def add_rpc(parser: argparse.ArgumentParser) -> None:
    """Add --rpc URL and --json, as every command that asks a node has them."""
    parser.add_argument("--rpc", metavar="URL", help=f"node to ask; default: the newest devnet, else {RPC_DEFAULT}")
    add_json(parser)


def find_cause(error: BaseException) -> BaseException:
    """Return the first error inside nested exception groups: what a person is told."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def get_status(error: BaseException) -> ExitStatus | None:
    """Return the exit status of an error that we expect, or None for a bug of ours."""
    match error:
        case VerificationError() | InvariantViolation():
            return ExitStatus.BROKEN
        case SequencerError() | OSError() | KeyboardInterrupt():
            return ExitStatus.FAILED
    return None


def get_text(error: BaseException) -> str:
    """Return what a person reads instead of a traceback; one line, but for a failed child's log."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error).strip() or type(error).__name__


def get_reason(error: BaseException) -> str:
    """Return the fixed word by which a program knows the error: ours, or the one that a node gave."""
    reason = getattr(error, "reason", None)
    if reason is None and isinstance(data := getattr(error, "data", None), Mapping):
        reason = data.get("reason")
    return str(reason or "failed")
