"""List the planted bugs of bundles over split rollups; random cases over three of them catch each."""

from __future__ import annotations

from tests.simulation.planted.edit import Edit
from tests.simulation.planted.plant import PlantedBug


def _bug(name: str, rule: str, edits: tuple[Edit, ...], *caught_by: str) -> PlantedBug:
    """Return a bug that is hunted in cases of `tests/properties/split`."""
    return PlantedBug(name, rule, edits, caught_by or (rule,), by_cases=True)


BUGS = (
    _bug(
        "assumption_ignored",
        "A9",
        (
            Edit(
                "execution.attestation:_attest_split",
                "place.certificates.get(place.expected)",
                "next(iter(place.certificates.values()), None)",
            ),
        ),
        "A8",
        "A9",
    ),
    _bug(
        "ancestors_untracked",
        "A9",
        (Edit("execution.pending_table:PendingTable._place", "listed.index.find(access)", "[]"),),
        "A3",
        "A8",
        "A9",
        "A11",
    ),
    _bug(
        "executor_signature_unchecked",
        "A9",
        (
            Edit(
                "types.item:check_certificate",
                "if not verifier(keys[signer], message, signature):",
                "if not signature:",
            ),
        ),
    ),
    _bug(
        "executor_threshold_f",
        "A9",
        (Edit("types.item_rules:ExecutorSet.threshold", "self.fault_count + 1", "self.fault_count"),),
    ),
    _bug(
        "sequence_reused",
        "A6",
        (Edit("execution.system_state:check_admission", "bundle.sequence < expected_sequence", "False"),),
    ),
    _bug(
        "legs_unsigned",
        "A1",
        (Edit("types.bundle:Bundle.id", "tuple(leg.digest for leg in self.legs)", "()"),),
    ),
    _bug(
        "timeout_by_node",
        "A8",
        (
            Edit(
                "execution.automaton:OutcomeAutomaton.time_out_next",
                "self._table.find_due(self._block.height)",
                "self._table.find_due(self._block.height - len(self._rules.machines) % 2)",
            ),
        ),
        "A8",
        "E2",
    ),
    _bug(
        "timeout_late",
        "A21",
        (
            Edit(
                "execution.automaton:OutcomeAutomaton.time_out_next",
                "self._table.find_due(self._block.height)",
                "self._table.find_due(self._block.height - 1)",
            ),
        ),
        "A8",
    ),
    _bug(
        "suspension_stays",
        "A13",
        (
            Edit(
                "execution.automaton:OutcomeAutomaton._apply_statement",
                "system_state.set_suspension(self._system, rollup, 0)",
                "pass",
            ),
        ),
    ),
    _bug(
        "suspension_unfounded",
        "A13",
        (Edit("execution.rule:list_suspended", "height - place.known_height >= SUSPENSION_GRACE_HEIGHTS", "True"),),
    ),
    _bug(
        "abort_keeps_a_rollup",
        "A8",
        (
            Edit(
                "execution.settlement:Trial.revert",
                "in zip(self.journals.values(), self.marks, strict=True):",
                "in list(zip(self.journals.values(), self.marks, strict=True))[1:]:",
            ),
        ),
        "A8",
        "A11",
        "A20",
    ),
    _bug(
        "prediction_as_outcome",
        "A8",
        (
            Edit(
                "execution.attestation:_is_open",
                "place.waiting == 0 and place.verdict is None",
                "place.verdict is None",
            ),
        ),
        "A8",
        "A9",
        "A11",
    ),
    _bug(
        "deps_look_forward",
        "A16",
        (
            Edit(
                "execution.admission:Admission._get_status",
                "or self._window.get_status(item_id)",
                "or self._window.get_status(item_id) or Status.PENDING",
            ),
        ),
    ),
    _bug(
        "refund_forgotten",
        "A17",
        (Edit("execution.system_state:burn", "held - fee)", "-fee if not held else 0)"),),
    ),
    _bug(
        "timeout_costs_all",
        "A17",
        (
            Edit(
                "execution.automaton:OutcomeAutomaton._compute_fee",
                "if not outcome.is_paid_whole:",
                "if False:",
            ),
        ),
        "A8",
        "A13",
    ),
    _bug(
        "inputs_unbound",
        "A15",
        (Edit("types.verdict:compute_assumption", "tuple(sorted(inputs))", "()"),),
        "A9",
    ),
    _bug(
        "readers_overtaken",
        "A11",
        (
            Edit(
                "execution.access_index:AccessIndex._find_key",
                "mode is AccessMode.WRITE and key in self._readers",
                "False",
            ),
        ),
        "A3",
        "A8",
        "A9",
        "A11",
    ),
    _bug(
        "native_times_out",
        "A8",
        (
            Edit(
                "execution.pending_table:PendingTable.add",
                "if entry.is_timed:",
                "if True:",
            ),
            Edit("execution.pending_table:PendingTable._set_horizons", "if not entry.is_timed:", "if False:"),
        ),
    ),
    _bug(
        "caps_ignored",
        "A3",
        (
            Edit(
                "execution.pending_table:PendingTable.check_room",
                "if not entry.is_timed and entry.is_ripe and entry.get_open_dep() is None:",
                "if True:",
            ),
        ),
    ),
    _bug(
        "message_twice",
        "A19",
        (
            Edit(
                "execution.deliveries:check_delivery",
                "read(make_inbox_key(message.id)) is not None",
                "read(make_inbox_key(message.id)) == 0",
            ),
        ),
    ),
    _bug(
        "frozen_goes_on",
        "A12",
        (Edit("execution.settlement:Settlement._commit_split", "self.frozen.add(rollup)", "pass"),),
        "A11",
        "A12",
    ),
)
