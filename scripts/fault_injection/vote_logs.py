"""Read what validators signed, from their vote logs and from the wire, and look for contradictions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import StoreError
from sequencer.types.genesis import Genesis
from sequencer.types.records import RecordKind
from sequencer.types.signing import SignatureKind, compute_signing_bytes

_ONE_PER_NUMBER = (
    RecordKind.PROPOSAL,
    RecordKind.NOTARIZE,
    RecordKind.FINALIZE,
    RecordKind.OWN_BATCH,
    RecordKind.COMMITMENT,
    RecordKind.HAVE,
)


class Said(NamedTuple):
    """One thing that a validator said: in its own vote log, or to another one."""

    validator: str
    kind: RecordKind
    number: int
    """View, lane position or height, as the kind demands."""
    digest: str
    """Hex."""


def find_contradictions(said: Iterable[Said]) -> list[str]:
    """Return what no honest validator says: two digests of one kind at one number, or finalize and nullify. # I9"""
    digests: dict[tuple[str, RecordKind, int], set[str]] = {}
    for validator, kind, number, digest in said:
        digests.setdefault((validator, kind, number), set()).add(digest)
    double = [
        f"{validator} said {kind.name} for two digests at {number}"
        for (validator, kind, number), found in sorted(digests.items())
        if kind in _ONE_PER_NUMBER and len(found) > 1
    ]
    both = [
        f"{validator} finalized and nullified view {number}"
        for validator, kind, number in sorted(digests)
        if kind is RecordKind.FINALIZE and (validator, RecordKind.NULLIFY, number) in digests
    ]
    return double + both


def read_log(name: str, home: Path) -> list[Said]:
    """Return everything that the vote log of a home still holds; nothing if it has been deleted."""
    from sequencer.store.vote_log import read_records

    return [
        Said(name, record.kind, record.number, record.digest.hex())
        for path in sorted((home / "votes").glob("*.log"))
        for record in read_records(path)[1]
    ]


def read_wire(home: Path) -> Iterator[tuple[Said, str]]:
    """Yield what others said to this node, each with its signature in hex; a torn last line is left out."""
    for path in (home / "wire.jsonl.1", home / "wire.jsonl"):
        for line in path.read_text().splitlines(keepends=True) if path.exists() else ():
            if line.endswith("\n"):
                entry = json.loads(line)
                said = Said(f"val{entry['signer']}", RecordKind[entry["kind"]], entry["number"], entry["digest"])
                yield said, entry["signature"]


def is_signed(said: Said, signature: str, genesis: Genesis) -> bool:
    """Tell whether the signature on a statement from the wire is really the validator's."""
    index = genesis.committee.get_index(said.validator)
    kind = SignatureKind.BATCH_HEADER if said.kind is RecordKind.OWN_BATCH else SignatureKind(said.kind)
    digest = bytes.fromhex(said.digest)
    message = compute_signing_bytes(genesis.chain_id, genesis.committee.epoch, kind, said.number, digest)
    return verify_ed25519(genesis.validators[index].public_key, message, bytes.fromhex(signature))


class Transcript:
    """All that was ever said, taken down over all lives of the validators, for segments and files go with time."""

    def __init__(self, genesis: Genesis) -> None:
        self.genesis = genesis
        self.logged: set[Said] = set()
        self.heard: dict[Said, str] = {}
        """What came over the wire, each with one signature in hex; whether it is good is checked later."""

    def add_log(self, name: str, home: Path) -> None:
        """Take down what the vote log of a home holds now."""
        try:
            self.logged.update(read_log(name, home))
        except StoreError:  # the segment went, for the next one is there
            self.logged.update(read_log(name, home))

    def add_wire(self, home: Path) -> None:
        """Take down what a home recorded from the wire."""
        self.heard.update(read_wire(home))

    def find_unsigned(self) -> list[Said]:
        """Return what somebody claimed to have heard that its validator did not sign."""
        return [said for said, signature in self.heard.items() if not is_signed(said, signature, self.genesis)]

    def find_contradictions(self) -> list[str]:
        """Hold logs and wire against themselves and each other."""
        return find_contradictions({*self.logged, *self.heard})
