"""A mempool over scripted accounts and a scripted lane."""

from __future__ import annotations

from dataclasses import dataclass, field

from sequencer.mempool.mempool import Mempool
from sequencer.mempool.patience import Outlook
from sequencer.types.bundle import Bundle, Leg, Operation
from sequencer.types.effects import Answer, Submission
from sequencer.types.item import CheckedItem, SignedBundle
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Address, Digest, Height, Instant
from tests.unit.core_world import PARAMETERS, at, make_payer, name_digest

CHAIN_ID = name_digest("chain")
ALICE, BOB = make_payer(0), make_payer(1)
FEE = PARAMETERS.fee_base + PARAMETERS.fee_per_operation
FOREVER = 2**63


def make_bundle(
    sequence: int = 0,
    payer: Address = ALICE,
    channel: int = 0,
    valid_from: int = 0,
    valid_until: int = FOREVER,
    label: int = 1,
    decide_within: int = 0,
) -> SignedBundle:
    """Return a signed bundle of one operation; `label` tells two of one sequence apart."""
    leg = Leg(1, payer, (), (Operation("set", ("key", label)),), None)
    return SignedBundle(
        Bundle(CHAIN_ID, payer, channel, sequence, valid_from, valid_until, decide_within, (), (leg,)), (bytes(64),)
    )


@dataclass
class ScriptedAccounts:
    """Sequences and deposits as the test writes them."""

    height: Height = 0
    sequences: dict[tuple[Address, int], int] = field(default_factory=dict)
    deposits: dict[Address, int] = field(default_factory=dict)

    def get_sequence(self, payer: Address, channel: int) -> int:
        return self.sequences.get((payer, channel), 0)

    def check_admission(
        self, bundle: Bundle, height: Height, pending_ahead: int, pending_fees: int
    ) -> Rejection | None:
        if bundle.sequence < self.get_sequence(bundle.payer, bundle.channel) + pending_ahead:
            return Rejection(Reason.SEQUENCE_USED, "item.body.sequence")
        if height < bundle.valid_from:
            return Rejection(Reason.NOT_YET_VALID, "item.body.valid_from")
        if height > bundle.valid_until:
            return Rejection(Reason.EXPIRED, "item.body.valid_until")
        if self.deposits.get(bundle.payer, 10**9) < pending_fees + FEE:
            return Rejection(Reason.UNFUNDED, "item.body.payer")
        return None


class Pool:
    """Validator 0's mempool; `laned` is what it handed to its lane."""

    def __init__(
        self,
        index: int | None = 0,
        has_lane: bool = True,
        is_gossip: bool = True,
        parameters: Parameters = PARAMETERS,
        outlook: Outlook | None = None,
    ) -> None:
        self.accounts = ScriptedAccounts()
        self.laned: list[Digest] = []
        self.has_room = True
        lane = self._add_to_lane if has_lane else None
        self.mempool = Mempool(parameters, 4, index, self.accounts, lane, is_gossip, outlook)
        self.now_ms = 0
        self._requests = 0

    def _add_to_lane(self, item_id: Digest, item: bytes, now: Instant) -> bool:
        if self.has_room:
            self.laned.append(item_id)
        return self.has_room

    def submit(self, *items: CheckedItem) -> list[Submission]:
        """Submit as one request; return the answer's submissions, empty while it waits."""
        self._requests += 1
        raw = [item.item_bytes if isinstance(item, SignedBundle) else b"raw" for item in items]
        self.mempool.on_submitted(self._requests, raw, items, at(self.now_ms))
        return [s for answer in self.answers() if answer.request == self._requests for s in answer.submissions]

    def gossip(self, *items: CheckedItem) -> None:
        self.mempool.on_gossiped(items, at(self.now_ms))

    def answers(self) -> list[Answer]:
        return self.mempool.take_answers()

    def published(self) -> list[bytes]:
        return [item for publication in self.mempool.take_publications() for item in publication.items]

    def batch(self, *bundles: SignedBundle) -> list[Answer]:
        self.mempool.on_batched([bundle.id for bundle in bundles])
        return self.answers()

    def execute(
        self, *consumed: SignedBundle, own: tuple[SignedBundle, ...] = (), full: tuple[SignedBundle, ...] = ()
    ) -> None:
        """Execute a block that consumes the sequences of some bundles and delivers own ones; for `full` no room was."""
        self.accounts.height += 1
        for bundle in consumed:
            key = (bundle.bundle.payer, bundle.bundle.channel)
            self.accounts.sequences[key] = bundle.bundle.sequence + 1
        touched = [(b.bundle.payer, b.bundle.channel) for b in (*consumed, *own)]
        consumers = {((b.bundle.payer, b.bundle.channel), b.bundle.sequence): b.id for b in consumed}
        crowded_out = {bundle.id for bundle in full}
        self.mempool.on_executed(
            touched, [b.id for b in own], self.accounts.height, at(self.now_ms), consumers, crowded_out
        )

    def time(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.mempool.on_timer(at(now_ms))
