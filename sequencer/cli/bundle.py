"""Send, check or cancel a bundle, or ask what became of one and why."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from sequencer.cli.ask import ask
from sequencer.cli.bundle_story import explain, tell_failure, tell_path
from sequencer.cli.command import CommandError, ExitStatus, add_rpc
from sequencer.cli.output import print_json, print_result
from sequencer.cli.sending import add_wait, check_draft, send_draft

FILE_BYTES_MAX = 1 << 20
EXAMPLE = """the least that FILE may hold (chain, sequence, window and so on are filled in):
{"payer": "alice", "legs": [
  {"rollup": "alpha", "signer": "alice",
   "operations": [{"name": "transfer", "arguments": ["gold", {"account": "bob"}, "7"]}]},
  {"rollup": "beta", "signer": "bob",
   "conditions": [{"kind": "at_least", "key": "pool/gold-silver/gold", "low": "1"}],
   "operations": [{"name": "transfer", "arguments": ["silver", {"account": "alice"}, "9"]}]}]}
"""
CANCEL = "Take the place of a bundle that is not ordered yet with one that does nothing and costs the base fee."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bundle send`, `check`, `cancel` and `why`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    send = actions.add_parser(
        "send",
        help="send a bundle",
        description="Send a bundle; names of devnet accounts sign.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_draft(send)
    send.add_argument("--check", action="store_true", help="send nothing if it would abort now")
    add_wait(send)
    send.set_defaults(action=send_file)
    check = actions.add_parser("check", help="tell what a bundle would come to", description="Send nothing; foretell.")
    _add_draft(check)
    check.set_defaults(action=check_file)
    cancel = actions.add_parser("cancel", help="take a bundle's place", description=CANCEL)
    cancel.add_argument("id", metavar="ID", nargs="?", help="0x…; of a bundle that this node holds")
    cancel.add_argument("--payer", metavar="ACCOUNT", help="instead of ID: whose bundle")
    cancel.add_argument("--sequence", type=int, metavar="N", help="instead of ID: which one")
    cancel.add_argument("--channel", type=int, default=0, metavar="N", help="default 0")
    cancel.add_argument("--key", action="append", default=[], metavar="FILE", help="key file of the payer")
    add_wait(cancel)
    add_rpc(cancel)
    cancel.set_defaults(action=cancel_bundle)
    why = actions.add_parser("why", help="tell what became of a bundle", description="Tell what became of a bundle.")
    why.add_argument("id", metavar="ID", help="0x…")
    add_rpc(why)
    why.set_defaults(action=tell_why)


def _add_draft(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="JSON; what is left out is filled in")
    parser.add_argument("--key", action="append", default=[], metavar="FILE", help="key file of a signer, by its path")
    add_rpc(parser)


def run(options: argparse.Namespace) -> int:
    """Run the action that was asked for."""
    return int(options.action(options))


def send_file(options: argparse.Namespace) -> int:
    """Send the bundle of the file."""
    return send_draft(options, read_draft(options.file), tuple(options.key))


def check_file(options: argparse.Namespace) -> int:
    """Print what the bundle of the file would come to, with each condition that fails."""
    import trio

    answer: dict[str, Any] = trio.run(check_draft, options, read_draft(options.file), tuple(options.key))
    if options.json:
        print_json(answer)
        return ExitStatus.OK
    failures = answer.pop("failures")
    print_result(answer, is_json=False)
    for failure in failures:
        print(f"  {tell_failure(failure)}")
    return ExitStatus.OK


def cancel_bundle(options: argparse.Namespace) -> int:
    """Send the smallest bundle that consumes the sequence: no operation, on no key. # A18"""
    payer, channel, sequence = options.payer, options.channel, options.sequence
    if options.id is not None:
        answer = ask(options, "seq_getBundleReceipt", {"id": options.id})
        if answer["status"] != "pending" or answer["ordered_at"] is not None:
            text = f"{options.id} is {answer['status']}: only what is not ordered yet can be cancelled"
            raise CommandError(text, "not-held")
        payer, channel, sequence = answer["payer"], answer["channel"], answer["sequence"]
    if payer is None or sequence is None:
        raise CommandError("give the ID of a bundle, or --payer and --sequence", "usage")
    return send_draft(options, make_cancellation(options, payer, channel, sequence), tuple(options.key))


def make_cancellation(options: argparse.Namespace, payer: str, channel: int, sequence: int) -> dict[str, Any]:
    """Return the draft; on a native rollup if there is one, for then it is decided where it is ordered."""
    rollups = sorted(ask(options, "seq_rollups", {}), key=lambda rollup: (rollup["kind"] != "native", rollup["id"]))
    leg = {"rollup": rollups[0]["name"], "signer": payer, "operations": [], "access": []}
    return {"payer": payer, "channel": channel, "sequence": sequence, "legs": [leg]}


def tell_why(options: argparse.Namespace) -> int:
    """Print the decision path; exit 2 for an unknown id."""
    answer = ask(options, "seq_getBundleReceipt", {"id": options.id})
    if answer["status"] == "unknown":
        raise CommandError(f"{options.id} is unknown to this node", "unknown")
    path = tell_path(answer)
    if options.json:
        print_json({**answer, "because": explain(answer), "path": path})
        return ExitStatus.OK
    print_result({name: answer[name] for name in ("id", "status", "reason", "fee", "is_final")}, is_json=False)
    for step in path:
        print(f"  {step}")
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
