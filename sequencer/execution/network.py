"""Read from the genesis what execution starts from: rules, states and rows of height 0."""

from __future__ import annotations

from collections.abc import Collection

from pyrsistent import PMap, pmap

from sequencer.errors import LocalError
from sequencer.execution import system_state
from sequencer.execution.assets import verify_genesis_assets
from sequencer.execution.machines import get_machine
from sequencer.execution.rule import Rules
from sequencer.state.state_tree import StateTree, build_tree
from sequencer.types.genesis import Genesis, RollupKind
from sequencer.types.primitives import SYSTEM_NAMESPACE, RollupId


def make_rules(genesis: Genesis) -> Rules:
    """Return kinds, names and machines of a network; raises `LocalError` for an unknown machine."""
    return Rules(
        {rollup.id: rollup.kind is RollupKind.SPLIT for rollup in genesis.rollups},
        {rollup.id: rollup.name for rollup in genesis.rollups},
        {rollup.id: get_machine(rollup.machine) for rollup in genesis.rollups},
        genesis.parameters,
    )


def make_genesis_states(genesis: Genesis) -> PMap[RollupId, StateTree]:
    """Return every namespace's state at height 0, also of rollups that others execute.

    Raises `LocalError` for assets that a network cannot have.
    """
    verify_genesis_assets(genesis)
    states = {SYSTEM_NAMESPACE: build_tree(system_state.make_genesis_entries(genesis))}
    states.update((rollup.id, build_tree(rollup.state)) for rollup in genesis.rollups)
    return pmap(states)


def select_states(
    rules: Rules, states: PMap[RollupId, StateTree], runs: Collection[RollupId]
) -> PMap[RollupId, StateTree]:
    """Return the states of the system, of native rollups and of those in `runs`; raises `LocalError` for others."""
    for rollup in sorted(runs):
        if not rules.is_split.get(rollup, False):
            raise LocalError(f"rollup {rollup} is no split rollup of this network")
    return pmap({key: state for key, state in states.items() if not rules.is_split.get(key, False) or key in runs})
