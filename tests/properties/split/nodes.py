"""Let the product execute the log on nodes that run different rollups, and compare each with the judge. # A8 A11 A12"""

from __future__ import annotations

from collections.abc import Iterable

from sequencer.execution.executor import Executor
from sequencer.types.block import BlockHeader
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis
from sequencer.types.outcome import ItemResult
from sequencer.types.primitives import SYSTEM_NAMESPACE, RollupId
from tests.properties.split.checks import LogWatch, State, check_markers, demand
from tests.properties.split.network import Items, Network


class Node:
    """One node of the product: every outcome, and the states of native and of some split rollups."""

    def __init__(self, genesis: Genesis, runs: Iterable[RollupId]) -> None:
        self.genesis = genesis
        self.wanted = frozenset(runs)
        self.executor = Executor(genesis, self.wanted)

    def execute(self, header: BlockHeader, items: Items, slice_size: int = 3) -> ExecutedBlock:
        """Execute one block, in slices."""
        self.executor.begin(header, items)
        while not self.executor.step(slice_size):
            pass
        return self.executor.finish()

    def restart(self) -> None:
        """Go on from a snapshot of the newest height, as after a crash."""
        snapshot, header = self.executor.take_snapshot(), self.executor.header
        self.executor = Executor.restore(self.genesis, snapshot, header, self.wanted)

    def get_states(self) -> dict[RollupId, State]:
        """Return every key of the rollups that are here."""
        return {rollup: dict(self.executor.get_state(rollup).get_entries()) for rollup in sorted(self.executor.runs)}


class NodeWatch:
    """Nodes that follow the log, each compared with the judge after every block."""

    def __init__(self, network: Network, log: LogWatch, subsets: Iterable[Iterable[RollupId]]) -> None:
        self._network = network
        self._log = log
        self.nodes = [Node(network.genesis, network.shape.split.intersection(subset)) for subset in subsets]
        network.followers.append(self.on_block)

    def on_block(self, header: BlockHeader, items: Items, results: tuple[ItemResult, ...]) -> None:
        """Let every node execute the block, and compare."""
        first: ExecutedBlock | None = None
        for node in self.nodes:
            block = node.execute(header, items)
            first = first or block
            demand(block.commitment == first.commitment, "E2", "nodes that run other rollups commit to another height")
            demand(block.decisions == first.decisions, "A8", "nodes that run other rollups decide otherwise")
        if first is not None:
            self._compare_block(first, results)
        for node in self.nodes:
            self.compare(node)

    def _compare_block(self, block: ExecutedBlock, results: tuple[ItemResult, ...]) -> None:
        for found, expected in zip(block.results, results, strict=True):
            demand(found == expected, name_rule(found, expected), f"{describe(found)}, should be {describe(expected)}")
        rulings = list(self._network.reference.rulings)
        decided = [(d.item_id, d.ordered_height, d.ordered_index, d.status, d.reason, d.fee) for d in block.decisions]
        for one, other in zip(decided, rulings, strict=False):
            what = f"decided {one[0].hex()[:8]} {one[1:]}, should be {other.item_id.hex()[:8]} {other[1:]}"
            demand(one == other, "A8", what)
        demand(len(decided) == len(rulings), "A8", f"{len(decided)} decisions, should be {len(rulings)}")
        outcomes = sorted((item_id, status, reason) for item_id, _, _, status, reason, _ in decided)
        demand([(o.bundle_id, o.status, o.reason) for o in block.outcomes] == outcomes, "A8", "outcomes differ")

    def compare(self, node: Node) -> None:
        """Compare what a node shows after a block with the judge's states."""
        reference, states = self._network.reference, node.get_states()
        check_markers(self._log, states, set(reference.frozen), self._log.recent)
        for rollup, state in states.items():
            demand(rollup not in reference.frozen, "A12", f"rollup {rollup} is frozen, and shown")
            demand(
                state == reference.states[rollup], "A11", describe_difference(rollup, state, reference.states[rollup])
            )
        for listed in self._network.genesis.rollups:
            here = listed.id in states or listed.id not in node.wanted
            demand(here or listed.id in reference.frozen, "A12", f"rollup {listed.name} is frozen for nothing")
            suspended = listed.id in reference.suspended
            demand(node.executor.is_suspended(listed.id) == suspended, "A13", f"suspension of {listed.name}")
            height = reference.get_settled_height(listed.id)
            demand(node.executor.get_settled_height(listed.id) == height, "A11", f"settled height of {listed.name}")
        self._compare_system(dict(node.executor.get_state(SYSTEM_NAMESPACE).get_entries()))

    def _compare_system(self, system: State) -> None:
        reference = self._network.reference
        expected: State = {f"deposit/{payer.hex()}": amount for payer, amount in reference.deposits.items()}
        expected |= {f"sequence/{p.hex()}/{channel}": number for (p, channel), number in reference.sequences.items()}
        expected |= {"held": reference.held, "burned": reference.burned}
        for key, value in expected.items():
            demand(
                system.get(key, 0) == value,
                "A17" if key[0] != "s" else "A6",
                f"{key} is {system.get(key)!r}, should be {value!r}",
            )

    def check_late(self, subset: Iterable[RollupId]) -> None:
        """A node that executes the whole log afterwards, in other slices, comes to the same."""
        late = Node(self._network.genesis, self._network.shape.split.intersection(subset))
        for header, items in self._network.blocks:
            late.execute(header, items, slice_size=100)
        same = late.executor.commitment == self.nodes[0].executor.commitment
        demand(same, "E2", "a late node commits to another height")
        self.compare(late)
        check_markers(self._log, late.get_states(), set(self._network.reference.frozen), self._log.bundles)

    def check_end(self) -> None:
        """Nothing is left over anywhere."""
        for node in self.nodes:
            demand(not node.executor.pending, "A8", "something is pending at the end")


def describe(result: ItemResult) -> str:
    """Say what became of an item."""
    return f"item {result.index} is {result.status.name} {result.reason} for {result.fee}"


def name_rule(found: ItemResult, expected: ItemResult) -> str:
    """Return the rule that a wrong result breaks, as far as its reasons tell."""
    signs = {
        "DEP:": "A16",
        "TIMEOUT:": "A8",
        "SUSPENDED:": "A13",
        "SEQUENCE": "A6",
        "DELIVERED": "A19",
        "NO_PROOF": "A19",
    }
    signs |= {"STALE": "A9", "DUPLICATE": "A9", "UNFUNDED": "A17", "PENDING_FULL": "A3", "ACCESS": "A7"}
    texts = (found.reason, expected.reason)
    return next((rule for sign, rule in signs.items() if any(text.startswith(sign) for text in texts)), "A8")


def describe_difference(rollup: RollupId, found: State, expected: State) -> str:
    """Name the first key that differs."""
    keys = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
    return f"rollup {rollup}: {keys[0]} is {found.get(keys[0])!r}, should be {expected.get(keys[0])!r}" if keys else ""
