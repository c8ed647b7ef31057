"""Latency in message delays when nothing goes wrong: what the protocol promises, measured on whole replicas. # P2 L5"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sequencer.cli.main import main
from sequencer.errors import LocalError
from sequencer.simulation import latency
from sequencer.simulation.latency import LatencyOptions, LatencyResult, measure_latency
from sequencer.simulation.regions import REGIONS, ROUND_TRIPS_MS, get_delay_us
from sequencer.types.messages import Message

DELAY_MS = 100


def measure(is_optimistic: bool) -> LatencyResult:
    return measure_latency(LatencyOptions(4, DELAY_MS, is_optimistic, seconds=15))


def get_delays(result: LatencyResult, field: str) -> float:
    value = result.to_json()[field]
    assert isinstance(value, float)
    return value


def test_P2_optimistic_tips_are_final_in_less_than_five_delays() -> None:
    """One delay to the leader, on average one until it proposes, three until everybody has it final."""
    result = measure(is_optimistic=True)
    assert 4.0 <= get_delays(result, "p50_delays") <= 5.0
    assert get_delays(result, "finality_p50_delays") == pytest.approx(3.0, abs=0.02)
    assert result.unfinished == 0


def test_P2_supported_tips_need_one_delay_more() -> None:
    """The control of the figure above: waiting for HAVE is seen."""
    result = measure(is_optimistic=False)
    assert get_delays(result, "p50_delays") == pytest.approx(6.0, abs=0.4)
    assert get_delays(result, "finality_p50_delays") == pytest.approx(3.0, abs=0.02)


def test_P4_pacing_is_seen_in_the_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a leader that waits costs what it waits."""
    genuine = LatencyOptions.make_parameters
    monkeypatch.setattr(LatencyOptions, "make_parameters", lambda self: replace(genuine(self), pace_ms=6 * DELAY_MS))
    assert get_delays(measure(is_optimistic=True), "p50_delays") > 5.5


def test_latency_counts_the_bytes_of_every_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages of a fixed size give that size times their number, per validator and second."""
    sent: list[int] = []

    def encode(message: Message) -> bytes:
        sent.append(1)
        return bytes(1_000)

    monkeypatch.setattr(latency, "encode_message", encode)
    result = measure_latency(LatencyOptions(4, DELAY_MS, seconds=2))
    total = sum(result.bytes_per_second) * 2
    assert total % 1_000 == 0
    assert len(sent) * 1_000 < total <= 3 * len(sent) * 1_000


def test_latency_of_a_world_of_regions_is_above_that_of_its_pairs() -> None:
    """Ten validators in ten regions need longer than the three delays of a typical pair."""
    result = measure_latency(LatencyOptions(10, None, seconds=3))
    assert 250_000 < result.finalities_us[0] < 1_000_000
    assert "p50_delays" not in result.to_json()


def test_regions_have_one_delay_per_pair() -> None:
    """The table is a triangle; both directions are the same, and a region is near itself."""
    assert [len(row) for row in ROUND_TRIPS_MS] == list(range(len(REGIONS) - 1, 0, -1))
    assert get_delay_us(0, 9) == get_delay_us(9, 0) == 73_000
    assert get_delay_us(8, 9) == 142_000
    assert get_delay_us(3, 13) == 1_000


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (LatencyOptions(1), "validators"),
        (LatencyOptions(delay_ms=0), "delay_ms"),
        (LatencyOptions(seconds=0), "seconds"),
    ],
)
def test_latency_options_that_cannot_run_are_refused(options: LatencyOptions, name: str) -> None:
    """The error names the option."""
    with pytest.raises(LocalError, match=name):
        measure_latency(options)


def test_command_measures_latency(capsys: pytest.CaptureFixture[str]) -> None:
    """`simulate --latency --json` ends with the figures."""
    assert main(["simulate", "--latency", "--delay-ms", "20", "--seconds", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["validators"] == 4
    assert 4.0 <= told["p50_delays"] <= 5.0
    assert told["bytes_per_validator_second"] > 0
