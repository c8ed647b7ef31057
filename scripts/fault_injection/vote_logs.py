"""Read what validators signed, from their vote logs and from the wire, and look for contradictions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sequencer.types.records import RecordKind

_ONE_PER_NUMBER = (
    RecordKind.PROPOSAL,
    RecordKind.NOTARIZE,
    RecordKind.FINALIZE,
    RecordKind.OWN_BATCH,
    RecordKind.COMMITMENT,
)

Said = tuple[str, RecordKind, int, str]
"""Validator, what it said, view or position or height, digest in hex."""


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
    """Return everything that the vote log of a home still holds."""
    from sequencer.store.vote_log import read_records

    return [
        (name, record.kind, record.number, record.digest.hex())
        for path in sorted((home / "votes").iterdir())
        for record in read_records(path)[1]
    ]
