"""Whatever a replica leaves out after an event from which nothing follows: doing it would have changed nothing."""

from __future__ import annotations

import pytest

from sequencer.consensus.core import Consensus
from sequencer.lanes.lanes import Lanes
from sequencer.replica.replica import Replica
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import run_seed
from sequencer.types.effects import Effect
from sequencer.types.events import Event
from sequencer.types.primitives import Instant, ValidatorIndex
from sequencer.types.vote import Vote

SEEDS = (3, 109)
"""In seed 109 a wall clock jumped while a proposal waited for its time."""


def get_traces() -> list[str]:
    return [run_seed(seed, SimulationOptions()).trace_hash for seed in SEEDS]


def settle_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring all parts to rest after every event, whatever they say."""
    dispatch, on_vote = Replica._dispatch, Consensus.on_vote

    def dispatch_and_settle(self: Replica, event: Event, effects: list[Effect], now: Instant) -> bool:
        dispatch(self, event, effects, now)
        return True

    def vote_and_settle(self: Consensus, peer: ValidatorIndex, vote: Vote, now: Instant) -> bool:
        on_vote(self, peer, vote, now)
        self.recheck(now)
        return True

    monkeypatch.setattr(Replica, "_dispatch", dispatch_and_settle)
    monkeypatch.setattr(Consensus, "on_vote", vote_and_settle)
    monkeypatch.setattr(Lanes, "take_change", lambda _: True)


def test_settling_after_every_event_gives_the_same_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every action of every validator is the same, at the same time."""
    expected = get_traces()
    settle_always(monkeypatch)
    assert get_traces() == expected


def test_settling_too_rarely_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: who never hears that lanes changed acts later."""
    expected = get_traces()
    monkeypatch.setattr(Lanes, "take_change", lambda _: False)
    assert get_traces() != expected
