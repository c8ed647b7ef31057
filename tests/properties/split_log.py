"""Write logs over native and split rollups that nobody sensible would write: every kind of item, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from sequencer.execution.pending import PendingBundle, PendingPlace
from sequencer.types.bundle import Bundle, Leg, Operation, Reference
from sequencer.types.verdict import (
    BeatStatement,
    ExecutorStatement,
    Output,
    RootStatement,
    Verdict,
    VerdictStatement,
    compute_assumption,
)
from tests.execution_world import ACCOUNTS, ALPHA, BETA, BOB, GAMMA, make_leg, set_key, transfer
from tests.split_chain import Chain, declare
from tests.split_world import DELTA, EPSILON

ROLLUPS = (ALPHA, BETA, GAMMA, DELTA, EPSILON)
SPLIT = (DELTA, EPSILON)
KEYS = ("kv/a", "kv/b", "kv/c")
ITEMS_PER_BLOCK_MAX = 9
WITHIN_MAX = 9


@dataclass
class LogWriter:
    """Writes the next block from what the chain says is undecided; all draws come from one seed."""

    random: Random
    bundles: list[Bundle] = field(default_factory=list)
    """Every bundle written, so that deps, replays and stray certificates find one."""

    def write(self, chain: Chain) -> list[Bundle | ExecutorStatement]:
        """Return the items of the next block."""
        return [self._draw(chain) for _ in range(self.random.randrange(ITEMS_PER_BLOCK_MAX))]

    def _draw(self, chain: Chain) -> Bundle | ExecutorStatement:
        chance = self.random.random()
        if chance < 0.45 or not self.bundles:
            self.bundles.append(self._draw_bundle(chain))
            return self.bundles[-1]
        if chance < 0.9:
            return self._draw_verdict(chain)
        if chance < 0.93:
            return self.random.choice(self.bundles)
        height = chain.executor.height + self.random.randint(-3, 1)
        rollup = self.random.choice(SPLIT)
        if chance < 0.97:
            return BeatStatement(rollup, max(0, height))
        return RootStatement(rollup, max(0, height), 0, *(self.random.randbytes(32) for _ in range(3)))

    def _draw_bundle(self, chain: Chain) -> Bundle:
        random, number = self.random, len(self.bundles)
        legs = tuple(self._draw_leg(place, number) for place in range(random.choice((1, 1, 2, 2, 3))))
        is_split = any(leg.rollup in SPLIT for leg in legs)
        bundle = chain.bundle(
            *legs,
            within=random.randint(1, WITHIN_MAX) if is_split else 0,
            payer=random.choice(ACCOUNTS[:3]),
            channel=random.randrange(3),
            deps=(random.choice(self.bundles).id,) if self.bundles and random.random() < 0.2 else (),
        )
        is_gap = random.random() < 0.02
        return replace(bundle, sequence=bundle.sequence + 1) if is_gap else bundle

    def _draw_leg(self, place: int, number: int) -> Leg:
        random = self.random
        key, marker = random.choice(KEYS), make_marker(number)
        operations = [set_key(marker), Operation("add", (key, random.randrange(3)))]
        if place and random.random() < 0.4:
            operations.append(Operation("set", (key, Reference(random.randrange(place), "value"))))
        if random.random() < 0.1:
            operations.append(transfer(BOB, 2**62))
        others = [other for other in KEYS if other != key]
        access = declare(read=random.sample(others, 1), write=[key, marker])
        return make_leg(random.choice(ROLLUPS), *operations, access=None if random.random() < 0.15 else access)

    def _draw_verdict(self, chain: Chain) -> VerdictStatement:
        """Mostly about what is undecided, under an assumption that came true or still may."""
        random = self.random
        if not chain.executor.pending or random.random() < 0.1:
            bundle = random.choice(self.bundles)
            return VerdictStatement(random.choice(SPLIT), bundle.id, Verdict.YES, "", (), random.randbytes(32))
        entry = random.choice(chain.executor.pending)
        place = random.choice(entry.places)
        is_yes = random.random() < 0.8
        reason = "" if is_yes else "TOO_LOW@legs[0].conditions[0]"
        outputs = tuple((leg, "value", 1) for leg in range(3)) if is_yes and random.random() < 0.7 else ()
        verdict = Verdict.YES if is_yes else Verdict.NO
        rollup = place.rollup if random.random() < 0.95 else random.choice(SPLIT)
        return VerdictStatement(rollup, entry.id, verdict, reason, outputs, self._draw_assumption(entry, place))

    def _draw_assumption(self, entry: PendingBundle, place: PendingPlace) -> bytes:
        links = [(a.id, a.status, a.assumption) for a in place.ancestors if a.status and a.assumption is not None]
        inputs: list[Output] = []
        if entry.bundle is not None and self.random.random() < 0.5:
            inputs = [(leg, "value", 1) for leg in range(len(entry.bundle.legs) - 1)]
        return compute_assumption(links, inputs[: self.random.randrange(3)])


def make_marker(number: int) -> str:
    """Return the key that the bundle of this number sets on every rollup it touches."""
    return f"kv/m{number}"
