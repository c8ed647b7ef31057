"""Collect the executors' votes until enough of them say the same. # A9 A14

Promises: a signature is verified only if it would be kept; every executor has its own bounded room, so nobody pushes
out another's votes; nothing is kept of a bundle that is decided. f_r + 1 equal votes are a certificate. It is wanted in
the log as long as it is the last word of so many, or rests on what is certain, and the newest executed state says that
it would take effect.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.crypto.signatures import Verifier
from sequencer.errors import PeerError
from sequencer.replica.ranked_inclusion import Wanted
from sequencer.types.genesis import Genesis
from sequencer.types.item import compute_item_id
from sequencer.types.outcome import Rejection, Status
from sequencer.types.primitives import Bounds, Digest, Height, RollupId, Signature
from sequencer.types.verdict import (
    ExecutorStatement,
    ExecutorVote,
    StatementKind,
    Verdict,
    VerdictStatement,
    make_certificate,
)

VARIANTS_MAX = 8
"""Votes of one executor on one bundle, which votes anew when it foresees other outcomes; its oldest one goes first."""
VOTES_PER_EXECUTOR_MAX = 8_192
"""Votes of one executor that are kept; its oldest goes first."""
OUTPUTS_PER_EXECUTOR_MAX = 65_536
"""Outputs that the kept votes of one executor state together, 1,024 at most in one vote; its oldest goes first."""
VERIFIED_PER_EXECUTOR_MAX = 2_048
"""Votes of one executor that are verified between two blocks; what comes beyond is said again later."""
HEIGHTS_KEPT = 64
"""Executed heights for which votes on roots and beats wait for others like them."""

Pair = tuple[RollupId, Digest]
"""A rollup, and a bundle that touches it."""


class Ledger(Protocol):
    """What the pool asks of the newest executed state."""

    @property
    def height(self) -> Height: ...

    def check_certificate(self, statement: ExecutorStatement) -> Rejection | None: ...

    def get_decided_status(self, bundle_id: Digest) -> Status | None: ...

    def is_certain(self, bundle_id: Digest, rollup: RollupId) -> bool: ...

    def get_deadline(self, item_id: Digest) -> Height | None: ...


@dataclass(slots=True)
class _Tally:
    """One statement and who signed it."""

    statement: ExecutorStatement
    threshold: int
    signatures: dict[int, Signature] = field(default_factory=dict)
    backers: set[int] = field(default_factory=set)
    """Executors whose last word on the bundle this is."""
    certificate: Wanted | None = None
    """Made of the first f_r + 1 votes; later ones add nothing."""

    @property
    def is_backed(self) -> bool:
        """Whether it is the last word of enough executors, and certified."""
        return self.certificate is not None and len(self.backers) >= self.threshold


@dataclass(slots=True)
class VotesCounters:
    """What came in and what was not kept, for the statistics."""

    received: int = 0
    kept: int = 0
    refused: int = 0
    """Of nobody's, or with a wrong signature: whatever came behind it in one envelope is not looked at."""
    postponed: int = 0
    """Not verified because `VERIFIED_PER_EXECUTOR_MAX` of their executor were since the newest block."""
    replaced: int = 0
    """Given up because their executor had more than `VARIANTS_MAX` on one bundle."""
    evicted: int = 0
    """Given up because their executor had more than `VOTES_PER_EXECUTOR_MAX`, or outputs than it may have."""
    certificates: int = 0
    """Statements that f_r + 1 executors signed."""


class VerdictPool:
    """Votes by statement, and what is complete."""

    def __init__(
        self, genesis: Genesis, verifier: Verifier, ledger: Ledger, own_rollup: RollupId | None, has_lane: bool
    ) -> None:
        """An executor without a lane needs no votes on its `own_rollup`: it knows, and includes nothing."""
        self._genesis = genesis
        self._verifier = verifier
        self._ledger = ledger
        self._unneeded = None if has_lane else own_rollup
        self._tallies: dict[Digest, _Tally] = {}
        self._pairs: dict[Pair, list[_Tally]] = {}
        self._complete: dict[Digest, _Tally] = {}
        self._timed: dict[Digest, _Tally] = {}
        """Roots and beats."""
        self._newest: dict[tuple[RollupId, StatementKind], Height] = {}
        """Of the roots and beats that are complete: an older one would come too late."""
        self._held: dict[tuple[RollupId, int], OrderedDict[Digest, None]] = {}
        self._outputs: Counter[tuple[RollupId, int]] = Counter()
        """Outputs that an executor's kept votes state."""
        self._verified: Counter[tuple[RollupId, int]] = Counter()
        """Votes of an executor that were verified since the newest block."""
        self._news: list[_Tally] = []
        self._is_telling = False
        self.counters = VotesCounters()

    def move_to(self, ledger: Ledger) -> None:
        """Go on above another state. # R2"""
        self._ledger = ledger
        for rollup, bundle_id in list(self._pairs):
            if ledger.get_decided_status(bundle_id) is not None:
                self._forget_pair((rollup, bundle_id))

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of every table; of tables per executor that of the largest one. # I11"""
        executors = sum(len(rollup.executors) for rollup in self._genesis.rollups)
        variants = max((max(_count_signers(tallies).values()) for tallies in self._pairs.values()), default=0)
        return {
            "votes_per_executor": (max(map(len, self._held.values()), default=0), VOTES_PER_EXECUTOR_MAX),
            "votes_per_bundle_and_executor": (variants, VARIANTS_MAX),
            "outputs_per_executor": (max(self._outputs.values(), default=0), OUTPUTS_PER_EXECUTOR_MAX),
            "statements": (len(self._tallies), executors * VOTES_PER_EXECUTOR_MAX),
        }

    def get_statements(self, bundle_id: Digest, rollup: RollupId) -> list[VerdictStatement]:
        """Return what f_r + 1 executors of the rollup say or have said of the bundle, whatever they assumed. # A14"""
        tallies = self._pairs.get((rollup, bundle_id), ())
        found = [tally.statement for tally in tallies if tally.certificate is not None]
        return [statement for statement in found if isinstance(statement, VerdictStatement)]

    def take_news(self) -> list[Wanted]:
        """Return, once, what became wanted since the last call."""
        if not self._news:
            return []
        news, self._news = self._news, []
        return list(self._select(news))

    def take_telling(self) -> bool:
        """Tell, once, whether what became complete may change what is expected: a plain YES is expected anyway."""
        is_telling, self._is_telling = self._is_telling, False
        return is_telling

    def on_votes(self, votes: Iterable[ExecutorVote]) -> None:
        """Votes of one envelope came by gossip, or own ones; what is wrong or of no use is dropped.

        Who packs wrong signatures buys one verification per envelope, and so do those who pack them behind good votes.
        """
        for vote in votes:
            self.counters.received += 1
            if self._is_known(vote):
                self._back(vote)
            elif self._is_useful(vote):
                if not self._is_genuine(vote):
                    self.counters.refused += 1
                    return
                self._keep(vote)
                self._back(vote)

    def on_executed(self, decided: Iterable[Digest]) -> None:
        """A block was executed: nothing is kept of what it decided, nor of old roots and beats."""
        self._verified.clear()
        for bundle_id in decided:
            for rollup in self._genesis.item_rules.executor_sets:
                self._forget_pair((rollup, bundle_id))
        floor = self._ledger.height - HEIGHTS_KEPT
        for tally in [tally for tally in self._timed.values() if tally.statement.number <= floor]:
            self._forget(tally)

    def get_wanted(self) -> Iterator[Wanted]:
        """Give all certificates that would take effect now."""
        return self._select(self._complete.values())

    # --- inside -------------------------------------------------------------------------

    def _select(self, tallies: Iterable[_Tally]) -> Iterator[Wanted]:
        for tally in tallies:
            statement, certificate = tally.statement, tally.certificate
            is_newest = statement.number >= self._newest.get((statement.rollup, statement.KIND), 0)
            is_meant = is_newest and (tally.is_backed or self._is_certain(statement))
            if is_meant and certificate is not None and self._ledger.check_certificate(statement) is None:
                yield certificate._replace(urgent_height=self._get_urgent_height(statement))

    def _get_urgent_height(self, statement: ExecutorStatement) -> Height | None:
        """Return from where on even a network with F faulty leaders may need all the time that is left. # A21"""
        deadline = None
        if isinstance(statement, VerdictStatement):
            deadline = self._ledger.get_deadline(statement.bundle_id)
        return None if deadline is None else deadline - self._genesis.item_rules.decide_within_min + 1

    def _is_certain(self, statement: ExecutorStatement) -> bool:
        """Tell whether one assumption is right for good: last words matter no more, and old votes can be said again."""
        if not isinstance(statement, VerdictStatement):
            return False
        return self._ledger.is_certain(statement.bundle_id, statement.rollup)

    def _is_known(self, vote: ExecutorVote) -> bool:
        """Tell whether the very same vote is kept: it needs no second verification."""
        tally = self._tallies.get(vote.statement.digest)
        return tally is not None and tally.signatures.get(vote.executor) == vote.signature

    def _is_useful(self, vote: ExecutorVote) -> bool:
        """Spare verifying what would not be kept."""
        statement = vote.statement
        if statement.rollup == self._unneeded:
            return False
        if self._verified[statement.rollup, vote.executor] >= VERIFIED_PER_EXECUTOR_MAX:
            self.counters.postponed += 1
            return False
        if not isinstance(statement, VerdictStatement):
            return statement.height > self._ledger.height - HEIGHTS_KEPT
        if self._is_certain(statement):
            return self._ledger.check_certificate(statement) is None
        return self._ledger.get_decided_status(statement.bundle_id) is None

    def _is_genuine(self, vote: ExecutorVote) -> bool:
        try:
            vote.verify(self._genesis, self._verifier)
        except PeerError:
            return False
        self._verified[vote.statement.rollup, vote.executor] += 1
        return True

    def _keep(self, vote: ExecutorVote) -> None:
        statement = vote.statement
        self._make_room(vote)
        tally = self._tallies.get(statement.digest)
        if tally is None:
            tally = _Tally(statement, self._genesis.item_rules.executor_sets[statement.rollup].threshold)
            self._tallies[statement.digest] = tally
            if isinstance(statement, VerdictStatement):
                self._pairs.setdefault((statement.rollup, statement.bundle_id), []).append(tally)
            else:
                self._timed[statement.digest] = tally
        key = (statement.rollup, vote.executor)
        if vote.executor not in tally.signatures:
            self._held.setdefault(key, OrderedDict())[statement.digest] = None
            self._outputs[key] += _count_outputs(statement)
        tally.signatures[vote.executor] = vote.signature
        self.counters.kept += 1
        if tally.certificate is None and len(tally.signatures) >= tally.threshold:
            self._complete_tally(tally)

    def _complete_tally(self, tally: _Tally) -> None:
        votes = [ExecutorVote(tally.statement, executor, s) for executor, s in tally.signatures.items()]
        certificate = make_certificate(votes)
        item = certificate.item_bytes
        tally.certificate = Wanted(compute_subject(tally.statement), compute_item_id(item, certificate), item)
        statement = tally.statement
        self._complete[statement.digest] = tally
        if not isinstance(statement, VerdictStatement):
            key = (statement.rollup, statement.KIND)
            self._newest[key] = max(statement.height, self._newest.get(key, 0))
        self._is_telling |= _is_telling(statement)
        self.counters.certificates += 1

    def _back(self, vote: ExecutorVote) -> None:
        """Note the executor's last word on the bundle."""
        tally, statement = self._tallies[vote.statement.digest], vote.statement
        if isinstance(statement, VerdictStatement):
            for other in self._pairs[statement.rollup, statement.bundle_id]:
                other.backers.discard(vote.executor)
        tally.backers.add(vote.executor)
        if len(tally.backers) == tally.threshold and tally.is_backed:
            self._news.append(tally)

    def _make_room(self, vote: ExecutorVote) -> None:
        """Older votes of the same executor go, and nobody else's."""
        statement, executor = vote.statement, vote.executor
        if isinstance(statement, VerdictStatement):
            tallies = self._pairs.get((statement.rollup, statement.bundle_id), ())
            own = [tally for tally in tallies if executor in tally.signatures]
            if len(own) >= VARIANTS_MAX:
                self._drop_vote(own[0], executor)
                self.counters.replaced += 1
        key = (statement.rollup, executor)
        held, count = self._held.get(key, OrderedDict()), _count_outputs(statement)
        while len(held) >= VOTES_PER_EXECUTOR_MAX or self._outputs[key] + count > OUTPUTS_PER_EXECUTOR_MAX:
            self._drop_vote(self._tallies[next(iter(held))], executor)
            self.counters.evicted += 1

    def _drop_vote(self, tally: _Tally, executor: int) -> None:
        """A certificate that was made stays while anybody's vote is left."""
        del tally.signatures[executor]
        tally.backers.discard(executor)
        self._release(tally, executor)
        if not tally.signatures:
            self._forget(tally)

    def _release(self, tally: _Tally, executor: int) -> None:
        key = (tally.statement.rollup, executor)
        del self._held[key][tally.statement.digest]
        self._outputs[key] -= _count_outputs(tally.statement)

    def _forget_pair(self, pair: Pair) -> None:
        for tally in list(self._pairs.get(pair, ())):
            self._forget(tally)

    def _forget(self, tally: _Tally) -> None:
        statement = tally.statement
        del self._tallies[statement.digest]
        self._complete.pop(statement.digest, None)
        for executor in tally.signatures:
            self._release(tally, executor)
        if isinstance(statement, VerdictStatement):
            pair = (statement.rollup, statement.bundle_id)
            self._pairs[pair].remove(tally)
            if not self._pairs[pair]:
                del self._pairs[pair]
        else:
            del self._timed[statement.digest]


def compute_subject(statement: ExecutorStatement) -> Digest:
    """Return what validators are ranked by: all certificates of one rollup on one bundle go one way."""
    if isinstance(statement, VerdictStatement):
        return hash_tagged(Tag.RANK, statement.bundle_id, statement.rollup.to_bytes(4, "big"))
    return statement.digest


def _is_telling(statement: ExecutorStatement) -> bool:
    return isinstance(statement, VerdictStatement) and (statement.verdict is Verdict.NO or bool(statement.outputs))


def _count_outputs(statement: ExecutorStatement) -> int:
    return len(statement.outputs) if isinstance(statement, VerdictStatement) else 0


def _count_signers(tallies: Iterable[_Tally]) -> Counter[int]:
    return Counter(executor for tally in tallies for executor in tally.signatures)
