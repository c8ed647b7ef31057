"""Executors that hear of each other state what the judge's oracle states, who runs every rollup itself. # A9 A14"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from sequencer.execution.evaluation import list_inputs
from sequencer.execution.speculation import Speculation
from sequencer.types.block import BlockHeader
from sequencer.types.outcome import ItemResult, Status
from sequencer.types.primitives import Digest, RollupId
from sequencer.types.verdict import Verdict, VerdictStatement
from tests.properties.split.case import make_shape
from tests.properties.split.network import Items, Network
from tests.properties.split.nodes import Node
from tests.properties.split.oracle import Foresight

CASES = 14
BLOCKS = 12


class Heard:
    """What the oracle states, as if all executors of the others' rollups had said it."""

    def __init__(self, statements: Sequence[VerdictStatement]) -> None:
        self._statements: defaultdict[tuple[Digest, RollupId], list[VerdictStatement]] = defaultdict(list)
        for statement in statements:
            self._statements[statement.bundle_id, statement.rollup].append(statement)

    def get_statements(self, bundle_id: Digest, rollup: RollupId) -> Sequence[VerdictStatement]:
        return self._statements[bundle_id, rollup]


class Executors:
    """One node per split rollup that runs it alone, and foretells after every block."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._nodes = {rollup: Node(network.genesis, (rollup,)) for rollup in sorted(network.shape.split)}
        self._speculations = {
            rollup: Speculation(network.genesis, node.executor, rollup) for rollup, node in self._nodes.items()
        }
        self.counts: Counter[str] = Counter()
        network.followers.append(self._on_block)

    def _on_block(self, header: BlockHeader, items: Items, results: tuple[ItemResult, ...]) -> None:
        for node in self._nodes.values():
            node.execute(header, items)
        stated = list(Foresight(self._network.reference).walk())
        heard = Heard(stated)
        for rollup, speculation in self._speculations.items():
            if self._nodes[rollup].executor.is_frozen(rollup):
                continue
            foreseen = speculation.foresee(heard)
            own = [statement for statement in stated if statement.rollup == rollup and self._is_due(statement, stated)]
            assert foreseen == own, f"height {header.height}, rollup {rollup}"
            self.counts[f"statements of {len(self._speculations)}"] += len(foreseen)
            self.counts["values"] += sum(bool(statement.outputs) for statement in foreseen)
            self.counts["refusals"] += sum(bool(statement.reason) for statement in foreseen)

    def _is_due(self, statement: VerdictStatement, stated: Sequence[VerdictStatement]) -> bool:
        """Tell whether executors can state it: values of a split rollup are known only with its YES. # A15"""
        bundle = next(e.bundle for e in self._network.reference.entries if e.item_id == statement.bundle_id)
        if bundle is None:
            return False
        producers = {bundle.legs[leg].rollup for leg, _ in list_inputs(bundle, statement.rollup)}
        said = {other.rollup: other for other in stated if other.bundle_id == statement.bundle_id}
        return all(
            rollup in said and said[rollup].verdict is Verdict.YES and self._is_due(said[rollup], stated)
            for rollup in producers.intersection(self._nodes)
        )


def play(seed: int) -> Counter[str]:
    """Play one case without a lying majority, whose word in the log would count; raises `AssertionError`."""
    random, network = Random(seed), Network(seed, replace(make_shape(seed), liars=frozenset()))
    executors = Executors(network)
    for _ in range(BLOCKS):
        network.add_block(random.randint(0, 7), random.randint(0, 1))
    network.drain()
    return executors.counts


def play_all() -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(CASES):
        counts += play(seed)
    return counts


def test_A14_executors_state_what_the_oracle_states() -> None:
    """On any log: references over rollups, deps, messages, whole-rollup access, late and missing certificates."""
    counts = play_all()
    assert counts["statements of 3"] > 300
    assert counts["values"] > 50
    assert counts["refusals"] > 100


@pytest.mark.parametrize("broken", ["_expect", "_hear"])
def test_A14_oracle_notices_an_executor_that_expects_wrongly(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """Control: who expects every bundle to commit, or hears nobody, states something else in some case."""
    if broken == "_expect":
        monkeypatch.setattr(Speculation, "_expect", lambda *_: Status.COMMIT)
    else:
        monkeypatch.setattr(Heard, "get_statements", lambda *_: ())
    with pytest.raises(AssertionError, match="rollup"):
        play_all()
