"""Virtual time runs in order, and ties in the order in which they were scheduled."""

from sequencer.simulation.scheduler import Scheduler
from sequencer.simulation.trace import Trace


def test_scheduler_runs_by_time_then_by_sequence() -> None:
    """Callbacks of one time run first come first served."""
    scheduler, seen = Scheduler(), list[str]()
    for name, time_us in (("late", 20), ("first", 10), ("second", 10)):
        scheduler.call_at(time_us, seen.append, name)
    scheduler.run_until(15)
    assert seen == ["first", "second"]
    assert scheduler.now_us == 15
    scheduler.run_until(30)
    assert seen == ["first", "second", "late"]


def test_scheduler_stops_when_told_to_and_after_too_many_events() -> None:
    """The callback that stops it is the last, and so is the first above the largest number of events."""
    for stopped_by, expected in (("first", ["first"]), ("nobody", ["first", "second", "third"])):
        scheduler, seen = Scheduler(), list[str]()
        for time_us, name in enumerate(("first", "second", "third", "fourth")):
            scheduler.call_at(time_us, seen.append, name)
            if name == stopped_by:
                scheduler.call_at(time_us, scheduler.stop)
        scheduler.run_until(10, 2)
        assert seen == expected
        assert scheduler.now_us < 3  # not the end of the time that was asked for


def test_trace_hash_depends_on_every_field_and_on_order() -> None:
    """Two traces are equal only if every action is."""
    actions = [(1, 0, "sends vote", 3, b"x"), (2, 0, "sends vote", 3, b"x"), (1, 1, "sends vote", 3, b"x")]
    hashes = set()
    for chosen in (actions, actions[::-1], actions[:2], [*actions[:2], (1, 1, "sends vote", 3, b"y")]):
        trace = Trace()
        for action in chosen:
            trace.add(*action)
        hashes.add(trace.get_hash())
    assert len(hashes) == 4


def test_trace_shows_its_last_actions_only() -> None:
    """A failing run shows the newest actions, oldest first."""
    trace = Trace(last_actions=2)
    for view in range(5):
        trace.add(view * 1_000_000, 0, "sends vote", view)
    assert [line.split()[-1] for line in trace.format_last()] == ["3", "4"]
