"""The report of a load run adds up and does not flatter."""

from __future__ import annotations

import pytest

from sequencer.cli.workload.report import Report, compute_percentile


def test_report_fields_are_the_frozen_ones() -> None:
    """Programs rely on these names in the last line of `load --json`."""
    assert list(Report().to_json()) == [
        "sent",
        "final",
        "rejected",
        "unknown",
        "bundles_committed",
        "bundles_aborted",
        "bundles_partial",
        "p50_ms",
        "p99_ms",
        "duplicates_pct",
    ]


def test_what_is_neither_final_nor_rejected_is_unknown() -> None:
    """Every transaction sent is in exactly one of the three counts."""
    report = Report(sent=10, final=6, rejected=1)
    assert (report.unknown, report.is_clean) == (3, False)


def test_report_with_everything_as_it_had_to_be_is_clean() -> None:
    """Rejections and aborts are no broken promise by themselves."""
    assert Report(sent=3, final=2, rejected=1, bundles_aborted=1).is_clean


@pytest.mark.parametrize("report", [Report(bundles_partial=1), Report(mismatches=["b committed"])])
def test_broken_promise_is_not_clean(report: Report) -> None:
    """A partial bundle or a wrong outcome fails the run."""
    assert not report.is_clean


def test_duplicates_are_copies_beyond_the_first() -> None:
    """Of ten ordered items eight are distinct, so two are copies."""
    assert Report(ordered=10, ordered_once=8).duplicates_pct == 20.0


def test_percentiles_are_values_that_occurred() -> None:
    """The nearest-rank percentile of 1..100 is the percent itself."""
    values = [float(value) for value in range(100, 0, -1)]
    assert [compute_percentile(values, percent) for percent in (1, 50, 99, 100)] == [1.0, 50.0, 99.0, 100.0]
    assert compute_percentile([], 50) is None
