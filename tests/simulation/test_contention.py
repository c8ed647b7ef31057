"""The scripts about contention and attacks say what the product does, and notice what it must not do."""

from __future__ import annotations

import json
import sys
from random import Random

import pytest

from scripts import attacks, contention
from scripts.contention import run_ours, sign_item
from scripts.contention_designs import COMPARATORS, run_design
from scripts.contention_workload import ACCOUNTS, Shape, compute_ceiling_pct, draw_blocks
from scripts.split_network import SplitNetwork, make_split_genesis


def test_contention_prints_one_line_per_design_and_ours_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything that no leg refuses commits, two heights later; no plain transaction fails."""
    monkeypatch.setattr(sys, "argv", ["contention.py", "--json", "--heights", "5", "--plain", "15"])
    assert contention.main() == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["design"] for line in lines] == ["ours", *COMPARATORS]
    ours = lines[0]
    assert ours["committed_pct"] >= ours["ceiling_pct"] - 1
    assert (ours["latency_heights_mean"], ours["plain_failed_pct"]) == (2.0, 0.0)
    assert all(line["committed_pct"] < ours["committed_pct"] for line in lines[1:])


def test_contention_comparators_come_out_near_the_study() -> None:
    """Means over six seeds at hot 0.5 and lag 1, against what the study measured."""
    committed = dict.fromkeys(COMPARATORS, 0.0)
    for seed in range(6):
        blocks = draw_blocks(Shape(40, 0.5, 30, 10, 3), Random(seed))
        for name in COMPARATORS:
            tally = run_design(name, blocks, 1, contention.DECIDE_WITHIN)
            committed[name] += 100 * tally.committed / tally.bundles / 6
    study = {"nowait": 59.5, "defer": 58.0, "wound": 42.2, "queue_decided": 53.8}
    assert committed == {name: pytest.approx(figure, abs=2.5) for name, figure in study.items()}


def test_contention_notices_a_bundle_that_shows_on_one_rollup_only() -> None:
    """Control: a marker that is missing where its bundle committed, and money that is gone, are both told."""
    (items,) = draw_blocks(Shape(1, 0.5, 0, 2, 2), Random(1))
    network = SplitNetwork(2, ACCOUNTS + 1)
    signed = [sign_item(network, item) for item in items]
    network.run_block(signed)
    network.run_empty(8)
    markers = {bundle.id: (f"kv/m/{item.number}", [1, 2]) for bundle, item in zip(signed, items, strict=True)}
    assert network.find_broken(markers) == []
    assert network.find_broken({signed[0].id: ("kv/nobody", [1, 2])}) == ["kv/nobody shows against its outcome"]
    network.genesis = make_split_genesis(2, ACCOUNTS + 2)
    assert [line.split(":")[0] for line in network.find_broken({})] == ["r1", "r2", "deposits"]


def test_contention_runs_without_lag() -> None:
    """Executors that keep up decide at the next height."""
    blocks = draw_blocks(Shape(3, 0.5, 5, 5, 3), Random(1))
    line = run_ours(blocks, 0, 3).to_json(compute_ceiling_pct(blocks))
    assert line["latency_heights_mean"] == 1.0


@pytest.mark.parametrize(
    ("run", "heights"), [(attacks.run_misprediction, 5), (attacks.run_dead_rollup, 10)], ids=["misprediction", "dead"]
)
def test_attack_is_cured_by_the_rule_and_by_nothing_else(run: attacks.Run, heights: int) -> None:
    """Without the rule honest bundles are lost; with it all but the first few commit."""
    sick, _ = run(heights, Random(1), False)
    cured, broken = run(heights, Random(1), True)
    assert broken == []
    assert float(str(sick["committed_pct"])) < float(str(cured["committed_pct"])) - 5
    assert float(str(cured["committed_pct"])) >= float(str(cured["ceiling_pct"])) - 100 / heights - 1
