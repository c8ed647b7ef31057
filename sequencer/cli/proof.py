"""Save a proof file about an item, a rollup's list, a value or a verdict: what `sequencer verify` accepts."""

from __future__ import annotations

import argparse
from pathlib import Path

from sequencer.cli.ask import ask
from sequencer.cli.command import CommandError, ExitStatus, add_rpc
from sequencer.cli.output import print_result

QUESTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "outcome": (("id",), ()),
    "inclusion": (("id",), ()),
    "list": (("rollup",), ("height",)),
    "state": (("rollup", "key"), ("height",)),
    "sequence": (("address", "channel"), ("height",)),
    "deposit": (("address",), ("height",)),
    "message": (("rollup", "id"), ()),
    "verdict": (("rollup", "id"), ()),
}
"""Kind → what it must and may be told."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `proof`."""
    parser.add_argument("kind", choices=QUESTIONS, metavar="KIND", help=", ".join(QUESTIONS))
    parser.add_argument("--out", type=Path, required=True, metavar="F", help="file to write")
    parser.add_argument("--id", metavar="ID", help="bundle, item or message: 0x…")
    parser.add_argument("--rollup", metavar="NAME", help="rollup; `system` lists every item of a height")
    parser.add_argument("--key", metavar="KEY", help="state key; its absence is proven too")
    parser.add_argument("--address", metavar="A", help="payer: 0x…")
    parser.add_argument("--channel", type=int, metavar="N", help="0..15")
    parser.add_argument("--height", type=int, metavar="H", help="by default the newest certified one")
    add_rpc(parser)


def run(options: argparse.Namespace) -> int:
    """Ask for the proof and write its bytes; exit 2 while there is none."""
    answer = ask(options, "seq_getProof", {"kind": options.kind, **read_question(options)})
    data = bytes.fromhex(answer["proof"][2:])
    options.out.write_bytes(data)
    fields = {name: value for name, value in answer.items() if name != "proof"}
    print_result({"kind": options.kind, **fields, "file": str(options.out), "bytes": len(data)}, options.json)
    return ExitStatus.OK


def read_question(options: argparse.Namespace) -> dict[str, object]:
    """Return the parameters of the kind; raises `CommandError` for one that is missing or does not belong to it."""
    needed, allowed = QUESTIONS[options.kind]
    names = {name for question in QUESTIONS.values() for group in question for name in group}
    given = {name: getattr(options, name) for name in sorted(names) if getattr(options, name) is not None}
    for name in needed:
        if name not in given:
            raise CommandError(f"a proof of {options.kind} needs --{name}", "usage")
    for name in given:
        if name not in needed + allowed:
            raise CommandError(f"a proof of {options.kind} takes no --{name}", "usage")
    return given
