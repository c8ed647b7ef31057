"""Find the command that was asked for and run it; turn expected errors into one line and an exit status.

Only the named command's module is imported, and that imports what is heavy when it runs,
so `--help` is instant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from sequencer import __version__
from sequencer.cli.command import CommandError, ExitStatus, find_cause, get_reason, get_status, get_text
from sequencer.cli.output import print_json, print_text

COMMANDS = {
    "devnet": "start a local network and show what happens in it",
    "node": "run one node of a network",
    "init": "write the homes of a new network",
    "status": "show how a node stands",
    "validators": "list the validators",
    "tx": "send one transaction",
    "bundle": "send a bundle, or ask what became of it",
    "receipt": "save the receipt of a bundle",
    "proof": "save a proof of an item, a whole list, a value or a verdict",
    "rpc": "call any method of a node",
    "verify": "check receipts without trusting anybody",
    "load": "send traffic and check what becomes of it",
    "simulate": "run many replicas in one thread under one seed",
    "example": "run a small program that shows what this is for",
}
"""Command → its line in the help; the module is `sequencer.cli.<command>`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; prints no traceback for an expected error."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    # Even where PYTHONDONTWRITEBYTECODE says no: libp2p is over a thousand files, and compiling
    # them at every start would cost more than everything else together.
    sys.dont_write_bytecode = False
    try:
        return run_command(arguments)
    except (Exception, BaseExceptionGroup, KeyboardInterrupt) as error:  # noqa: BLE001 # the edge: tells expected errors, re-raises bugs
        return report_error(error, is_json="--json" in arguments)


def run_command(arguments: Sequence[str]) -> int:
    """Parse and run; without a command the help goes to stderr."""
    command = next((word for word in arguments if not word.startswith("-")), None)
    module = load_command(command) if command in COMMANDS else None
    options = build_parser(command, module).parse_args(arguments)
    if module is None:
        build_parser(None, None).print_help(sys.stderr)
        return ExitStatus.FAILED
    return int(module.run(options))


def load_command(name: str | None) -> ModuleType:
    """Import the module of one command: it has `add_arguments(parser)` and `run(options) -> status`."""
    return import_module(f"sequencer.cli.{name}")


class LineParser(argparse.ArgumentParser):
    """A parser whose complaint is one line, as of every other error."""

    def error(self, message: str) -> NoReturn:
        """Raise `CommandError`."""
        raise CommandError(f"{message} (see `{self.prog} --help`)", "usage")


def build_parser(command: str | None, module: ModuleType | None) -> argparse.ArgumentParser:
    """Return the parser; only the command that is asked for has its options."""
    parser = LineParser(
        "sequencer", description="A shared sequencer: bundles take effect on all their rollups or on none."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    for name, text in COMMANDS.items():
        child = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == command and module is not None:
            module.add_arguments(child)
    return parser


def report_error(error: BaseException, is_json: bool) -> int:
    """Tell an expected error in one line and return its status; raise what is a bug of ours."""
    cause = find_cause(error)
    if isinstance(cause, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output went away
        return ExitStatus.FAILED
    status = get_status(cause)
    if status is None:
        raise error
    print_text(f"sequencer: {get_text(cause)}")
    if is_json:
        print_json({"error": get_reason(cause), "message": get_text(cause)})
    return status
