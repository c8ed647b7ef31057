"""People read in words how a rollup stands."""

from __future__ import annotations

from typing import Any

import pytest

from sequencer.cli.status import describe, describe_rollup

ROW: dict[str, Any] = {
    "name": "gamma",
    "kind": "split",
    "is_executed": False,
    "settled_height": None,
    "certified_settled_height": 84,
    "is_suspended": False,
    "is_frozen": False,
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "split, not executed here, settled at 84 as certified"),
        ({"is_suspended": True}, "split, not executed here, settled at 84 as certified, suspended"),
        ({"is_executed": True, "settled_height": 90}, "split, settled at 90"),
        ({"is_frozen": True}, "split, frozen: the log says COMMIT where this executor found NO"),
        ({"kind": "native", "is_executed": True, "settled_height": 90}, "native, settled at 90"),
    ],
)
def test_rollup_is_told_in_words(changes: dict[str, Any], text: str) -> None:
    """Executed here or not, settled how far, suspended, frozen."""
    assert describe_rollup({**ROW, **changes}) == text


def test_every_rollup_has_its_line() -> None:
    """What else the status says stays as it is."""
    assert describe({"name": "val0", "rollups": [ROW, {**ROW, "name": "delta"}]}) == {
        "name": "val0",
        "rollup gamma": describe_rollup(ROW),
        "rollup delta": describe_rollup(ROW),
    }
