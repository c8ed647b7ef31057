"""What one peer sends is taken at the pace of its channel, whatever the peer does."""

from __future__ import annotations

from p2p.pace import Pace


def test_messages_within_the_burst_do_not_wait() -> None:
    """An honest peer that says much at once, after a quiet time, is heard at once."""
    pace = Pace(10, 1_000_000, burst_seconds=2)
    assert [pace.take(0, 100.0) for _ in range(20)] == [0.0] * 20


def test_flood_waits_until_its_pace_is_kept() -> None:
    """However fast messages come, 10 seconds take what is due in 10 seconds, and the burst."""
    pace, now, taken = Pace(10, 1_000_000, burst_seconds=2), 0.0, 0
    while now < 10:
        now += pace.take(0, now)
        taken += 1
    assert 118 <= taken <= 122


def test_large_messages_wait_for_their_bytes() -> None:
    """A megabyte at a megabyte per second takes a second beyond the burst."""
    pace = Pace(1_000_000, 1_000_000, burst_seconds=1)
    assert pace.take(1_000_000, 0.0) < 0.001
    assert 0.999 < pace.take(1_000_000, 0.0) < 1.001


def test_long_silence_saves_up_no_more_than_the_burst() -> None:
    """A peer that was quiet for an hour has no hour of flood."""
    pace = Pace(10, 1_000_000, burst_seconds=2)
    pace.take(0, 0.0)
    assert [pace.take(0, 3_600.0) > 0 for _ in range(22)][-2:] == [True, True]
