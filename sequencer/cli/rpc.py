"""Call any method of a node: `sequencer rpc seq_getBlock '{"height": 3}'`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from sequencer.cli.ask import ask
from sequencer.cli.command import CommandError, ExitStatus, add_rpc


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rpc`."""
    parser.add_argument("method", metavar="METHOD", help="for example seq_status")
    parser.add_argument("parameters", metavar="PARAMS", nargs="?", default="{}", help="JSON object or array")
    add_rpc(parser)


def run(options: argparse.Namespace) -> int:
    """Call and print the result as JSON: indented for people, one line with --json."""
    result = ask(options, options.method, parse_parameters(options.parameters))
    print(json.dumps(result, separators=(",", ":")) if options.json else json.dumps(result, indent=1))
    return ExitStatus.OK


def parse_parameters(text: str) -> Any:
    """Read PARAMS; raises `CommandError` unless it is a JSON object or array."""
    try:
        parameters = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"PARAMS is no JSON: {error}", "usage") from None
    if not isinstance(parameters, dict | list):
        raise CommandError("PARAMS must be a JSON object or array", "usage")
    return parameters
