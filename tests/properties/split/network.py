"""Grow one log over split rollups: bundles, messages, certificates that are dropped or come late, hostile items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from sequencer.codec import decode
from sequencer.simulation.reference import ReferenceInterpreter
from sequencer.simulation.reference.entry import Entry
from sequencer.simulation.reference.mail import get_outbox
from sequencer.types.block import BlockHeader
from sequencer.types.item import CheckedItem, SignedBundle, check_item
from sequencer.types.message import CrossMessage, Delivery
from sequencer.types.outcome import ItemResult, Status
from sequencer.types.primitives import Height, RollupId
from sequencer.types.receipt import MerklePath
from sequencer.types.verdict import (
    BeatStatement,
    ExecutorCertificate,
    ExecutorStatement,
    ExecutorVote,
    RootStatement,
    Verdict,
    VerdictStatement,
    compute_statement_signing_bytes,
    make_certificate,
)
from tests.execution_world import make_child
from tests.properties.split.economy import EXECUTOR_SIGNERS, EXECUTORS, VERIFIER, make_genesis, make_workload
from tests.properties.split.oracle import Foresight

Items = list[tuple[bytes, CheckedItem]]
ROOT_INTERVAL = 3
BEAT_INTERVAL = 2
MISGUESSED = 25
"""Heights in percent at which executors also vote on wrong guesses."""
DRAIN_MAX = 12
"""Blocks after which nothing can be undecided: more than any bundle grants."""
PAST_MAX = 40
"""Items that replays are drawn from."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one case is like."""

    split: frozenset[RollupId]
    lags: tuple[int, ...]
    """Heights by which each rollup's executors follow late, by rollup id from 1; 0..3."""
    undeclared: int = 20
    """Legs in percent that may touch their whole rollup."""
    dropped: int = 0
    """Chance in percent that a proposer leaves out a certificate that it has."""
    liars: frozenset[RollupId] = frozenset()
    """Rollups of which two of three executors lie: more than may. # A12"""
    is_ideal: bool = True
    """Whether executors vote as the judge foresees (`oracle.py`), now and then wrongly; else as the product does."""


def draw_shape(random: Random, split: Iterable[RollupId] | None = None) -> Shape:
    """Return a random shape."""
    if split is None:
        split = random.choice(((1, 2, 3), (1, 2, 3), (2, 3), (3,), (1,), (1, 3)))
    lags = tuple(random.choice((0, 0, 1, 2, 3)) for _ in range(3))
    return Shape(frozenset(split), lags, random.choice((0, 10, 40)), random.choice((0, 0, 20, 60)))


class Voters(Protocol):
    """Who has certificates for proposers."""

    def take(self, is_taken: Callable[[], bool]) -> list[bytes]: ...


class Votes:
    """What executors have signed, until a proposer takes it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._votes: dict[bytes, dict[int, ExecutorVote]] = {}
        self._ready: dict[bytes, Height] = {}
        self.signed: set[bytes] = set()

    def state(self, statement: ExecutorStatement, height: Height) -> None:
        """Let all executors of a rollup sign at `height`; the last one lies, where it can."""
        if statement.digest in self.signed:
            return
        self.signed.add(statement.digest)
        lie = make_lie(statement)
        is_lost = statement.rollup in self._network.shape.liars and isinstance(statement, VerdictStatement)
        for index in range(EXECUTORS):
            is_liar = index == EXECUTORS - 1 or (is_lost and index == EXECUTORS - 2)
            self._keep(self._network.sign(lie if is_liar else statement, index), height)

    def _keep(self, vote: ExecutorVote, height: Height) -> None:
        votes = self._votes.setdefault(vote.statement.digest, {})
        votes[vote.executor] = vote
        if len(votes) == 2:
            self._ready[vote.statement.digest] = height

    def take(self, height: Height, is_taken: Callable[[], bool]) -> list[ExecutorCertificate]:
        """Return the certificates that a proposer of `height` has and does not drop."""
        ready = [digest for digest, since in self._ready.items() if since < height and is_taken()]
        for digest in ready:
            del self._ready[digest]
        return [make_certificate(list(self._votes[digest].values())[:2]) for digest in ready]


def make_lie(statement: ExecutorStatement) -> ExecutorStatement:
    """Return the opposite of a verdict; a root or beat that is not of this rollup's making."""
    if isinstance(statement, VerdictStatement):
        if statement.verdict is Verdict.YES:
            return replace(statement, verdict=Verdict.NO, reason="LIE@legs[0].operations[0]", outputs=())
        return replace(statement, verdict=Verdict.YES, reason="")
    if isinstance(statement, BeatStatement):
        return replace(statement, height=statement.height + 1_000)
    return replace(statement, outbox_root=bytes(32))


class Network:
    """The log, and the reference that judges it; nodes follow by `on_block`."""

    def __init__(self, seed: int, shape: Shape) -> None:
        self.random = Random(seed)
        self.shape = shape
        self.genesis = make_genesis(shape.split)
        self.reference = ReferenceInterpreter(self.genesis)
        self.workload = make_workload(self.genesis, self.random, shape.undeclared)
        self.workload.peek = lambda rollup, key: int(str(self.reference.get_state(rollup, None).get(key, 0)))
        self.votes = Votes(self)
        self.blocks: list[tuple[BlockHeader, Items]] = []
        self.crashed: set[RollupId] = set()
        self.counts: Counter[str] = Counter()
        self.followers: list[Callable[[BlockHeader, Items, tuple[ItemResult, ...]], None]] = []
        self._header = self.genesis.header
        self._outboxes: dict[tuple[RollupId, Height], tuple[bytes, ...]] = {}
        self._voted: dict[bytes, int] = {}
        self._past: list[bytes] = []
        self.voters: Voters | None = None
        """The product's executors, if they vote."""
        self._delayed: list[tuple[Height, ExecutorStatement]] = []

    @property
    def height(self) -> Height:
        return self._header.height

    def sign(self, statement: ExecutorStatement, index: int) -> ExecutorVote:
        """Return one executor's vote."""
        message = compute_statement_signing_bytes(self.genesis.chain_id, statement)
        return ExecutorVote(statement, index, EXECUTOR_SIGNERS[statement.rollup, index].sign(message))

    def check(self, item: bytes) -> tuple[bytes, CheckedItem]:
        """Return the item with what the stateless checks make of it."""
        return item, check_item(item, self.genesis.item_rules, VERIFIER)

    def add_block(self, bundles: int, hostile: int = 0) -> tuple[ItemResult, ...]:
        """Add a block with so many new items of clients, what executors and relayers have, and hostile items."""
        height = self.height + 1
        items = [self.workload.make_item(height) for _ in range(bundles)]
        for item in (*self._take_certificates(height), *self._relay(), *self._forge(hostile)):
            items.insert(self.random.randint(0, len(items)), item)
        return self.add_items([self.check(item) for item in items])

    def add_items(self, items: Items) -> tuple[ItemResult, ...]:
        """Add a block with exactly these items."""
        self._header = make_child(self._header)
        results = self.reference.apply(self._header, items)
        self.blocks.append((self._header, items))
        self._past = [*self._past, *(item for item, _ in items)][-PAST_MAX:]
        self.workload.sequences = dict(self.reference.sequences)
        for rollup, state in self.reference.states.items():
            self._outboxes[rollup, self.height] = get_outbox(state)
        self._count(items, results)
        for follower in self.followers:
            follower(self._header, items, results)
        if self.voters is None:
            self._vote()
        return results

    def drain(self) -> None:
        """Add blocks without bundles until nothing is undecided; by A21 that is soon."""
        for _ in range(DRAIN_MAX):
            self.add_block(0)
            if not self.reference.undecided:
                return
        assert not self.reference.undecided, f"undecided: {self.reference.undecided}"

    # --- executors ------------------------------------------------------------------------

    def _vote(self) -> None:
        """Let the executors of every rollup that is up see this block, and say what they have to say."""
        seen: list[ExecutorStatement] = list(Foresight(self.reference).walk())
        if self.random.randrange(100) < MISGUESSED:
            seen += Foresight(self.reference, self._misguess).walk()
        for rollup in sorted(self.shape.split):
            if self.height % ROOT_INTERVAL == 0:
                seen.append(self._make_root(rollup))
            if rollup in self.reference.suspended and self.height % BEAT_INTERVAL == 0:
                seen.append(BeatStatement(rollup, self.height))
        for stated in seen:
            if stated.rollup not in self.crashed and stated.rollup not in self.reference.frozen:
                self._delayed.append((self.height + self.shape.lags[stated.rollup - 1], stated))
        due = [entry for entry in self._delayed if entry[0] <= self.height]
        self._delayed = [entry for entry in self._delayed if entry[0] > self.height]
        for _, statement in due:
            if isinstance(statement, VerdictStatement):
                self._count_vote(statement)
            self.votes.state(statement, self.height)

    def _misguess(self, entry: Entry) -> Status | None:
        """Foretell wrong: such votes rest on what does not come true."""
        return self.random.choice((None, None, Status.ABORT, Status.COMMIT))

    def _make_root(self, rollup: RollupId) -> RootStatement:
        """State the row of a split rollup; nothing but its outbox root can be read off the log."""
        outbox = self._outboxes[rollup, self.height]
        root = MerklePath.build(outbox, 0).compute_root(outbox[0]) if outbox else None
        settled = self.reference.get_settled_height(rollup)
        return RootStatement(rollup, self.height, settled, bytes(32), bytes(32), root or bytes(32))

    def _count_vote(self, statement: VerdictStatement) -> None:
        key = statement.bundle_id + statement.rollup.to_bytes(4, "big")
        if key in self._voted and statement.digest not in self.votes.signed:
            self.counts["re-votes"] += 1
        self._voted[key] = 1

    # --- items ----------------------------------------------------------------------------

    def _take_certificates(self, height: Height) -> list[bytes]:
        if self.voters is not None:
            return self.voters.take(self._is_taken)
        taken = self.votes.take(height, self._is_taken)
        return [certificate.item_bytes for certificate in taken]

    def _is_taken(self) -> bool:
        return self.random.randrange(100) >= self.shape.dropped

    def _relay(self) -> list[bytes]:
        """Return deliveries of messages that can be proven; now and then one comes twice or wrong."""
        items: list[bytes] = []
        for (rollup, _), (height, _) in sorted(self.reference.mail.roots.items()):
            outbox = self._outboxes.get((rollup, height), ())
            for index, leaf in enumerate(outbox):
                delivery = make_delivery(outbox, index, height)
                if delivery.message.id not in self.reference.mail.delivered and self.random.randrange(100) < 60:
                    items.append(delivery.item_bytes)
                if self.random.randrange(100) < 10:
                    items.append(self.random.choice((delivery, forge_delivery(delivery, self.random))).item_bytes)
                del leaf
        return items[:12]

    def _forge(self, count: int) -> list[bytes]:
        return [self._make_hostile() for _ in range(count)]

    def _make_hostile(self) -> bytes:
        """Return a replay, a bundle without one of its legs, or a certificate that too few have signed."""
        past = self.random.choice(self._past) if self._past else b""
        checked = self.check(past)[1]
        kind = self.random.randrange(4)
        if kind == 0:
            signed = self.workload.sign_bundle(self.workload.make_bundle(self.height + 1))
            legs = signed.bundle.legs
            changed = replace(signed.bundle, legs=self.random.choice((legs[:-1], legs[::-1])) or legs * 2)
            return SignedBundle(changed, signed.signatures).item_bytes
        if kind == 1 and self.reference.undecided:
            return self._make_forged_certificate()
        if kind == 2 and isinstance(checked, SignedBundle):
            expected = self.reference.sequences.get((checked.bundle.payer, checked.bundle.channel), 0)
            return SignedBundle(replace(checked.bundle, sequence=expected), checked.signatures).item_bytes
        return past

    def _make_forged_certificate(self) -> bytes:
        """Return what one executor signs alone, or two with one signature, or signatures of another rollup's."""
        honest = list(Foresight(self.reference).walk())
        if not honest:
            return b""
        statement = make_lie(self.random.choice(honest))
        vote = self.sign(statement, EXECUTORS - 1)
        stranger = self.sign(replace(statement, rollup=1 + statement.rollup % 3), 0).signature
        signers = self.random.choice(((2,), (0, 2), (0, 2)))
        signatures = (
            (vote.signature,) if len(signers) == 1 else (self.random.choice((stranger, vote.signature)), vote.signature)
        )
        return ExecutorCertificate(statement, signers, signatures).item_bytes

    # --- counting -------------------------------------------------------------------------

    def _count(self, items: Items, results: Sequence[ItemResult]) -> None:
        for (_, checked), result in zip(items, results, strict=True):
            if result.status is Status.INADMISSIBLE:
                self.counts[f"inadmissible {result.reason}"] += 1
            elif isinstance(checked, Delivery):
                self.counts["messages"] += 1
            elif isinstance(checked, ExecutorCertificate) and isinstance(checked.statement, BeatStatement):
                self.counts["beats"] += 1
        self.counts["freezes"] = len(self.reference.frozen)
        for ruling in self.reference.rulings:
            kind = ruling.reason.split(":")[0]
            self.counts[f"aborts {kind}" if kind else "commits"] += 1


def make_delivery(outbox: tuple[bytes, ...], index: int, height: Height) -> Delivery:
    """Return the delivery of one message of an outbox."""
    message = CrossMessage.from_value(decode(outbox[index], "message"), "message")
    return Delivery(message, height, MerklePath.build(outbox, index))


def forge_delivery(delivery: Delivery, random: Random) -> Delivery:
    """Return a delivery that claims what was never sent."""
    message = delivery.message
    return random.choice(
        (
            replace(delivery, message=replace(message, amount=message.amount + 1, bundle_id=random.randbytes(32))),
            replace(delivery, message=replace(message, to=random.randbytes(32))),
            replace(delivery, height=delivery.height + 1),
        )
    )
