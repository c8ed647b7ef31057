"""The schedule of a load run is an open loop with the promised shares."""

from __future__ import annotations

from collections import Counter

import pytest

from sequencer.cli.workload.schedule import Kind, Schedule
from sequencer.errors import LocalError


def count_kinds(schedule: Schedule) -> Counter[Kind]:
    return Counter(schedule.get(number).kind for number in range(schedule.count))


def test_schedule_has_the_promised_shares() -> None:
    """200/s for 20 s with a tenth of bundles: 400 bundles, of which 40 are false and 40 hot."""
    kinds = count_kinds(Schedule(200, 20, 0.1, 128))
    assert kinds == {Kind.PLAIN: 3_600, Kind.BUNDLE: 320, Kind.FALSE: 40, Kind.HOT: 40}


def test_schedule_is_even_in_time_and_over_lanes() -> None:
    """Transactions are due at equal distances and go round all lanes."""
    schedule = Schedule(50, 2, 0, 7)
    due = [schedule.get(number) for number in range(schedule.count)]
    assert [d.at_seconds for d in due[:3]] == [0.0, 0.02, 0.04]
    assert [d.lane for d in due[:9]] == [0, 1, 2, 3, 4, 5, 6, 0, 1]


def test_short_run_with_bundles_has_every_kind() -> None:
    """Ten bundles are enough to see one false and one hot one."""
    assert set(count_kinds(Schedule(100, 1, 0.1, 8))) == set(Kind)


@pytest.mark.parametrize(
    ("rate", "seconds", "share"),
    [(0, 1, 0.1), (-1, 1, 0.1), (20_000, 1, 0.1), (1, 0, 0.1), (10_000, 1_000, 0), (1, 1, 1.1)],
)
def test_impossible_run_is_refused(rate: float, seconds: float, share: float) -> None:
    """Numbers outside the bounds are told before anything is sent."""
    with pytest.raises(LocalError):
        Schedule(rate, seconds, share, 8)
