"""Tell what would become of a bundle as the next item, as far as this node can know."""

from __future__ import annotations

from typing import NamedTuple

from sequencer.execution import system_state
from sequencer.execution.admission import Admission
from sequencer.execution.entries import Entry
from sequencer.execution.rule import Rules, find_outcome
from sequencer.execution.settlement import Settlement
from sequencer.types.bundle import Bundle
from sequencer.types.outcome import Rejection, Status


class Foreseen(NamedTuple):
    """What would become of a bundle."""

    rejection: Rejection | None
    status: Status
    """PENDING if that depends on a rollup that is not executed here, or on a dep that is undecided."""
    reason: str
    fee: int
    entry: Entry | None
    """With the verdicts that are known here; None for what is not taken in."""


def foresee(bundle: Bundle, rules: Rules, admission: Admission, settlement: Settlement) -> Foreseen:
    """Judge the bundle on the settled states, whatever it would have to wait for; changes nothing."""
    hold = system_state.compute_hold(bundle, rules.parameters)
    entry = admission.admit_bundle(0, bundle, hold)
    if isinstance(entry, Rejection):
        return Foreseen(entry, Status.INADMISSIBLE, entry.reason.value, 0, None)
    outcome = admission.find_suspension(bundle)
    if outcome is None:
        settlement.try_all(entry, bundle).revert()
        outcome = find_outcome(entry, rules.names)
    if outcome is None:
        return Foreseen(None, Status.PENDING, "", hold, entry)
    fee = system_state.compute_fee(bundle, rules.parameters) if outcome.is_paid_whole else rules.parameters.fee_base
    return Foreseen(None, outcome.status, outcome.reason, fee, entry)
