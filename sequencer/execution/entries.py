"""Hold what the automaton knows of one item that is not settled, rollup by rollup. # A8 A9"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.execution.conditions import BlockContext
from sequencer.execution.deliveries import NO_SENDS, count_sends, make_credit_key
from sequencer.execution.evaluation import Evaluation, Failure, Outputs
from sequencer.execution.pending import Ancestor, PendingBundle, PendingPlace
from sequencer.types.bundle import AccessMode, Bundle
from sequencer.types.message import CrossMessage
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest, Height, RollupId
from sequencer.types.verdict import Link, Verdict, VerdictStatement, compute_assumption

Access: TypeAlias = Mapping[str, AccessMode] | None
"""Declared keys; None means all. # A7"""

_NOTHING: Mapping[int, Outputs] = {}


class Place:
    """An item on one of its rollups: what it waits for there, and what the rollup says to it."""

    __slots__ = (
        "access",
        "ancestors",
        "certificates",
        "entry",
        "expected",
        "failure",
        "followers",
        "found",
        "horizon",
        "is_settled",
        "is_split",
        "known_height",
        "position",
        "reason",
        "rollup",
        "verdict",
        "waiting",
    )

    def __init__(self, entry: Entry, rollup: RollupId, is_split: bool, access: Access) -> None:
        self.entry = entry
        self.rollup = rollup
        self.is_split = is_split
        self.access = access
        self.position = entry.position
        self.horizon: Height = 0
        self.ancestors: dict[Digest, Link | None] = {}
        """Direct ones in log order; None while not settled."""
        self.waiting = 0
        """How many of them are not settled; at 0 the place is ripe."""
        self.found: list[Place] = []
        """Their places, until the item is listed."""
        self.followers: list[Place] = []
        """Places of later items that have this one among their ancestors."""
        self.is_settled = False
        """Whether it is listed no more, or never had to be."""
        self.certificates: dict[Digest, VerdictStatement] = {}
        """By assumption, in log order."""
        self.expected: Digest | None = None
        """Of a split rollup: the assumption that counts, once all that it rests on is known. # A9"""
        self.known_height: Height | None = None
        self.verdict: Verdict | None = None
        """What counts; None while nothing does."""
        self.reason = ""
        self.failure: Failure | None = None
        """What a rollup that is executed here expected and found, for people."""

    def note(self, evaluation: Evaluation) -> None:
        """Take the verdict from a run."""
        self.verdict = evaluation.get_verdict(self.rollup)
        self.failure = evaluation.failures.get(self.rollup)
        self.reason = "" if self.failure is None else self.failure.reason

    def make_link(self) -> Link:
        """Return what stands for this item in whatever rests on it here; only once it is settled.

        An aborted item did nothing, so the values that it would have read are no part of it.
        """
        entry = self.entry
        if not self.is_split:
            return (entry.id, entry.status, ZERO_DIGEST)
        if entry.status is Status.COMMIT and self.expected is not None:
            return (entry.id, entry.status, self.expected)
        return (entry.id, entry.status, compute_assumption(self.get_links(), ()))

    def rest_on(self, link: Link) -> None:
        """Note that an ancestor is settled."""
        self.ancestors[link[0]] = link
        self.waiting -= 1
        self.entry.touch()

    def get_links(self) -> list[Link]:
        """Return the settled ancestors: all of them once the place is ripe."""
        return [link for link in self.ancestors.values() if link is not None]

    def make_record(self) -> PendingPlace:
        """Describe the place."""
        ancestors = tuple(
            [Ancestor(found, None, None) if link is None else Ancestor(*link) for found, link in self.ancestors.items()]
        )
        return PendingPlace(self.rollup, self.horizon, ancestors, self.known_height, tuple(self.certificates.values()))


class Entry:
    """An admitted item with one place per rollup."""

    __slots__ = (
        "_record",
        "bundle",
        "context",
        "deadline",
        "deps",
        "has_references",
        "held",
        "id",
        "is_joint",
        "is_queued",
        "is_timed",
        "message",
        "outputs",
        "places",
        "position",
        "sends",
        "status",
    )

    def __init__(self, bundle: Bundle | None, message: CrossMessage | None, context: BlockContext, index: int) -> None:
        self.bundle = bundle
        self.message = message
        self.id: Digest = bundle.id if bundle is not None else message.id if message is not None else ZERO_DIGEST
        self.context = context
        self.position = (context.height, index)
        decide_within = 0 if bundle is None else bundle.decide_within
        self.is_timed = decide_within > 0
        """Whether it touches a split rollup, so that it must be decided in time. # A21"""
        self.is_joint = self.is_timed and bundle is not None and len(bundle.rollups) > 1
        """Whether a split rollup and another one wait for each other. # A3"""
        self.deadline: Height = context.height + decide_within
        self.status = Status.PENDING
        self.places: dict[RollupId, Place] = {}
        """Ascending by rollup."""
        self.deps: dict[Digest, Status | None] = {}
        """How each dep ended; PENDING: it is waited for, None: it is unknown. # A16"""
        self.held = 0
        """Kept of the payer's deposit until the decision. # A17"""
        self.outputs: dict[int, Outputs] = {}
        """What legs export, as far as other legs may read it. # A15"""
        self.sends = NO_SENDS if bundle is None else count_sends(bundle)
        """Messages that it sends if it commits, by source. # A19"""
        self.has_references = bundle is not None and bundle.has_references
        self.is_queued = False
        """Whether it waits in the work list."""
        self._record: PendingBundle | None = None

    @property
    def is_ripe(self) -> bool:
        """Whether all that it rests on is settled, on every rollup."""
        return all(place.waiting == 0 for place in self.places.values())

    def get_failed_dep(self) -> Digest | None:
        """Return the first dep that can not commit any more, or None. # A16"""
        for dep, status in self.deps.items():
            if status is not Status.COMMIT and status is not Status.PENDING:
                return dep
        return None

    def get_open_dep(self) -> Digest | None:
        """Return the first dep that is waited for, or None."""
        return next((dep for dep, status in self.deps.items() if status is Status.PENDING), None)

    def get_given(self) -> Mapping[int, Outputs]:
        """Return the outputs that legs may refer to; none if no leg refers to any."""
        return self.outputs if self.has_references else _NOTHING

    def touch(self) -> None:
        """Note that its description has changed."""
        self._record = None

    def get_record(self) -> PendingBundle:
        """Describe the entry as it is now."""
        if self._record is None:
            places = tuple([place.make_record() for place in self.places.values()])
            self._record = PendingBundle(
                self.bundle,
                self.message,
                *self.position,
                self.context.time_ms,
                self.deadline,
                self.status,
                places,
            )
        return self._record


def compute_access(entry: Entry, rollup: RollupId) -> Access:
    """Return the keys that an item declares on a rollup: a bundle over all its legs there, a delivery one. # A7 A19"""
    if entry.bundle is not None:
        return _merge_access(entry.bundle, rollup)
    return {} if entry.message is None else {make_credit_key(entry.message): AccessMode.WRITE}


def _merge_access(bundle: Bundle, rollup: RollupId) -> Access:
    if len(bundle.legs) == 1:
        return bundle.legs[0].declared
    merged: dict[str, AccessMode] = {}
    for leg in bundle.legs:
        if leg.rollup == rollup:
            if leg.declared is None:
                return None
            for key, mode in leg.declared.items():
                merged[key] = max(mode, merged.get(key, AccessMode.READ))
    return merged
