"""Measure how many items per CPU second the outcome automaton decides when every rollup is split.

    uv run python scripts/automaton_rate.py [--items-per-height N,N…] [--items N] [--repeats N] [--seed S] [--json]

Three split rollups that this node does not run. Of four items three touch one rollup and one touches two, half of all
accesses go to one hot key per rollup, one leg of thirty is refused. The certificates are written before the clock
starts and stand at the head of the next block, as executors without delay would have it. So running legs and checking
signatures are not counted; admission, the index, certificates, decisions, fees, receipts and all roots are. An item is
a bundle: its certificates are work, not items. Outcomes are compared with those of the reference interpreter.

Exit status 1 if they differ, if a bundle is left undecided, or if a rate is below its bound: 4,000 at 1,000 items per
height, and there at least half of the rate at 100.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sequencer.codec import encode  # noqa: E402 - found below the root
from sequencer.crypto.signatures import SCHEME, Ed25519Signer  # noqa: E402
from sequencer.execution.executor import Executor  # noqa: E402
from sequencer.simulation.reference import ReferenceInterpreter  # noqa: E402
from sequencer.types.block import BlockHeader  # noqa: E402
from sequencer.types.bundle import AccessMode, AtLeast, Bundle, Leg, Operation  # noqa: E402
from sequencer.types.genesis import (  # noqa: E402
    Genesis,
    GenesisExecutor,
    GenesisValidator,
    HostAddress,
    Rollup,
    RollupKind,
)
from sequencer.types.item import CheckedItem, SignedBundle  # noqa: E402
from sequencer.types.outcome import ItemResult, Status  # noqa: E402
from sequencer.types.parameters import Parameters  # noqa: E402
from sequencer.types.primitives import Digest, RollupId  # noqa: E402
from sequencer.types.verdict import (  # noqa: E402
    ExecutorCertificate,
    Link,
    Verdict,
    VerdictStatement,
    compute_assumption,
)

ROLLUPS = (1, 2, 3)
PAYERS = 64
CHANNELS = 16
DEPOSIT = 10**12
DECIDE_WITHIN = 8
HOT_SHARE = 0.5
JOINT_SHARE = 0.25
"""Bundles over two rollups: 10 to 30 others."""
REFUSED_SHARE = 1 / 30
"""Legs that their rollup refuses."""
COLD_KEYS = 5_000
RATE_MIN = 4_000
SCALING_MIN = 0.5
NEVER = "kv/never"
"""A key that nobody writes."""

Items = list[tuple[bytes, CheckedItem]]


def main() -> int:
    """Measure each number of items per height and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items-per-height", metavar="N,N…", default="10,100,1000", help="default 10,100,1000")
    parser.add_argument("--items", metavar="N", type=int, default=3_000, help="bundles of each log (default 3000)")
    parser.add_argument("--repeats", metavar="N", type=int, default=3, help="runs of each log; the median counts")
    parser.add_argument("--seed", metavar="S", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.items_per_height.split(",")]
    runs = [measure(size, max(2, arguments.items // size), arguments.repeats, arguments.seed) for size in sizes]
    rates = {run["items_per_height"]: run["items_per_cpu_second"] for run in runs}
    is_fast = rates.get(1_000, RATE_MIN) >= max(RATE_MIN, SCALING_MIN * rates.get(100, 0))
    is_right = all(run["equals_reference"] and not run["undecided"] for run in runs)
    told = {"ok": is_fast and is_right, "items_per_cpu_second": rates, "runs": runs}
    print(json.dumps(told) if arguments.json else "\n".join(f"{run}" for run in runs))
    return 0 if is_fast and is_right else 1


def measure(items_per_height: int, heights: int, repeats: int, seed: int) -> dict[str, Any]:
    """Write a log, execute it several times, and judge it by the reference."""
    log = LogWriter(Random(seed)).write(items_per_height, heights)
    seconds, digests, undecided = [], set[str](), 0
    for _ in range(repeats):
        executor, outcomes = Executor(GENESIS), Outcomes()
        fresh = [(header, [(item, forget(checked)) for item, checked in items]) for header, items in log]
        started = time.process_time()
        for header, items in fresh:
            execute(executor, header, items, outcomes)
        seconds.append(time.process_time() - started)
        digests.add(outcomes.digest)
        undecided = len(executor.pending)
    count = items_per_height * heights
    return {
        "items_per_height": items_per_height,
        "items_per_cpu_second": round(count / median(seconds)),
        "log_items_per_cpu_second": round(sum(len(items) for _, items in log) / median(seconds)),
        "heights": len(log),
        "committed": outcomes.count_committed,
        "aborted": outcomes.count - outcomes.count_committed,
        "undecided": undecided,
        "outcomes": sorted(digests)[0],
        "equals_reference": digests == {judge(log)},
    }


def forget(checked: CheckedItem) -> CheckedItem:
    """Return the item as the stateless checks leave it: with its id, and nothing else computed yet."""
    if not isinstance(checked, SignedBundle):
        return checked
    bundle = replace(checked.bundle, legs=tuple(replace(leg) for leg in checked.bundle.legs))
    assert bundle.id == checked.bundle.id  # and is computed
    return SignedBundle(bundle, ())


class Outcomes:
    """A digest over every result and decision, in order."""

    def __init__(self) -> None:
        self._hash = sha256()
        self.count = 0
        self.count_committed = 0

    def add(
        self, results: Sequence[ItemResult], decisions: Iterator[tuple[Digest, int, int, Status, str, int]]
    ) -> None:
        """Add one block."""
        for result in results:
            self._hash.update(encode((result.item_id, result.status, result.reason, result.fee)))
        for decision in decisions:
            self._hash.update(encode(decision))
            self.count += 1
            self.count_committed += decision[3] is Status.COMMIT

    @property
    def digest(self) -> str:
        """What two runs must have in common."""
        return self._hash.hexdigest()[:16]


def execute(executor: Executor, header: BlockHeader, items: Items, outcomes: Outcomes) -> None:
    """Execute one block."""
    executor.begin(header, items)
    while not executor.step(256):
        pass
    block = executor.finish()
    outcomes.add(
        block.results,
        ((d.item_id, d.ordered_height, d.ordered_index, d.status, d.reason, d.fee) for d in block.decisions),
    )


def judge(log: Sequence[tuple[BlockHeader, Items]]) -> str:
    """Return the digest that the reference interpreter gives."""
    reference, outcomes = ReferenceInterpreter(GENESIS), Outcomes()
    for header, items in log:
        results = reference.apply(header, items)
        outcomes.add(results, ((r.item_id, *r[1:]) for r in reference.rulings))
    return outcomes.digest


@dataclass
class LogWriter:
    """Writes bundles, and the certificates of what is undecided at the head of the next block."""

    random: Random

    def write(self, items_per_height: int, heights: int) -> list[tuple[BlockHeader, Items]]:
        """Return headers and items; the last block holds certificates alone."""
        self._sequences = [0] * (PAYERS * CHANNELS)
        executor, log = Executor(GENESIS), []
        for height in range(1, heights + 2):
            items = list(self._certify(executor))
            if height <= heights:
                items += [self._draw_item() for _ in range(items_per_height)]
            header = make_child(executor.header)
            execute(executor, header, items, Outcomes())
            log.append((header, items))
        return log

    def _draw_item(self) -> tuple[bytes, CheckedItem]:
        count = 2 if self.random.random() < JOINT_SHARE else 1
        legs = tuple(self._draw_leg(rollup) for rollup in self.random.sample(ROLLUPS, count))
        purse = self.random.randrange(len(self._sequences))
        sequence = self._sequences[purse]
        self._sequences[purse] += 1
        payer, channel = ACCOUNTS[purse // CHANNELS], purse % CHANNELS
        bundle = Bundle(GENESIS.chain_id, payer, channel, sequence, 0, 2**40, DECIDE_WITHIN, (), legs)
        assert bundle.id  # the stateless checks, which are not measured, compute it
        return b"", SignedBundle(bundle, ())

    def _draw_leg(self, rollup: RollupId) -> Leg:
        key = "kv/hot" if self.random.random() < HOT_SHARE else f"kv/{self.random.randrange(COLD_KEYS)}"
        is_refused = self.random.random() < REFUSED_SHARE
        conditions = (AtLeast(NEVER, 1),) if is_refused else ()
        access = ((key, AccessMode.WRITE), *(((NEVER, AccessMode.READ),) if is_refused else ()))
        return Leg(rollup, ACCOUNTS[0], conditions, (Operation("add", (key, 1)),), tuple(sorted(access)))

    def _certify(self, executor: Executor) -> Iterator[tuple[bytes, CheckedItem]]:
        """Yield the certificates by which everything undecided is decided, one after the other."""
        links: dict[tuple[Digest, RollupId], Link] = {}
        for entry in executor.pending:
            assert entry.bundle is not None  # there are no deliveries here
            refused = [leg.rollup for leg in entry.bundle.legs if leg.conditions]
            for place in entry.places:
                assumption = compute_assumption([links[a.id, place.rollup] for a in place.ancestors], ())
                status = Status.ABORT if refused else Status.COMMIT
                links[entry.id, place.rollup] = (entry.id, status, assumption)
                yield make_verdict(entry.bundle, place.rollup, place.rollup in refused, assumption)


def make_verdict(bundle: Bundle, rollup: RollupId, is_refused: bool, assumption: Digest) -> tuple[bytes, CheckedItem]:
    """Return the certificate of one rollup's verdict."""
    verdict, reason = Verdict.YES, ""
    if is_refused:
        index = next(index for index, leg in enumerate(bundle.legs) if leg.rollup == rollup)
        verdict, reason = Verdict.NO, f"TOO_LOW@legs[{index}].conditions[0]"
    certificate = ExecutorCertificate(
        VerdictStatement(rollup, bundle.id, verdict, reason, (), assumption), (0, 1), (bytes(64), bytes(64))
    )
    return certificate.item_bytes, certificate


def make_child(parent: BlockHeader) -> BlockHeader:
    """Return a header that follows `parent`."""
    return replace(
        parent,
        view=parent.view + 1,
        height=parent.height + 1,
        parent_view=parent.view,
        parent_digest=parent.digest,
        time_ms=parent.time_ms + 40,
    )


def make_genesis() -> Genesis:
    """Return a network of four validators and three split rollups with three executors each."""
    host = HostAddress("peer", "/ip4/127.0.0.1/tcp/1")
    keys = [Ed25519Signer(bytes([number]) * 32).public_key for number in range(1, 14)]
    executors = [tuple(GenesisExecutor(f"r{r}-{i}", keys[4 + 3 * r + i]) for i in range(3)) for r in range(3)]
    return Genesis(
        "rate",
        1_000_000,
        SCHEME,
        tuple(GenesisValidator(f"val{index}", key, 1, host, host, host) for index, key in enumerate(keys[:4])),
        tuple(Rollup(r, f"r{r}", "key_value", RollupKind.SPLIT, (), executors[r - 1]) for r in ROLLUPS),
        tuple(sorted((account, DEPOSIT) for account in ACCOUNTS)),
        Parameters(),
    )


ACCOUNTS = tuple(sha256(bytes([number])).digest() for number in range(PAYERS))
GENESIS = make_genesis()

if __name__ == "__main__":
    sys.exit(main())
