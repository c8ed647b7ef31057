"""Check receipts, proofs and evidence with nothing but a genesis; open no socket."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli.command import CommandError, ExitStatus, add_json
from sequencer.cli.output import print_json, print_text
from sequencer.cli.proven import view_to_json
from sequencer.errors import DecodeError, VerificationError

if TYPE_CHECKING:
    from sequencer.light import FileView
    from sequencer.types.genesis import Genesis
    from sequencer.types.primitives import Digest

FILE_BYTES_MAX = 16 << 20
"""Bytes of one file."""
EVIDENCE_PER_FILE_MAX = 4_096
"""Pieces of evidence in one JSON file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `verify`."""
    kinds = "receipt, proof of any kind, or evidence (bytes, or JSON as seq_getEvidence gives it)"
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=kinds)
    absent = "refuse a list that names this item or bundle, and a file that is no list"
    parser.add_argument("--absent", metavar="ID", help=absent)
    parser.add_argument("--genesis", type=Path, required=True, metavar="FILE", help="the network that is trusted")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Verify every file; exit 1 if one proves nothing."""
    genesis = read_genesis(options.genesis)
    absent = None if options.absent is None else read_id(options.absent)
    answers = [answer for path in options.files for answer in verify(path, genesis, absent)]
    refused = sum(not answer["valid"] for answer in answers)
    for answer in answers:
        if options.json:
            print_json(answer)
        else:
            print_text("\n".join(describe(answer)))
    if options.json:
        print_json({"verified": len(answers) - refused, "refused": refused})
    return ExitStatus.BROKEN if refused else ExitStatus.OK


def read_id(text: str) -> Digest:
    """Read 0x and 64 hex digits; raises `CommandError`."""
    from sequencer.rpc.json_values import read_hex

    try:
        return read_hex(text, "--absent", 32, 32)
    except DecodeError as error:
        raise CommandError(str(error)) from None


def read_genesis(path: Path) -> Genesis:
    """Read a genesis file; raises `CommandError` if it is none."""
    from sequencer.types.genesis import GENESIS_BYTES_MAX, Genesis

    try:
        return Genesis.from_bytes(read_bytes(path, GENESIS_BYTES_MAX))
    except DecodeError as error:
        raise CommandError(f"{path} is no genesis: {error}") from None


def read_bytes(path: Path, largest: int) -> bytes:
    """Read a whole file of at most `largest` bytes; raises `CommandError`."""
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > largest:
        raise CommandError(f"{path} has more than {largest} bytes")
    return data


def verify(path: Path, genesis: Genesis, absent: Digest | None = None) -> Iterator[dict[str, object]]:
    """Yield what the file proves, or why it proves nothing; a JSON list of evidence gives one answer for each."""
    data = read_bytes(path, FILE_BYTES_MAX)
    if data.lstrip()[:1] not in (b"[", b"{"):
        yield verify_bytes(str(path), data, genesis, absent)
        return
    try:
        entries = read_json_evidence(data)
    except DecodeError as error:
        yield {"file": str(path), "valid": False, "reason": f"this JSON is no evidence: {error}"}
        return
    for name, entry in entries:
        yield verify_bytes(f"{path}{name}", entry, genesis, absent)


def read_json_evidence(data: bytes) -> list[tuple[str, bytes]]:
    """Return place and bytes of each piece of evidence in an answer of `seq_getEvidence`, or in one element of it.

    Raises `DecodeError` naming the field if it is neither. Only the member `bytes` counts.
    """
    from sequencer.rpc.json_values import Members, parse_json, read_array, read_hex
    from sequencer.types.evidence import EVIDENCE_BYTES_MAX

    def read_one(value: object, path: str) -> bytes:
        return Members(value, path).read("bytes", lambda text, at: read_hex(text, at, EVIDENCE_BYTES_MAX))

    value = parse_json(data, "file")
    if isinstance(value, dict) and "result" in value:
        value = value["result"]
    if isinstance(value, dict):
        return [("", read_one(value, "file"))]
    entries = read_array(value, "file", EVIDENCE_PER_FILE_MAX, 1)
    return [(f"[{index}]", read_one(entry, f"file[{index}]")) for index, entry in enumerate(entries)]


def verify_bytes(name: str, data: bytes, genesis: Genesis, absent: Digest | None = None) -> dict[str, object]:
    """Return what the bytes prove, or why they prove nothing."""
    from sequencer.crypto.signatures import verify_ed25519
    from sequencer.light import verify_file

    try:
        view = verify_file(data, genesis, verify_ed25519)
        verify_question(view, absent)
    except VerificationError as error:
        return {"file": name, "valid": False, "reason": str(error)}
    return {"file": name, "valid": True, **view_to_json(view, genesis)}


def verify_question(view: FileView, absent: Digest | None) -> None:
    """Raise `VerificationError` unless a verified list, or proven absence, leaves the id out; if one is asked for."""
    from sequencer.light import AbsenceView, ListView, verify_unlisted

    if absent is None or isinstance(view, AbsenceView):
        return
    if not isinstance(view, ListView):
        raise VerificationError("absent: only a whole list shows that an id is not in it")
    verify_unlisted(view, absent)


def describe(answer: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines that a person reads about one file."""
    yield f"{'VALID  ' if answer['valid'] else 'INVALID'}  {answer['file']}"
    for name, value in answer.items():
        if name not in ("file", "valid"):
            yield f"  {name:<18}{', '.join(map(str, value)) if isinstance(value, list) else value}"
