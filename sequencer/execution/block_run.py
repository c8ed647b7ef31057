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

ITEMS_PER_FOLD = 256
"""Items applied, when nobody waits, between two times that their writes are folded into the states."""


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
        self.is_done = False
        """Whether all items are applied, and all that follows from them and from deadlines."""
        automaton.begin(BlockContext(header.height, header.time_ms), self._journals)

    @property
    def has_all_items(self) -> bool:
        """Whether all items are applied."""
        return len(self.results) == len(self._items)

    def step(self, item_count_max: int) -> None:
        """Do the next part of the block and fold its writes into the states, so that `finish` is left with little.

        What an item sets free counts as items do: one certificate can decide thousands of bundles.
        """
        left = item_count_max
        while left > 0 and not self.is_done:
            if self._automaton.has_work:
                left -= self._automaton.work_off(left)
            elif not self.has_all_items:
                left -= self._apply_items(left)
            else:
                self.is_done = not self._automaton.time_out_next()
                left -= 1
        self._fold()

    def _apply_items(self, count_max: int) -> int:
        """Apply the next items, up to one that sets others free; returns how many."""
        start = len(self.results)
        for index, (item, checked) in enumerate(self._items[start : start + count_max], start):
            result = self._automaton.apply(index, item, checked)
            self.results.append(result)
            self.leaves.add(checked, result.item_id)
            if self._automaton.has_work:
                break
        return len(self.results) - start

    def end(self) -> None:
        """Do what is left, then record the outbox roots of what is settled. # A19"""
        while not self.is_done:
            self.step(ITEMS_PER_FOLD)
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
