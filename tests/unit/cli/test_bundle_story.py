"""`bundle why` tells the steps of a bundle in their order, and why it ended as it did."""

from __future__ import annotations

from typing import Any

import pytest

from sequencer.cli.bundle_story import explain, tell_path
from sequencer.rpc.methods.bundles import story_to_json
from tests.integration.rpc.test_bundle_receipt import make_split_story
from tests.split_world import SPLIT_GENESIS


def test_path_of_a_split_bundle_names_order_waiting_certificates_and_end() -> None:
    """One sentence per step, certificates with their signers and heights."""
    answer: Any = story_to_json(make_split_story(), None, SPLIT_GENESIS)
    answer["waited_for"] = [{"rollup": "delta", "id": "0x12"}]
    assert tell_path(answer) == [
        "height 7: ordered as item 2",
        "delta had to wait for 0x12, ordered before it and undecided then",
        "alpha, run by every validator, said yes",
        "height 8: delta said yes, signed by executor-0, executor-1",
        "height 9: delta said no (TOO_LOW@legs[1].conditions[0]), signed by executor-0, executor-2",
        "height 9: aborted",
        "delta said no: TOO_LOW at legs[1].conditions[0]; no leg took effect, sequence and fee are spent",
    ]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"status": "committed", "reason": ""}, "all legs took effect"),
        ({"status": "expired"}, "window passed"),
        ({"status": "replaced", "replaced_by": "0x77"}, "0x77 took its place"),
        ({"status": "replaced", "replaced_by": None}, "another bundle took its place"),
        ({"status": "inadmissible", "reason": "SEQUENCE_GAP"}, "SEQUENCE_GAP: it was ordered"),
        ({"status": "aborted", "reason": "TIMEOUT:gamma"}, "no verdict of gamma counted in time"),
        ({"status": "aborted", "reason": "SUSPENDED:gamma"}, "gamma is suspended"),
        ({"status": "aborted", "reason": "DEP:ab"}, "depends on ab"),
        ({"status": "pending", "ordered_at": None}, "waits to be ordered"),
        ({"status": "pending", "ordered_at": {"height": 1}, "deadline": 9}, "decided at height 9 at the latest"),
    ],
)
def test_every_end_is_explained_in_words(fields: dict[str, Any], text: str) -> None:
    """One row per kind of end."""
    assert text in explain({"reason": None, **fields})
