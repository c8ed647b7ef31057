"""The log of decisions reads from raw blocks when bundles were ordered, decided, and how far a rollup has settled."""

from __future__ import annotations

from typing import Any

from scripts.fault_injection.decisions import Decided, DecisionLog, compute_percentile
from sequencer.codec import encode
from sequencer.types.item import ItemKind


def make_block(height: int, results: dict[str, str], outcomes: dict[str, tuple[str, str]], settled: int) -> Any:
    """A block as `seq_getBlocks` tells it."""
    return {
        "height": height,
        "results": [{"id": one, "status": status, "reason": "UNFUNDED"} for one, status in results.items()],
        "outcomes": [{"id": one, "outcome": told[0], "reason": told[1]} for one, told in outcomes.items()],
        "rollups": [
            {"id": 0, "rollup": "system", "settled_height": None, "leaves": ["0x9201"] * len(results)},
            {"id": 3, "rollup": "gamma", "settled_height": settled, "leaves": []},
        ],
    }


def make_log() -> DecisionLog:
    log = DecisionLog()
    log.add(make_block(1, {"a": "pending", "b": "committed", "c": "inadmissible"}, {"b": ("COMMIT", "")}, 0))
    log.add(make_block(2, {"c": "pending", "a": "inadmissible"}, {}, 0))
    log.add(make_block(5, {}, {"a": ("ABORT", "NO:gamma:EQUALS@legs[1]"), "c": ("ABORT", "TIMEOUT:gamma")}, 4))
    return log


def test_bundle_is_ordered_where_it_was_first_admitted() -> None:
    """A copy that was refused before or after changes nothing."""
    log = make_log()
    assert log.ordered == {"a": 1, "b": 1, "c": 2}
    assert log.decided["c"] == Decided(5, "ABORT", "TIMEOUT:gamma")
    assert log.get_latencies(["a", "b", "c"]) == [0, 3, 4]
    assert log.settled == {"gamma": [0, 0, 4]}


def test_outcomes_are_counted_by_reason() -> None:
    """Up to the rollup; what nobody has seen is open."""
    log = make_log()
    assert log.count(["a", "b", "c", "d"]) == {"NO:gamma": 1, "COMMIT": 1, "TIMEOUT:gamma": 1, "open": 1}
    assert log.find_open(["a", "d"]) == ["d"]


def test_bundle_that_was_refused_once_is_still_open() -> None:
    """Out of order it is refused, and taken in later."""
    log = DecisionLog()
    log.add(make_block(1, {"a": "inadmissible"}, {}, 0))
    assert (log.find_open(["a"]), log.count(["a"])) == (["a"], {"UNFUNDED": 1})


def test_beat_counts_where_it_took_effect() -> None:
    """One that came too late is inadmissible, and a bundle is no beat."""
    log = DecisionLog()
    for height, status in ((1, "committed"), (2, "inadmissible")):
        block = make_block(height, {"a": status, "b": "committed"}, {}, 0)
        envelopes = [encode((kind, bytes(32))) for kind in (ItemKind.BEAT, ItemKind.BUNDLE)]
        block["rollups"][0]["leaves"] = ["0x" + envelope.hex() for envelope in envelopes]
        log.add(block)
    assert log.beats == [1]


def test_percentile_is_a_value_that_so_many_do_not_exceed() -> None:
    """Of 100 values the 95th."""
    assert compute_percentile(list(range(1, 101)), 95) == 95
    assert compute_percentile([4], 95) == 4
    assert compute_percentile([1, 2], 50) == 1
