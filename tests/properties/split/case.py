"""Play one whole case that a seed makes: a network, blocks with faults, then silence until all is decided."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from sequencer.types.primitives import RollupId
from tests.properties.split.checks import Broken, LogWatch
from tests.properties.split.executors import Executors
from tests.properties.split.network import Network, Shape, draw_shape
from tests.properties.split.nodes import NodeWatch

BLOCKS = 14
BUNDLES_PER_BLOCK_MAX = 7
HOSTILE_PER_BLOCK_MAX = 2
SUBSETS: tuple[tuple[RollupId, ...], ...] = ((), (1,), (2, 3), (1, 2, 3))
"""Rollups that the nodes run, as far as they are split."""
ALL = (1, 2, 3)
NODES = 3
"""One that runs no split rollup, one that runs all, and one in between."""


class Case:
    """A network with all who watch it; every step may be asked for, in any order."""

    def __init__(self, seed: int, shape: Shape) -> None:
        self.network = Network(seed, shape)
        self.log = LogWatch(self.network)
        self.nodes = NodeWatch(self.network, self.log, (SUBSETS[0], SUBSETS[1 + seed % 2], ALL))
        if not shape.is_ideal:
            Executors(self.network, self.nodes.nodes[0])

    @property
    def counts(self) -> Counter[str]:
        return self.network.counts

    def toggle(self, rollup: RollupId) -> None:
        """Let all executors of a rollup crash, or come back."""
        self.network.crashed ^= {rollup}

    def restart(self, node: int) -> None:
        """Let one of the three nodes go on from its snapshot."""
        self.nodes.nodes[node].restart()
        self.counts["restarts"] += 1

    def finish(self, late: tuple[RollupId, ...]) -> None:
        """Let everybody come back, wait, and look at what is left; a late node reads the whole log."""
        self.network.crashed.clear()
        self.network.drain()
        self.log.check_end()
        self.nodes.check_end()
        self.nodes.check_late(late)


def make_shape(seed: int) -> Shape:
    """Return the shape of a case: in half the product votes, in an eighth too many executors of one rollup lie."""
    random = Random(seed)
    shape = replace(draw_shape(random, ALL if seed % 3 == 0 else None), is_ideal=seed % 2 == 0)
    return replace(shape, liars=frozenset({random.choice(sorted(shape.split))})) if seed % 16 in (6, 15) else shape


def play_case(seed: int) -> Counter[str]:
    """Play the case of a seed; raises `Broken` if a promise is, and returns how often each kind of thing happened."""
    random, case = Random(~seed), Case(seed, make_shape(seed))
    for _ in range(BLOCKS):
        if random.random() < 0.08:
            case.toggle(random.choice(sorted(case.network.shape.split)))
        case.network.add_block(random.randint(0, BUNDLES_PER_BLOCK_MAX), random.randint(0, HOSTILE_PER_BLOCK_MAX))
        if random.random() < 0.1:
            case.restart(random.randrange(NODES))
    case.finish(random.choice(SUBSETS))
    return case.counts


def find_broken(seed: int) -> str:
    """Return what the case of a seed shows to be broken, the rule first, or nothing."""
    try:
        play_case(seed)
    except Broken as broken:
        return str(broken)
    return ""
