"""Check receipts, state proofs and evidence with nothing but a genesis; open no socket."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli.command import CommandError, ExitStatus, add_json
from sequencer.cli.output import print_json, print_text
from sequencer.errors import DecodeError, VerificationError

if TYPE_CHECKING:
    from sequencer.light import EvidenceView, ReceiptView, StateProofView
    from sequencer.types.genesis import Genesis

FILE_BYTES_MAX = 16 << 20
"""Bytes of one file."""
EVIDENCE_PER_FILE_MAX = 4_096
"""Pieces of evidence in one JSON file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `verify`."""
    kinds = "receipt, state proof, or evidence (bytes, or JSON as seq_getEvidence gives it)"
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=kinds)
    parser.add_argument("--genesis", type=Path, required=True, metavar="FILE", help="the network that is trusted")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Verify every file; exit 1 if one proves nothing."""
    genesis = read_genesis(options.genesis)
    answers = [answer for path in options.files for answer in verify(path, genesis)]
    refused = sum(not answer["valid"] for answer in answers)
    for answer in answers:
        if options.json:
            print_json(answer)
        else:
            print_text("\n".join(describe(answer)))
    if options.json:
        print_json({"verified": len(answers) - refused, "refused": refused})
    return ExitStatus.BROKEN if refused else ExitStatus.OK


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


def verify(path: Path, genesis: Genesis) -> Iterator[dict[str, object]]:
    """Yield what the file proves, or why it proves nothing; a JSON list of evidence gives one answer for each."""
    data = read_bytes(path, FILE_BYTES_MAX)
    if data.lstrip()[:1] not in (b"[", b"{"):
        yield verify_bytes(str(path), data, genesis)
        return
    try:
        entries = read_json_evidence(data)
    except DecodeError as error:
        yield {"file": str(path), "valid": False, "reason": f"this JSON is no evidence: {error}"}
        return
    for name, entry in entries:
        yield verify_bytes(f"{path}{name}", entry, genesis)


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


def verify_bytes(name: str, data: bytes, genesis: Genesis) -> dict[str, object]:
    """Return what the bytes prove, or why they prove nothing."""
    from sequencer.crypto.signatures import verify_ed25519
    from sequencer.light import verify_file

    try:
        view = verify_file(data, genesis, verify_ed25519)
    except VerificationError as error:
        return {"file": name, "valid": False, "reason": str(error)}
    return {"file": name, "valid": True, **view_to_json(view, genesis)}


def view_to_json(view: ReceiptView | StateProofView | EvidenceView, genesis: Genesis) -> dict[str, object]:
    """Return the facts that a verified file proves."""
    from sequencer.light import EvidenceView, ReceiptView

    if isinstance(view, EvidenceView):
        return evidence_to_json(view)
    signers = [genesis.validators[index].name for index in view.signers]
    if isinstance(view, ReceiptView):
        return {
            "id": "0x" + view.bundle_id.hex(),
            "outcome": view.status.name,
            "reason": view.reason,
            "height": view.height,
            "index": view.index,
            "time_ms": view.time_ms,
            "rollups": [genesis.get_rollup(rollup).name for rollup in view.rollups],
            "certified_height": view.certified_height,
            "signers": signers,
        }
    return {
        "rollup": "system" if view.namespace == 0 else genesis.get_rollup(view.namespace).name,
        "key": view.key,
        "value": f"0x{view.value.hex()}" if isinstance(view.value, bytes) else view.value and str(view.value),
        "height": view.height,
        "certified_height": view.certified_height,
        "signers": signers,
    }


def evidence_to_json(view: EvidenceView) -> dict[str, object]:
    """Return who did what, where."""
    return {
        "id": "0x" + view.evidence_id.hex(),
        "rule": view.rule,
        "offence": view.offence,
        "validator": view.name,
        "epoch": view.epoch,
        view.place: view.number,
        "digests": ["0x" + digest.hex() for digest in view.digests],
    }


def describe(answer: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines that a person reads about one file."""
    yield f"{'VALID  ' if answer['valid'] else 'INVALID'}  {answer['file']}"
    for name, value in answer.items():
        if name not in ("file", "valid"):
            yield f"  {name:<18}{', '.join(map(str, value)) if isinstance(value, list) else value}"
