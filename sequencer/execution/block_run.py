"""Apply one block's items in slices, on states that nobody sees before the block is finished."""

from __future__ import annotations

from collections.abc import Sequence

from pyrsistent import PMap

from sequencer.execution.automaton import OutcomeAutomaton
from sequencer.execution.commitments import BlockLeaves
from sequencer.execution.conditions import BlockContext
from sequencer.execution.mail import Mail
from sequencer.state.journal import Journal
from sequencer.state.state_tree import StateTree
from sequencer.types.block import BlockHeader
from sequencer.types.item import CheckedItem
from sequencer.types.outcome import ItemResult
from sequencer.types.primitives import SYSTEM_NAMESPACE, RollupId


class BlockRun:
    """One block between `begin` and `finish`."""

    def __init__(
        self,
        automaton: OutcomeAutomaton,
        mail: Mail,
        states: PMap[RollupId, StateTree],
        header: BlockHeader,
        items: Sequence[tuple[bytes, CheckedItem]],
    ) -> None:
        self.header = header
        self.states = states
        self.leaves = BlockLeaves()
        self.results: list[ItemResult] = []
        self._automaton = automaton
        self._mail = mail
        self._items = items
        self._journals = {namespace: Journal(state) for namespace, state in sorted(states.items())}
        self._leaves_of_decided = 0
        automaton.begin(BlockContext(header.height, header.time_ms), self._journals)

    @property
    def is_done(self) -> bool:
        """Whether all items are applied."""
        return len(self.results) == len(self._items)

    def step(self, item_count_max: int) -> None:
        """Apply the next items and fold their writes into the states, so that `finish` is left with little."""
        start = len(self.results)
        for index, (item, checked) in enumerate(self._items[start : start + item_count_max], start):
            result = self._automaton.apply(index, item, checked)
            self.results.append(result)
            self.leaves.add(checked, result.item_id)
        self._fold()

    def end(self) -> None:
        """Do what the end of the block demands: deadlines, then the outbox roots of what is settled. # A8 A19"""
        self._automaton.end_block()
        self._fold()
        self._mail.close_height(self.header.height, self._journals[SYSTEM_NAMESPACE])
        self._fold()

    def _fold(self) -> None:
        decided = self._automaton.decided
        for place in range(self._leaves_of_decided, len(decided)):
            self.leaves.add_decided(decided[place])
        self._leaves_of_decided = len(decided)
        for namespace, journal in self._journals.items():
            if journal.writes:
                advanced = self.states[namespace].update(journal.writes)
                self.states = self.states.set(namespace, advanced)
                self._mail.apply_writes(namespace, journal.writes)
                journal.rebase(advanced)
