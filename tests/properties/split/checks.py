"""Watch what a log promises whoever executes it, block by block. # A1 A6 A8 A9 A12 A17 A19 A20"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from sequencer.codec import decode
from sequencer.simulation.reference.machine import OUTBOX
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import Bundle
from sequencer.types.item import SignedBundle
from sequencer.types.message import CrossMessage, Delivery
from sequencer.types.outcome import ItemResult, Status
from sequencer.types.primitives import Digest, Height, RollupId, StateValue
from tests.properties.split.network import Items, Network

MARKER = "kv/mark/"
State = dict[str, StateValue]


class Broken(AssertionError):
    """A promise does not hold; the message begins with the rule."""


def demand(holds: bool, rule: str, what: str) -> None:
    """Raise `Broken` unless it holds."""
    if not holds:
        raise Broken(f"{rule}: {what}")


def sum_assets(states: dict[RollupId, State]) -> Counter[str]:
    """Return what there is of each asset: balances, reserves, and messages on their way. # A20"""
    totals: Counter[str] = Counter()
    for state in states.values():
        for key, value in state.items():
            parts = key.split("/")
            if parts[0] in ("balance", "pool"):
                totals[parts[1] if parts[0] == "balance" else parts[2]] += int(str(value))
            elif key.startswith(OUTBOX) and isinstance(value, bytes):
                message = CrossMessage.from_value(decode(value, "message"), "message")
                totals[message.asset] += message.amount
    return totals


class LogWatch:
    """What the log promises whoever executes it; asks the judge, so it judges the judge too."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.bundles: dict[Digest, Bundle] = {}
        """Admitted ones."""
        self.positions: dict[Digest, Height] = {}
        self.decided: dict[Digest, Status] = {}
        self.recent: list[Digest] = []
        """Admitted bundles that are undecided, or were when this block began."""
        self.writers: defaultdict[tuple[RollupId, str], list[Digest]] = defaultdict(list)
        """Admitted bundles that set a marker on a rollup; of legs that a client used twice there are several."""
        self.arrived: Counter[Digest] = Counter()
        self._assets = sum_assets(network.reference.states)
        self._deposits = sum(network.reference.deposits.values())
        network.followers.append(self.on_block)

    def on_block(self, header: BlockHeader, items: Items, results: tuple[ItemResult, ...]) -> None:
        """Check all promises after a block."""
        self._read_items(header.height, items, results)
        self._read_rulings(header.height)
        reference = self._network.reference
        states = reference.states
        check_markers(self, states, set(reference.frozen), self.recent)
        if not self._network.shape.liars:
            demand(sum_assets(states) == self._assets, "A20", "an asset was made or lost")
            demand(not reference.lies, "A9", f"certified verdicts that are false: {reference.lies}")
            demand(not reference.frozen, "A12", f"frozen although nobody lies: {reference.frozen}")
        total = sum(reference.deposits.values()) + reference.held + reference.burned
        demand(total == self._deposits, "A17", "deposits, held and burned fees do not add up")

    def _read_items(self, height: Height, items: Items, results: tuple[ItemResult, ...]) -> None:
        for (_, checked), result in zip(items, results, strict=True):
            if result.status is Status.INADMISSIBLE:
                continue
            if isinstance(checked, SignedBundle):
                signed = self._network.workload.signed.get(result.item_id)
                demand(signed == checked.bundle.legs, "A1", "taken in is what nobody has signed")
                demand(result.item_id not in self.bundles, "A6", "a bundle was taken in twice")
                self.bundles[result.item_id] = checked.bundle
                self.positions[result.item_id] = height
                for place in find_markers(checked.bundle):
                    self.writers[place].append(result.item_id)
            elif isinstance(checked, Delivery):
                self.arrived[result.item_id] += 1
                demand(self.arrived[result.item_id] == 1, "A19", "a message arrived twice")

    def _read_rulings(self, height: Height) -> None:
        self.recent = [bundle_id for bundle_id in self.bundles if bundle_id not in self.decided]
        for ruling in self._network.reference.rulings:
            demand(ruling.item_id not in self.decided, "A8", "a bundle was decided twice")
            self.decided[ruling.item_id] = ruling.status
        for bundle_id, bundle in self.bundles.items():
            if bundle.decide_within and bundle_id not in self.decided:
                demand(height < self.positions[bundle_id] + bundle.decide_within, "A8", "undecided after its deadline")

    def check_end(self) -> None:
        """Nothing waits, nothing is held, and what was sent has arrived."""
        reference = self._network.reference
        demand(not reference.undecided, "A8", "something is undecided at the end")
        demand(reference.held == 0, "A17", "something is held at the end")
        check_markers(self, reference.states, set(reference.frozen), self.bundles)


def check_markers(
    watch: LogWatch, states: dict[RollupId, State], frozen: set[RollupId], bundle_ids: Iterable[Digest]
) -> None:
    """A bundle's marker stands on all of its rollups that are there iff it committed, else on none. # A8"""
    for bundle_id in bundle_ids:
        for rollup, key in find_markers(watch.bundles[bundle_id]):
            if rollup in states:
                is_marked = key in states[rollup]
                is_due = any(watch.decided.get(writer) is Status.COMMIT for writer in watch.writers[rollup, key])
                demand(is_due or not is_marked, "A8", f"effect of what is not committed, on rollup {rollup}")
                demand(is_marked or not is_due or rollup in frozen, "A8", f"no effect of a COMMIT on {rollup}")


def find_markers(bundle: Bundle) -> list[tuple[RollupId, str]]:
    """Return the markers that the bundle's legs set, each with its rollup, once."""
    found = [
        (leg.rollup, str(operation.arguments[0]))
        for leg in bundle.legs
        for operation in leg.operations
        if operation.name == "set" and str(operation.arguments[0]).startswith(MARKER)
    ]
    return list(dict.fromkeys(found))
