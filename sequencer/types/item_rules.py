"""Hold what the stateless checks of items depend on; the genesis makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sequencer.types.primitives import Digest, RollupId


@dataclass(frozen=True, slots=True)
class ExecutorSet:
    """Who attests for one split rollup. # A9"""

    public_keys: tuple[bytes, ...]
    """By executor index, 1..16."""

    @property
    def fault_count(self) -> int:
        """f_r = (n_r - 1) // 2: a majority is enough, for the log has agreed already."""
        return (len(self.public_keys) - 1) // 2

    @property
    def threshold(self) -> int:
        """f_r + 1: so many signatures have one of a correct executor among them."""
        return self.fault_count + 1


@dataclass(frozen=True, slots=True)
class ItemRules:
    """What the stateless checks depend on; equal on all nodes of a network."""

    chain_id: Digest
    native_rollups: frozenset[RollupId]
    executor_sets: Mapping[RollupId, ExecutorSet]
    """By split rollup; a rollup in neither does not exist."""
    decide_within_min: int
    """Heights that a bundle with a split rollup must grant at least. # A21"""
