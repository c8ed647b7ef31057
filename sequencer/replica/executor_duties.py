"""Do what an executor of a split rollup owes: state verdicts, roots and beats, and say them again if they are lost.

Promises: every statement is a function of the log and of what was assumed, so executors that are correct sign the same;
nothing needs to be remembered over a restart. At most `VARIANTS_MAX` votes on one bundle are said between two blocks,
whatever is foretold. A frozen rollup's executor says nothing. # A9 A12 A13 A14
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sequencer.codec import encode
from sequencer.execution.executor import Executor
from sequencer.execution.speculation import Heard, Speculation
from sequencer.replica.configuration import ExecutorIdentity
from sequencer.replica.verdict_pool import VARIANTS_MAX
from sequencer.types.effects import PublishVotes
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis
from sequencer.types.item import CheckedItem
from sequencer.types.primitives import Digest, Height, RollupId
from sequencer.types.verdict import (
    BeatStatement,
    ExecutorCertificate,
    ExecutorStatement,
    ExecutorVote,
    RootStatement,
    StatementKind,
    VerdictStatement,
    compute_statement_signing_bytes,
)

REPEAT_HEIGHTS = 4
"""A vote that is not in the log so many heights after it was published is published again."""
BEAT_HEIGHTS = 2
"""While its rollup is suspended an executor signs a beat at heights that this divides, so that all sign the same."""
ROW_HEIGHTS_MAX = 64
"""Heights after which a row is certified anew though nothing happened: proofs reach back 256 heights only."""
PUBLICATION_BYTES_MAX = 48 << 10
"""Bytes of votes in one publication."""
FRESH_MS = 20_000
"""A block that is older by this executor's clock is history: who catches up says nothing of it."""


@dataclass(frozen=True, slots=True)
class ExecutorStatus:
    """What people want to know of an executor."""

    rollup: RollupId
    index: int
    settled_height: Height
    is_suspended: bool
    is_frozen: bool
    """It computed NO where the log says COMMIT, so it certifies nothing more. # A12"""


@dataclass(slots=True)
class _Signed:
    """The own votes on one bundle."""

    vote: ExecutorVote
    """The last word."""
    published: Height
    """Newest executed height when it was said last."""
    count: int
    """Votes said at that height."""


class ExecutorDuties:
    """One executor of one split rollup."""

    def __init__(self, identity: ExecutorIdentity, genesis: Genesis, executor: Executor) -> None:
        """`executor` runs the identity's rollup."""
        self._identity = identity
        self._genesis = genesis
        self._executor = executor
        self._speculation = Speculation(genesis, executor, identity.rollup)
        self._signed: dict[Digest, _Signed] = {}
        self._due: dict[StatementKind, ExecutorStatement] = {}
        """The newest root and the newest beat that are not signed yet."""
        self._is_news = True
        self._moved_height = executor.height
        """Newest height at which anything but a root was ordered or decided, as far as is known since the start."""
        self.withheld = 0
        """Votes that had to wait for the next block because of `VARIANTS_MAX`; for the statistics."""

    @property
    def rollup(self) -> RollupId:
        """The rollup that this executor attests for."""
        return self._identity.rollup

    @property
    def sizes(self) -> tuple[int, int]:
        """Return on how many undecided bundles this executor has voted, and how many trials it remembers."""
        return len(self._signed), self._speculation.size

    def get_status(self) -> ExecutorStatus:
        """Return what people want to know."""
        rollup, executor = self._identity.rollup, self._executor
        return ExecutorStatus(
            rollup,
            self._identity.index,
            executor.get_settled_height(rollup),
            executor.is_suspended(rollup),
            not self._is_able(),
        )

    def _is_able(self) -> bool:
        """Tell whether the rollup's state is here, and was never contradicted by the log. # A12"""
        return self._identity.rollup in self._executor.runs and not self._executor.is_frozen(self._identity.rollup)

    def move_to(self, executor: Executor) -> None:
        """Go on above another state. # R2"""
        self._executor = executor
        self._speculation = Speculation(self._genesis, executor, self._identity.rollup)
        self._is_news = True

    def on_connected(self) -> None:
        """Somebody is there who may have heard nothing: say again with the next block what is still open."""
        for signed in self._signed.values():
            signed.published = -REPEAT_HEIGHTS

    # --- what to say ---------------------------------------------------------------------

    def on_executed(self, executed: ExecutedBlock, items: Iterable[CheckedItem], wall_ms: int) -> None:
        """A block of these items was executed: forget what it decided; a root or a beat may be due. # A11 A13

        No root is due soon if since the certified one nothing happened but roots: else each would call for the next.
        """
        for decision in executed.decisions:
            self._signed.pop(decision.item_id, None)
        self._is_news = True
        rollup, height = self._identity.rollup, executed.header.height
        row = self._executor.get_own_row(rollup)
        if executed.decisions or not all(map(_is_root, items)):
            self._moved_height = height
        if executed.header.time_ms < wall_ms - FRESH_MS or not self._is_able():
            return
        certified = self._executor.get_certified_height(rollup)
        is_row_due = certified < self._moved_height or certified + ROW_HEIGHTS_MAX <= height
        if executed.is_scheduled and row is not None and is_row_due:
            self._due[StatementKind.ROOT] = RootStatement(
                rollup, height, row.settled_height, row.state_root, row.receipt_root, row.outbox_root
            )
        if self._executor.is_suspended(rollup) and height % BEAT_HEIGHTS == 0:
            self._due[StatementKind.BEAT] = BeatStatement(rollup, height)

    def take_votes(self, heard: Heard, has_heard: bool) -> list[ExecutorVote]:
        """Return what is to be published now: new votes, and old ones that did not get into the log."""
        if not (self._is_news or has_heard) or not self._is_able():
            return []
        votes = [self._sign(statement) for statement in self._due.values()]
        self._due.clear()
        for forecast in self._speculation.foresee(heard):
            vote = self._vote(forecast)
            if vote is not None:
                votes.append(vote)
        if self._is_news:
            votes.extend(self._repeat())
        self._is_news = False
        return votes

    def _vote(self, forecast: VerdictStatement) -> ExecutorVote | None:
        """Vote unless this is the last word already."""
        signed, height = self._signed.get(forecast.bundle_id), self._executor.height
        if signed is not None and signed.vote.statement.digest == forecast.digest:
            return None
        count = 0 if signed is None or signed.published < height else signed.count
        if count >= VARIANTS_MAX:
            self.withheld += 1
            return None
        vote = self._sign(forecast)
        self._signed[forecast.bundle_id] = _Signed(vote, height, count + 1)
        return vote

    def _repeat(self) -> Iterator[ExecutorVote]:
        """Say again what may have been lost on its way."""
        height = self._executor.height
        for signed in self._signed.values():
            if height >= signed.published + REPEAT_HEIGHTS:
                signed.published, signed.count = height, 1
                if self._executor.check_certificate(signed.vote.statement) is None:
                    yield signed.vote

    def _sign(self, statement: ExecutorStatement) -> ExecutorVote:
        message = compute_statement_signing_bytes(self._genesis.chain_id, statement)
        return ExecutorVote(statement, self._identity.index, self._identity.signer.sign(message))


def _is_root(item: CheckedItem) -> bool:
    return isinstance(item, ExecutorCertificate) and isinstance(item.statement, RootStatement)


def pack_votes(votes: Iterable[ExecutorVote]) -> list[PublishVotes]:
    """Return publications of at most `PUBLICATION_BYTES_MAX`, in order."""
    packed: list[PublishVotes] = []
    waiting: list[ExecutorVote] = []
    size = 0
    for vote in votes:
        length = len(encode(vote.to_value()))
        if waiting and size + length > PUBLICATION_BYTES_MAX:
            packed.append(PublishVotes(tuple(waiting)))
            waiting, size = [], 0
        waiting.append(vote)
        size += length
    return [*packed, PublishVotes(tuple(waiting))] if waiting else packed
