"""The scripts count effects, outcomes and syncs as the raw answers say."""

from __future__ import annotations

from typing import Any

from scripts.fault_injection.check_load import Count, count_blocks
from scripts.fault_injection.count_syncs import VOTE_LOG_SYNC
from scripts.fault_injection.send_to_all import find_doubles, find_effects
from sequencer.types.leaves import encode_leg_leaf

ONE, TWO = bytes([1]) * 32, bytes([2]) * 32


def make_block(height: int, *results: tuple[bytes, str]) -> dict[str, Any]:
    """A block as `seq_getBlock` tells it: `ONE` is a bundle of two legs, `TWO` a transaction."""
    decided = [(item_id, status) for item_id, status in results if status in ("committed", "aborted")]
    legs = {ONE: [(1, 0, 2), (2, 1, 2)], TWO: [(1, 0, 1)]}
    leaves: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for item_id, _ in decided:
        for rollup, index, count in legs[item_id]:
            leaves[rollup].append("0x" + encode_leg_leaf(item_id, index, count, bytes(32)).hex())
    outcome = {"committed": "COMMIT", "aborted": "ABORT"}
    return {
        "height": height,
        "results": [{"index": i, "id": "0x" + r[0].hex(), "status": r[1]} for i, r in enumerate(results)],
        "outcomes": [{"id": "0x" + item_id.hex(), "outcome": outcome[status]} for item_id, status in decided],
        "rollups": [{"id": rollup, "leaves": rows} for rollup, rows in leaves.items()],
    }


def test_blocks_are_counted_by_outcome_and_legs() -> None:
    """A transaction is final too, but only what has two legs counts as a bundle; a copy is a copy."""
    blocks = [make_block(1, (ONE, "aborted"), (TWO, "committed")), make_block(2, (TWO, "inadmissible"))]
    assert count_blocks(blocks) == Count(final=2, bundles_committed=0, bundles_aborted=1, copies=1)


def test_copy_without_effect_is_no_second_effect() -> None:
    """Only committed and aborted count."""
    blocks = [make_block(1, (ONE, "committed")), make_block(2, (TWO, "aborted"), (ONE, "inadmissible"))]
    effects = find_effects(blocks)
    assert effects == {"0x" + ONE.hex(): [(1, 0)], "0x" + TWO.hex(): [(2, 0)]}
    assert find_doubles(effects) == []


def test_second_effect_is_found() -> None:
    """Control: the same id committed at two heights."""
    blocks = [make_block(1, (ONE, "committed")), make_block(2, (ONE, "committed"))]
    assert find_doubles(find_effects(blocks)) == ["0x" + ONE.hex()]


def test_only_good_syncs_of_the_vote_log_count() -> None:
    """A failed sync, one of another file and an interrupted line do not."""
    trace = """
12 fdatasync(11</tmp/x/val3/votes/00000001.log>) = 0
12 fdatasync(11</tmp/x/val3/votes/00000001.log>) = -1 EIO (Input/output error) (INJECTED)
13 fdatasync(12</tmp/x/val3/blocks/00000001.seg>) = 0
13 fdatasync(11</tmp/x/val3/votes/00000001.log> <unfinished ...>
"""
    assert len(VOTE_LOG_SYNC.findall(trace)) == 1
