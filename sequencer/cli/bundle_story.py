"""Tell people the course of a bundle, from the answer of `seq_getBundleReceipt`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def explain(answer: Mapping[str, Any]) -> str:
    """Return in words why it ended as it did, or what it waits for."""
    if answer["status"] in _PLAIN:
        return _PLAIN[answer["status"]]
    if answer["status"] == "replaced":
        return f"{answer['replaced_by'] or 'another bundle'} took its place: same payer, channel and sequence"
    kind, _, rest = (answer["reason"] or "").partition(":")
    if answer["status"] == "inadmissible":
        return f"{kind}: it was ordered, but could not be taken in; nothing changed, and it may be sent again"
    if answer["status"] == "pending":
        return _explain_pending(answer)
    return _ABORTS[kind](rest) if kind in _ABORTS else f"{kind} {rest}"


def _explain_pending(answer: Mapping[str, Any]) -> str:
    if answer["ordered_at"] is None:
        return "it waits to be ordered"
    until = "" if answer["deadline"] is None else f"; decided at height {answer['deadline']} at the latest"
    return f"it is ordered and waits for a verdict{until}"


def _explain_no(rest: str) -> str:
    rollup, _, verdict = rest.partition(":")
    code, _, path = verdict.partition("@")
    return f"{rollup} said no: {code} at {path}; no leg took effect, sequence and fee are spent"


_PLAIN = {
    "committed": "every rollup said yes: all legs took effect",
    "expired": "its window passed before it was taken in; nothing changed",
}
_ABORTS: Mapping[str, Callable[[str], str]] = {
    "NO": _explain_no,
    "DEP": lambda rest: f"it depends on {rest}, which has not committed; no leg took effect",
    "TIMEOUT": lambda rest: f"no verdict of {rest} counted in time; no leg took effect, only the base fee is spent",
    "SUSPENDED": lambda rest: f"{rest} is suspended since it missed a deadline; no leg took effect, only the base fee",
}


def tell_path(answer: Mapping[str, Any]) -> list[str]:
    """Return one sentence per step: ordered where, waited for whom, who said what, decided when and why."""
    return [*_tell_order(answer), *_tell_waits(answer), *_tell_verdicts(answer), *_tell_end(answer)]


def _tell_order(answer: Mapping[str, Any]) -> Iterator[str]:
    place = answer["ordered_at"]
    if place is not None:
        yield f"height {place['height']}: ordered as item {place['index']}"


def _tell_waits(answer: Mapping[str, Any]) -> Iterator[str]:
    for dep in answer["deps"] or ():
        yield f"it depends on {dep}"
    for one in answer["waited_for"]:
        yield f"{one['rollup']} had to wait for {one['id']}, ordered before it and undecided then"


def _tell_verdicts(answer: Mapping[str, Any]) -> Iterator[str]:
    """Natives speak at once and once per rollup; certificates stand where the log has them."""
    natives = {leg["rollup"]: leg for leg in answer["legs"] or () if leg["source"] == "native"}
    for rollup, leg in natives.items():
        yield f"{rollup}, run by every validator, said {_tell_verdict(leg)}"
    for one in answer["certificates"]:
        signers = ", ".join(one["signers"])
        counted = "" if one["is_taken"] else f"; not counted: {one['result']}"
        yield f"height {one['height']}: {one['rollup']} said {_tell_verdict(one)}, signed by {signers}{counted}"
    for failure in answer["failures"]:
        yield tell_failure(failure)


def tell_failure(failure: Mapping[str, Any]) -> str:
    """Return which condition or operation failed, with what it expected and found."""
    said = f"{failure['rollup']} {failure['path']}: {failure['code']}"
    return f"{said}, expected {failure['expected']}, found {failure['found']}"


def _tell_verdict(said: Mapping[str, Any]) -> str:
    return f"{said['verdict']}" + (f" ({said['reason']})" if said["reason"] else "")


def _tell_end(answer: Mapping[str, Any]) -> Iterator[str]:
    if answer["decided_at"] is not None:
        yield f"height {answer['decided_at']['height']}: {answer['status']}"
    yield explain(answer)
    if answer["is_final"]:
        yield f"final: `sequencer receipt {answer['id']} --out FILE` saves the proof"
