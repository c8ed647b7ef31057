"""Apply one block's items in slices, on states that nobody sees before the block is finished."""

from __future__ import annotations

from collections.abc import Sequence

from sequencer.execution.automaton import Decided, OutcomeAutomaton, OutcomeWindow, Rules
from sequencer.execution.commitments import BlockLeaves
from sequencer.execution.conditions import BlockContext
from sequencer.execution.history import Version
from sequencer.state.journal import Journal
from sequencer.types.block import BlockHeader
from sequencer.types.item import CheckedItem
from sequencer.types.outcome import ItemResult


class BlockRun:
    """One block between `begin` and `finish`."""

    def __init__(
        self,
        rules: Rules,
        parent: Version,
        window: OutcomeWindow,
        header: BlockHeader,
        items: Sequence[tuple[bytes, CheckedItem]],
    ) -> None:
        self.header = header
        self.states = parent.states
        self.leaves = BlockLeaves()
        self.decided: list[Decided] = []
        self.results: list[ItemResult] = []
        self._items = items
        self._journals = {namespace: Journal(state) for namespace, state in sorted(parent.states.items())}
        context = BlockContext(header.height, header.time_ms)
        self.automaton = OutcomeAutomaton(rules, self._journals, window, context)

    @property
    def is_done(self) -> bool:
        """Whether all items are applied."""
        return len(self.decided) == len(self._items)

    def step(self, item_count_max: int) -> None:
        """Apply the next items and fold their writes into the states, so that `finish` is left with little."""
        start = len(self.decided)
        for index, (item, checked) in enumerate(self._items[start : start + item_count_max], start):
            decided = self.automaton.apply(item, checked)
            self.decided.append(decided)
            self.results.append(ItemResult(index, decided.item_id, decided.status, decided.reason, decided.fee))
            self.leaves.add(checked, decided)
        for namespace, journal in self._journals.items():
            if journal.writes:
                advanced = self.states[namespace].update(journal.writes)
                self.states = self.states.set(namespace, advanced)
                journal.rebase(advanced)
