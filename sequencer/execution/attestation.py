"""Find the verdicts on a bundle that count by now. # A8 A9

A rollup is heard only when all that the bundle rests on there is settled: a native one by running
it, a split one by the certificate whose assumption is what came true.
"""

from __future__ import annotations

from sequencer.execution.entries import Entry, Place
from sequencer.execution.evaluation import list_inputs, select_outputs
from sequencer.execution.settlement import Settlement, Trial
from sequencer.types.bundle import Bundle
from sequencer.types.primitives import Height
from sequencer.types.verdict import Output, Verdict, compute_assumption


def attest(entry: Entry, bundle: Bundle, settlement: Settlement, height: Height) -> Trial | None:
    """Note in the entry's places every verdict that counts now.

    Returns the run of its native rollups, if there was one: its writes are in the journals still.
    """
    trial: Trial | None = None
    while True:
        if any(_is_open(place) and not place.is_split for place in entry.places.values()):
            if trial is not None:
                trial.revert()
            trial = settlement.try_natives(entry, bundle)
            _note_natives(entry, bundle, trial)
        has_moved = False
        for place in entry.places.values():
            if place.is_split and _is_open(place):
                has_moved |= _attest_split(entry, bundle, place, height)
        if not (has_moved and entry.has_references):
            return trial


def _is_open(place: Place) -> bool:
    return place.waiting == 0 and place.verdict is None


def _note_natives(entry: Entry, bundle: Bundle, trial: Trial) -> None:
    for rollup in trial.journals:
        entry.places[rollup].note(trial.evaluation)
    if entry.has_references:
        for index, leg in enumerate(bundle.legs):
            outputs = trial.evaluation.outputs[index]
            if leg.rollup in trial.journals and outputs is not None:
                entry.outputs[index] = outputs


def _attest_split(entry: Entry, bundle: Bundle, place: Place, height: Height) -> bool:
    """Take the certificate with the assumption that came true; tells whether there is one."""
    if place.expected is None:
        inputs = _get_inputs(entry, bundle, place)
        if inputs is None:
            return False
        place.expected = compute_assumption(place.get_links(), inputs)
        if place.known_height is None:
            place.known_height = height
            entry.touch()
    statement = place.certificates.get(place.expected)
    if statement is None:
        return False
    place.verdict, place.reason = statement.verdict, statement.reason
    if statement.verdict is Verdict.YES and entry.has_references:
        for index, leg in enumerate(bundle.legs):
            if leg.rollup == place.rollup:
                entry.outputs[index] = {name: amount for at, name, amount in statement.outputs if at == index}
    return True


def _get_inputs(entry: Entry, bundle: Bundle, place: Place) -> tuple[Output, ...] | None:
    """Return the outputs of other rollups that the legs refer to; None while one is not known. # A15"""
    if not entry.has_references:
        return ()
    names = list_inputs(bundle, place.rollup)
    if any(leg not in entry.outputs for leg, _ in names):
        return None
    return select_outputs(names, entry.outputs)
