"""List the planted bugs of execution and commitments."""

from __future__ import annotations

from tests.simulation.planted.edit import Edit
from tests.simulation.planted.plant import PlantedBug

BUGS = (
    PlantedBug(
        "held_back_for_good",
        "A5",
        (
            Edit(
                "mempool.patience:_get_end",
                "entry.admitted_height + HOLD_BACK_HEIGHTS",
                "entry.admitted_height + 2**40 + HOLD_BACK_HEIGHTS",
            ),
        ),
        ("I13",),
    ),
    PlantedBug(
        "bundle_partial",
        "A8",
        (Edit("state.journal:Journal.revert", "while len(self._undo) > mark:", "while len(self._undo) > mark + 1:"),),
        ("A8", "A11", "A20"),
    ),
    PlantedBug(
        "replay_accepted",
        "A6",
        (Edit("execution.system_state:check_admission", "if bundle.sequence < expected_sequence:", "if False:"),),
        ("A6",),
    ),
    PlantedBug(
        "fee_not_burned",
        "A17",
        (
            Edit(
                "execution.system_state:admit",
                "system.set(deposit_key, deposit - fee)",
                "system.set(deposit_key, deposit)",
            ),
        ),
        ("A17",),
    ),
    PlantedBug(
        "deps_ignored",
        "A16",
        (Edit("execution.outcome_window:OutcomeWindow.get_status", "self._statuses.get(bundle_id)", "Status.COMMIT"),),
        ("A16",),
    ),
    PlantedBug(
        "access_undeclared",
        "A7",
        (Edit("execution.evaluation:_run", "leg.signer, leg.declared,", "leg.signer, None,"),),
        ("A7",),
    ),
    PlantedBug(
        "commitment_without_time",
        "E2",
        (Edit("execution.commitments:make_commitment", "time_ms=header.time_ms", "time_ms=0"),),
        ("E2",),
    ),
    PlantedBug(
        "commitment_off_schedule",
        "E2",
        (Edit("replica.commitments:Commitments.on_executed", "if executed.is_scheduled and", "if"),),
        ("E2",),
    ),
)
