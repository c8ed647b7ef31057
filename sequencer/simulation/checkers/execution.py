"""Guard execution: one result everywhere, the one that the rules give, all or nothing. # E2 A6 A8 A11 A17 A20"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.clients import Clients
from sequencer.simulation.economy import Economy
from sequencer.simulation.observer import Observer
from sequencer.simulation.reference import ReferenceInterpreter
from sequencer.types.batch import decode_payload
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.commitment import Commitment, CommitmentCertificate, CommitmentVote
from sequencer.types.executed import ExecutedBlock
from sequencer.types.item import CheckedItem
from sequencer.types.messages import Message
from sequencer.types.outcome import ItemResult, Status
from sequencer.types.primitives import Digest, Height

if TYPE_CHECKING:
    from sequencer.execution.executor import Executor
    from sequencer.simulation.node import SimulatedNode


_RULE_BY_REASON = {"DEP:": "A16", "ACCESS@": "A7", "SEQUENCE_": "A6", "UNFUNDED": "A17"}
"""What the reason of a result shows of the rule that one side applied and the other did not."""


class ExecutionChecker(Observer):
    """Equal heights give equal commitments and the reference's results; each bundle is decided once. # E2 A6 A8"""

    sent_types = (CommitmentVote,)

    def __init__(self, ledger: Ledger, reference: ReferenceInterpreter, check: Callable[[bytes], CheckedItem]) -> None:
        self._ledger = ledger
        self._reference = reference
        self._check_item = check
        self._height = 0
        self._executed: dict[Height, ExecutedBlock] = {}
        self._decided: dict[Digest, Height] = {}
        self.counts: Counter[str] = Counter()

    def on_executed(self, node: SimulatedNode, block: ExecutedBlock) -> None:
        height = block.header.height
        first = self._executed.setdefault(height, block)
        if first.commitment.digest != block.commitment.digest:
            self._ledger.report("E2", height, node.index, "another commitment at this height")
        if first.results != block.results:
            self._ledger.report("A8", height, node.index, "other results at this height")
        if first is block:
            self._check_first(node, block)

    def on_installed(self, node: SimulatedNode, header: BlockHeader, commitment: Commitment) -> None:
        executed = self._executed.get(header.height)
        if executed is None or executed.commitment != commitment:
            self._ledger.report("R2", header.height, node.index, "stands on a snapshot that nobody computed")

    def on_certified(self, node: SimulatedNode, certificate: CommitmentCertificate) -> None:
        executed = self._executed.get(certificate.height)
        if executed is None or executed.commitment.digest != certificate.digest:
            self._ledger.report("E2", certificate.height, node.index, "certifies what nobody computed")
        if not self._ledger.is_strong(set(certificate.signers)):
            self._ledger.report("E2", certificate.height, node.index, f"certified by {len(certificate.signers)} only")

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        """A signature is on a commitment of a scheduled height. # E2"""
        if isinstance(message, CommitmentVote):
            block, before = self._ledger.log.get(message.height), self._ledger.log.get(message.height - 1)
            parent_ms = self._ledger.genesis.time_ms if before is None else before.header.time_ms
            if block is not None and (before is not None or message.height == 1):
                interval_ms = self._ledger.genesis.parameters.commitment_interval_ms
                if block.header.time_ms // interval_ms <= parent_ms // interval_ms:
                    detail = "signs the commitment of a height that is not scheduled"
                    self._ledger.report("E2", message.height, node.index, detail)

    def _check_first(self, node: SimulatedNode, block: ExecutedBlock) -> None:
        height = block.header.height
        finalized = self._ledger.log.get(height)
        if finalized is None or finalized.header.digest != block.header.digest:
            self._ledger.report("O1", height, node.index, "executed what is not delivered")
            return
        if height != self._height + 1:
            self._ledger.report("O1", height, node.index, f"executed after height {self._height}")
            return
        self._height = height
        self._check_commitment(node.index, block)
        items = [(item, self._check_item(item)) for item in _get_items(finalized)]
        expected = self._reference.apply(finalized.header, items)
        for result in block.results:
            self._count(result, height, node.index)
        if block.results != expected:
            rule, detail = _describe_difference(block.results, expected)
            self._ledger.report(rule, height, node.index, detail)

    def _check_commitment(self, node: int, block: ExecutedBlock) -> None:
        """The commitment names the block, its time and its predecessor; nobody else would notice. # E2"""
        commitment, header = block.commitment, block.header
        named = (commitment.height, commitment.block_digest, commitment.time_ms, commitment.epoch)
        if named != (header.height, header.digest, header.time_ms, header.epoch):
            self._ledger.report("E2", header.height, node, "the commitment does not name the block that it covers")
        before = self._executed.get(header.height - 1)
        if before is not None and commitment.parent != before.commitment.digest:
            self._ledger.report("E2", header.height, node, "the commitment is not chained to the one before")

    def _count(self, result: ItemResult, height: Height, node: int) -> None:
        if result.status is Status.INADMISSIBLE:
            self.counts["inadmissible"] += 1
            return
        if result.item_id in self._decided:
            self._ledger.report("A6", height, node, f"decided before, at height {self._decided[result.item_id]}")
        self._decided[result.item_id] = height
        self.counts["final"] += 1

    def get_blocks(self) -> list[ExecutedBlock]:
        """Return the executed blocks by height."""
        return [self._executed[height] for height in sorted(self._executed)]

    def check_end(self, nodes: Sequence[SimulatedNode]) -> None:
        """Compare every key that the reference holds with what each node's executor holds. # A11"""
        for node in nodes:
            executor = None if node.replica is None else node.replica.executor
            if executor is not None and executor.height == self._height:
                self._compare_states(node.index, executor)

    def _compare_states(self, node: int, executor: Executor) -> None:
        for rollup, state in self._reference.states.items():
            for key, value in state.items():
                if executor.get_state_value(rollup, key) != value:
                    self._ledger.report("A11", executor.height, node, f"{key} of rollup {rollup} differs")
                    return


class AtomicityChecker(Observer):
    """A bundle marks all its rollups or none, and no asset is made or lost. # A11 A17 A20"""

    def __init__(self, ledger: Ledger, economy: Economy, clients: Clients, counts: Counter[str]) -> None:
        self._ledger = ledger
        self._conserved = economy.get_conserved()
        self._clients = clients
        self._counts = counts
        self._height = 0
        self._deposits = sum(amount for _, amount in ledger.genesis.deposits)
        self._burned = 0

    def on_executed(self, node: SimulatedNode, block: ExecutedBlock) -> None:
        height = block.header.height
        if height == self._height + 1:
            self._height = height
            self._burned += sum(result.fee for result in block.results)
            self._count_bundles(block)
            if node.replica is not None and node.replica.executor.height == height:
                self._check_results(node.index, node.replica.executor, block)
                if block.results:  # what an empty block may have done is seen at the next one
                    self._check_sums(node.index, node.replica.executor)

    def _count_bundles(self, block: ExecutedBlock) -> None:
        for result in block.results:
            bundle = self._clients.bundles.get(result.item_id)
            if result.status is not Status.INADMISSIBLE and bundle is not None and len(bundle.legs) > 1:
                name = "bundles_committed" if result.status is Status.COMMIT else "bundles_aborted"
                self._counts[name] += 1

    def _check_results(self, node: int, executor: Executor, block: ExecutedBlock) -> None:
        for result in block.results:
            marker = self._clients.get_marker(result.item_id)
            if result.status is Status.INADMISSIBLE or marker is None:
                continue
            rollups = self._clients.bundles[result.item_id].rollups
            marked = [executor.get_state_value(rollup, marker) is not None for rollup in rollups]
            if marked != [result.status is Status.COMMIT] * len(marked):
                self._ledger.report("A11", executor.height, node, f"{result.status.name} with markers {marked}")

    def _check_sums(self, node: int, executor: Executor) -> None:
        for rollup, asset, keys, total in self._conserved:
            if sum(_get_amount(executor, rollup, key) for key in keys) != total:
                self._ledger.report("A20", executor.height, node, f"{asset} of rollup {rollup} is not {total} in sum")
        deposits = sum(executor.get_deposit(payer) for payer, _ in self._ledger.genesis.deposits)
        if deposits + self._burned != self._deposits:
            self._ledger.report("A17", executor.height, node, "deposits and burned fees do not add up")

    def check_end(self, nodes: Sequence[SimulatedNode]) -> None:
        """Check the sums on every node."""
        for node in nodes:
            if node.replica is not None and node.replica.executor.height == self._height:
                self._check_sums(node.index, node.replica.executor)


def _get_items(block: FinalizedBlock) -> list[bytes]:
    return [item for batch in block.batches for item in decode_payload(batch.payload)]


def _get_amount(executor: Executor, rollup: int, key: str) -> int:
    value = executor.get_state_value(rollup, key)
    return value if isinstance(value, int) else 0


def _describe_difference(found: Sequence[ItemResult], expected: Sequence[ItemResult]) -> tuple[str, str]:
    """Return the rule that the first wrong result breaks, and what is wrong with it."""
    for index, (left, right) in enumerate(zip(found, expected, strict=False)):
        if left != right:
            reasons = (left.reason, right.reason)
            rule = next((rule for sign, rule in _RULE_BY_REASON.items() if any(sign in r for r in reasons)), "A8")
            return (
                rule,
                f"item {index} is {left.status.name} {left.reason}, should be {right.status.name} {right.reason}",
            )
    return "A8", f"{len(found)} results instead of {len(expected)}"
