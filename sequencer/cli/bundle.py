"""Send a bundle from a file, or ask what became of one and why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sequencer.cli.ask import ask
from sequencer.cli.command import CommandError, ExitStatus, add_rpc
from sequencer.cli.output import print_json, print_result
from sequencer.cli.sending import add_wait, send_draft

FILE_BYTES_MAX = 1 << 20
EXAMPLE = """the least that FILE may hold (chain, sequence, window and so on are filled in):
{"payer": "alice", "legs": [
  {"rollup": "alpha", "signer": "alice",
   "operations": [{"name": "transfer", "arguments": ["gold", {"account": "bob"}, "7"]}]},
  {"rollup": "beta", "signer": "bob",
   "conditions": [{"kind": "at_least", "key": "pool/gold-silver/gold", "low": "1"}],
   "operations": [{"name": "transfer", "arguments": ["silver", {"account": "alice"}, "9"]}]}]}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bundle send` and `bundle why`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    send = actions.add_parser(
        "send",
        help="send a bundle",
        description="Send a bundle; names of devnet accounts sign.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    send.add_argument("file", type=Path, metavar="FILE", help="JSON; what is left out is filled in")
    send.add_argument("--key", action="append", default=[], metavar="FILE", help="key file of a signer, by its path")
    add_wait(send)
    add_rpc(send)
    send.set_defaults(action=send_file)
    why = actions.add_parser("why", help="tell what became of a bundle", description="Tell what became of a bundle.")
    why.add_argument("id", metavar="ID", help="0x…")
    add_rpc(why)
    why.set_defaults(action=tell_why)


def run(options: argparse.Namespace) -> int:
    """Run `send` or `why`."""
    return int(options.action(options))


def send_file(options: argparse.Namespace) -> int:
    """Send the bundle of the file."""
    return send_draft(options, read_draft(options.file), tuple(options.key))


def tell_why(options: argparse.Namespace) -> int:
    """Print status, place and reason, and for people what the reason means; exit 2 for an unknown id."""
    answer = ask(options, "seq_getBundleReceipt", {"id": options.id})
    if answer["status"] == "unknown":
        raise CommandError(f"{options.id} is unknown to this node", "unknown")
    shown = {name: answer[name] for name in ("id", "status", "height", "reason", "is_final", "failures")}
    if options.json:
        print_json({**shown, "because": explain(answer)})
        return ExitStatus.OK
    failures = shown.pop("failures")
    print_result({**shown, "because": explain(answer)}, is_json=False)
    for failure in failures:
        print(
            f"  {failure['rollup']} {failure['path']}: {failure['code']}, "
            f"expected {failure['expected']}, found {failure['found']}"
        )
    return ExitStatus.OK


def read_draft(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises `CommandError` if the file holds none."""
    try:
        with path.open("rb") as file:
            draft = json.loads(file.read(FILE_BYTES_MAX))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} holds no JSON of at most {FILE_BYTES_MAX} bytes: {error}") from None
    if not isinstance(draft, dict):
        raise CommandError(f"{path} holds no JSON object")
    return draft


def explain(answer: Mapping[str, Any]) -> str:
    """Return the reason in words."""
    kind, _, rest = (answer["reason"] or "").partition(":")
    if answer["status"] == "committed":
        return "every rollup said yes: all legs took effect"
    if kind == "NO":
        rollup, _, verdict = rest.partition(":")
        code, _, path = verdict.partition("@")
        return f"{rollup} said no: {code} at {path}; no leg took effect, sequence and fee are spent"
    if kind == "DEP":
        return f"it depends on {rest}, which has not committed; no leg took effect"
    if answer["status"] == "inadmissible":
        return f"{kind}: it was ordered, but could not be taken in; nothing changed"
    return "it waits to be ordered"
