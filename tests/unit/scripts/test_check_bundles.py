"""A prediction that differs from the outcome, or from what the script knows, is seen."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.fault_injection.bundle_cases import Case
from scripts.fault_injection.check_bundles import list_differences

FAILURE = {
    "rollup": "alpha",
    "code": "TOO_LOW",
    "path": "$.legs[0].conditions[0]",
    "expected": "at least 9",
    "found": "8",
}
FALSE = Case("not_at_least", False, "0x", "0x", "TOO_LOW", "$.legs[0].conditions[0]", "at least 9", "8")


def make_told(**changes: Any) -> dict[str, Any]:
    """Return a case that ended as foretold, with changes to what was foretold."""
    reason = "NO:alpha:TOO_LOW@legs[0].conditions[0]"
    receipt = {"status": "aborted", "reason": reason, "fee": "5", "failures": [FAILURE]}
    foretold = {"would": "abort", "reason": reason, "fee": "5", "failures": [FAILURE], **changes}
    return {"case": FALSE, "foretold": foretold, "receipt": receipt, "other": receipt, "block": {"height": 3}}


def test_right_prediction_has_no_difference() -> None:
    """Control of the ones below."""
    assert list_differences(make_told()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"would": "commit"},
        {"reason": "NO:beta:TOO_LOW@legs[0].conditions[0]"},
        {"fee": "6"},
        {"failures": []},
        {"failures": [{**FAILURE, "found": "7"}]},
        {"failures": [{**FAILURE, "expected": "at least 8"}]},
        {"failures": [{**FAILURE, "path": "$.legs[1].conditions[0]"}]},
    ],
)
def test_wrong_prediction_is_a_difference(changes: dict[str, Any]) -> None:
    """Each part of the answer."""
    assert len(list_differences(make_told(**changes))) == 1


def test_answers_that_agree_on_a_wrong_value_are_a_difference() -> None:
    """What the script read itself counts."""
    told = make_told(failures=[{**FAILURE, "found": "7"}])
    told["receipt"]["failures"] = told["foretold"]["failures"]
    assert "known failure" in list_differences(told)[0]
