"""A chain with native and split rollups whose certificates the test writes itself: no executors, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sequencer.execution.executor import Executor
from sequencer.execution.pending import PendingBundle
from sequencer.types.bundle import AccessMode, AccessSet, Bundle, Leg, Operation
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis
from sequencer.types.item import CheckedItem, SignedBundle
from sequencer.types.message import Delivery
from sequencer.types.outcome import Status
from sequencer.types.primitives import Address, Digest
from sequencer.types.verdict import (
    ExecutorCertificate,
    ExecutorStatement,
    Output,
    Verdict,
    VerdictStatement,
    compute_assumption,
)
from tests.execution_world import ALICE, World, make_leg, sign_token
from tests.split_world import DELTA, EPSILON, SPLIT_GENESIS

FREE = compute_assumption((), ())
"""What a verdict rests on that rests on nothing."""
WITHIN = 10
"""Heights that the bundles here grant, unless said otherwise."""

Item = Bundle | ExecutorStatement | Delivery


def certify(statement: ExecutorStatement) -> ExecutorCertificate:
    """Return a certificate as the stateless checks let it pass; they are not what is tested here."""
    return ExecutorCertificate(statement, (0, 1), (bytes(64), bytes(64)))


def declare(*, read: Iterable[str] = (), write: Iterable[str] = ()) -> AccessSet:
    """Return an access set."""
    return tuple(sorted([(key, AccessMode.READ) for key in read] + [(key, AccessMode.WRITE) for key in write]))


def touch(
    rollup: int, *keys: str, value: int = 1, signer: Address = ALICE, read: Iterable[str] = (), add: bool = False
) -> Leg:
    """Return a leg that declares and writes these keys below kv/, and reads others."""
    names = [f"kv/{key}" for key in keys]
    operations = [Operation("add" if add else "set", (name, value)) for name in names]
    access = declare(read=[f"kv/{key}" for key in read], write=names)
    return make_leg(rollup, *operations, signer=signer, access=access)


@dataclass
class Chain(World):
    """Executes items; what is undecided is certified by hand."""

    genesis: Genesis = SPLIT_GENESIS
    runs: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        self.executor = Executor(self.genesis, self.runs)

    def bundle(
        self,
        *legs: Leg,
        within: int | None = None,
        payer: Address = ALICE,
        channel: int = 0,
        deps: tuple[Digest, ...] = (),
    ) -> Bundle:
        """Return a bundle with the payer's next sequence; `within` is `WITHIN` iff a leg is split."""
        is_split = any(leg.rollup in (DELTA, EPSILON) for leg in legs)
        bundle = self.make_bundle(*legs, payer=payer, channel=channel, deps=deps)
        return replace(bundle, decide_within=(WITHIN if is_split else 0) if within is None else within)

    def run(self, *items: Item) -> ExecutedBlock:
        """Execute one block of bundles, certified statements and deliveries."""
        return self.execute_items([self.make_item(item) for item in items])

    def make_item(self, item: Item) -> tuple[bytes, CheckedItem]:
        """Return an item as ordering hands it over."""
        if isinstance(item, Bundle):
            signed = SignedBundle(item, tuple(sign_token(signer, item.signing_bytes) for signer in item.signers))
            return signed.item_bytes, signed
        if isinstance(item, Delivery):
            return item.item_bytes, item
        certificate = certify(item)
        return certificate.item_bytes, certificate

    def run_until(self, height: int) -> ExecutedBlock:
        """Execute empty blocks up to `height`."""
        while self.executor.height < height:
            self.run()
        return self.blocks[-1]

    def get_pending(self, bundle: Bundle) -> PendingBundle:
        """Return what the table says of an undecided bundle."""
        pending = self.executor.get_pending(bundle.id)
        assert pending is not None
        return pending

    def get_reasons(self) -> list[str]:
        """Return the reasons of the newest block's decisions, COMMIT for none, in order of decision."""
        return [decision.reason or "COMMIT" for decision in self.blocks[-1].decisions]

    def restart(self) -> None:
        """Go on from a snapshot of the newest block."""
        snapshot = self.executor.take_snapshot()
        self.executor = Executor.restore(self.genesis, snapshot, self.executor.header, self.runs)
        assert self.executor.take_snapshot() == snapshot


Link = tuple[Digest, Status, Digest]


def link(bundle: Bundle, status: Status = Status.COMMIT, assumption: Digest = FREE) -> Link:
    """Return what stands for an ancestor in an assumption."""
    return (bundle.id, status, assumption)


def say_yes(
    bundle: Bundle,
    rollup: int = DELTA,
    links: Sequence[Link] = (),
    inputs: Sequence[Output] = (),
    outputs: tuple[Output, ...] = (),
) -> VerdictStatement:
    """Return the verdict YES under this assumption."""
    assumption = compute_assumption(links, inputs)
    return VerdictStatement(rollup, bundle.id, Verdict.YES, "", outputs, assumption)


def say_no(
    bundle: Bundle, rollup: int = DELTA, links: Sequence[Link] = (), reason: str = "TOO_LOW@legs[0].conditions[0]"
) -> VerdictStatement:
    """Return the verdict NO under this assumption."""
    return VerdictStatement(rollup, bundle.id, Verdict.NO, reason, (), compute_assumption(links, ()))
