"""A devnet's block lines say what happened, and never flood the terminal."""

from __future__ import annotations

from typing import Any

from sequencer.cli.cluster.lines import BlockLines, BlockSummary, make_line, summarise
from sequencer.types.leaves import encode_leg_leaf

CLOCK = "12:00:00"


def make_block(
    height: int, results: list[tuple[int, str, str]], legs: dict[str, list[tuple[int, int]]]
) -> dict[str, Any]:
    """A block as RPC shows it; `legs` gives (bundle number, leg count) per rollup."""
    return {
        "height": height,
        "results": [
            {"id": "0x" + bytes([number] * 32).hex(), "status": status, "reason": reason}
            for number, status, reason in results
        ],
        "rollups": [
            {"id": 0, "rollup": "system", "leaves": ["0x00"] * len(results)},
            *(
                {
                    "id": index,
                    "rollup": name,
                    "leaves": [
                        "0x" + encode_leg_leaf(bytes([number] * 32), 0, count, bytes(32)).hex()
                        for number, count in pairs
                    ],
                }
                for index, (name, pairs) in enumerate(legs.items(), 1)
            ),
        ],
    }


def make_summary(height: int, committed: int = 1) -> BlockSummary:
    return BlockSummary(height, (("alpha", committed),), committed, 0, 0, ())


def test_block_with_a_bundle_names_rollups_and_reason() -> None:
    """An aborted bundle shows where it reached and why it took no effect; a plain transaction only counts."""
    block = make_block(
        7,
        [(1, "committed", ""), (2, "aborted", "NO:beta:CONDITION@$"), (1, "inadmissible", "SEQUENCE_USED")],
        {"alpha": [(1, 1), (2, 2), (1, 1)], "beta": [(2, 2)], "gamma": []},
    )
    line = make_line(CLOCK, summarise(block))
    assert "#7" in line
    assert "alpha:3  beta:1   1 committed, 1 aborted, 1 inadmissible" in line
    assert line.endswith("bundle 020202… alpha+beta aborted: NO:beta:CONDITION@$")


def test_flood_of_blocks_shows_four_lines_a_second_and_counts_the_rest() -> None:
    """Beyond the limit blocks are told as a number when the second is over."""
    lines = BlockLines()
    shown = [line for height in range(16) for line in lines.on_block(make_summary(height), 0.01 * height, CLOCK)]
    assert len(shown) == 4
    assert lines.on_block(make_summary(16), 1.5, CLOCK) == [f" {CLOCK}  +12 blocks", make_line(CLOCK, make_summary(16))]


def test_held_back_blocks_are_told_even_if_only_empty_ones_follow() -> None:
    """No count is lost when traffic stops."""
    lines = BlockLines()
    for height in range(6):
        lines.on_block(make_summary(height), 0.0, CLOCK)
    assert lines.on_block(make_summary(6, 0), 1.5, CLOCK) == [f" {CLOCK}  +2 blocks"]


def test_empty_blocks_are_summed_up_every_ten_seconds() -> None:
    """An idle network stays quiet but shows that it lives."""
    lines = BlockLines()
    shown = [line for second in range(25) for line in lines.on_block(make_summary(second, 0), float(second), CLOCK)]
    assert shown == [f" {CLOCK}  #10     idle: 11 empty blocks", f" {CLOCK}  #21     idle: 11 empty blocks"]
