"""A devnet's block lines say what happened, and never flood the terminal."""

from __future__ import annotations

from typing import Any

from sequencer.cli.cluster.lines import BlockLines, BlockSummary, Summaries, make_line
from sequencer.types.item import ItemKind
from sequencer.types.leaves import encode_envelope_leaf, encode_leg_leaf

CLOCK = "12:00:00"
OUTCOMES = {"committed": "COMMIT", "aborted": "ABORT"}


def make_block(
    height: int,
    results: list[tuple[int, str, str]],
    legs: dict[str, list[tuple[int, int]]],
    late: tuple[tuple[int, str, str], ...] = (),
    certificates: int = 0,
) -> dict[str, Any]:
    """A block as RPC shows it; `legs` gives (bundle number, leg count) per rollup, `late` what is decided only here."""
    decided = [one for one in results if one[1] in OUTCOMES] + list(late)
    results = results + [(100 + number, "committed", "") for number in range(certificates)]
    kinds = [ItemKind.BUNDLE] * (len(results) - certificates) + [ItemKind.VERDICTS] * certificates
    envelopes = [encode_envelope_leaf(kind, bytes([one[0]] * 32)) for kind, one in zip(kinds, results, strict=True)]
    return {
        "outcomes": [
            {"id": "0x" + bytes([number] * 32).hex(), "outcome": OUTCOMES[status], "reason": reason}
            for number, status, reason in decided
        ],
        "height": height,
        "results": [
            {"id": "0x" + bytes([number] * 32).hex(), "status": status, "reason": reason}
            for number, status, reason in results
        ],
        "rollups": [
            {"id": 0, "rollup": "system", "leaves": ["0x" + leaf.hex() for leaf in envelopes]},
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
    return BlockSummary(height, (("alpha", committed),), committed, 0, 0, 0, 0, ())


def test_block_with_a_bundle_names_rollups_and_reason() -> None:
    """An aborted bundle shows where it reached and why it took no effect; a plain transaction only counts."""
    block = make_block(
        7,
        [(1, "committed", ""), (2, "aborted", "NO:beta:CONDITION@$"), (1, "inadmissible", "SEQUENCE_USED")],
        {"alpha": [(1, 1), (2, 2), (1, 1)], "beta": [(2, 2)], "gamma": []},
    )
    line = make_line(CLOCK, Summaries().summarise(block))
    assert "#7" in line
    assert "alpha:3  beta:1   1 committed, 1 aborted, 1 inadmissible" in line
    assert line.endswith("bundle 020202… alpha+beta aborted: NO:beta:CONDITION@$")


def test_bundle_that_waits_is_told_where_it_is_ordered_and_where_it_is_decided() -> None:
    """Its rollups stand in the first block, its outcome in the second, which orders nothing."""
    summaries = Summaries()
    first = summaries.summarise(make_block(7, [(2, "pending", "")], {"alpha": [(2, 2)], "gamma": [(2, 2)]}))
    second = summaries.summarise(make_block(9, [], {}, ((2, "aborted", "TIMEOUT:gamma"),), certificates=3))
    assert make_line(CLOCK, first).endswith("alpha:1  gamma:1   1 waiting")
    assert make_line(CLOCK, second).endswith("1 aborted   bundle 020202… alpha+gamma aborted: TIMEOUT:gamma")


def test_block_with_certificates_only_is_idle_to_a_person() -> None:
    """Programs are told how many there are."""
    summary = Summaries().summarise(make_block(7, [], {}, certificates=3))
    assert summary.is_empty
    assert (summary.committed, summary.certificates, summary.to_json()["certificates"]) == (0, 3, 3)


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
