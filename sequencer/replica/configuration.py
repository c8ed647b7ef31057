"""Tell a replica who it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sequencer.crypto.signatures import Signer, Verifier
from sequencer.types.genesis import Genesis
from sequencer.types.item import CheckedItem, check_item
from sequencer.types.primitives import RollupId, ValidatorIndex


@dataclass(frozen=True, slots=True)
class ExecutorIdentity:
    """Which executor of which split rollup a node is. # A9"""

    rollup: RollupId
    index: int
    """Place in the rollup's executor set."""
    signer: Signer
    """Executor key."""


@dataclass(frozen=True, slots=True)
class ReplicaConfig:
    """What does not change while a replica runs."""

    genesis: Genesis
    index: ValidatorIndex | None
    """Place in the committee; None for a full node."""
    signer: Signer | None
    """Vote key; None for a full node."""
    verifier: Verifier
    """The network's acceptance set of signatures. # G3"""
    is_lane_enabled: bool = True
    """False: build no batches; what clients submit travels by gossip."""
    is_gossip_enabled: bool = True
    """False: neither publish nor take in gossip."""
    is_optimistic: bool = True
    """False: as leader propose supported tips only. # P2"""
    remembered_check: Callable[[bytes], CheckedItem] | None = None
    """The stateless checks of an item from a caller that remembers their results; None: check anew."""
    executor: ExecutorIdentity | None = None
    """Whom this full node attests as; None for all others. # A9"""

    @property
    def runs(self) -> frozenset[RollupId]:
        """The split rollups that this node executes. # A9"""
        return frozenset() if self.executor is None else frozenset({self.executor.rollup})

    def check_item(self, item: bytes) -> CheckedItem:
        """Apply the stateless checks to an item of a stored block. # A3"""
        if self.remembered_check is not None:
            return self.remembered_check(item)
        return check_item(item, self.genesis.item_rules, self.verifier)
