"""One validator's consensus among scripted peers: real signatures, lanes that hold what the test says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from sequencer.consensus.core import Consensus
from sequencer.consensus.finality import Anchor
from sequencer.consensus.own_votes import OwnVotes
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.crypto.signatures import verify_ed25519
from sequencer.types.block import BlockHeader
from sequencer.types.effects import Broadcast, Effect, PersistVote, Send
from sequencer.types.primitives import Cut, Digest, Height, Instant, LaneLimits, Supported, Tip, ValidatorIndex, View
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind
from tests.execution_world import GENESIS, VALIDATORS

CHAIN, COMMITTEE, PARAMETERS, ROOT = GENESIS.chain_id, GENESIS.committee, GENESIS.parameters, GENESIS.header
N, Z, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
TIP = Tip(1, b"\x01" * 32)
ZERO = ZERO_DIGEST
T_PROP = PARAMETERS.idle_ms + 3 * PARAMETERS.view_timeout_base_ms
"""When an idle first view without a proposal is given up."""
T_RETRY = 5 * PARAMETERS.view_timeout_base_ms

_T = TypeVar("_T")


def at(ms: int) -> Instant:
    """Return the instant `ms` after the start; block times begin at the genesis' time."""
    return Instant(ms, ROOT.time_ms + ms)


def leader_of(view: View) -> ValidatorIndex:
    """Return who leads a view."""
    return COMMITTEE.get_leader(view)


def find_follower(*views: View) -> ValidatorIndex:
    """Return a validator that leads none of `views`."""
    return next(index for index in range(4) if index not in {leader_of(view) for view in views})


def make_header(
    view: View, parent: BlockHeader = ROOT, cut: Cut | None = None, time_ms: int | None = None
) -> BlockHeader:
    """Return a header of `view` on `parent`, by default with the parent's cut."""
    return BlockHeader(
        0,
        view,
        parent.height + 1,
        parent.view,
        parent.digest,
        parent.time_ms + 1 if time_ms is None else time_ms,
        0,
        parent.cut if cut is None else cut,
    )


def sign_vote(
    signer: ValidatorIndex, kind: VoteKind, view: View, digest: Digest = ZERO_DIGEST, **unsigned: object
) -> Vote:
    """Return a validator's vote."""
    message = compute_signing_bytes(CHAIN, 0, SignatureKind(kind), view, digest)
    return Vote(kind, 0, view, digest, VALIDATORS[signer].sign(message), **unsigned)  # type: ignore[arg-type] # two fields


def certify(
    kind: VoteKind, view: View, digest: Digest = ZERO_DIGEST, signers: Sequence[ValidatorIndex] = (0, 1, 2)
) -> Certificate:
    """Return what these validators' votes make."""
    signatures = tuple(sign_vote(signer, kind, view, digest).signature for signer in signers)
    return Certificate(kind, 0, view, digest, tuple(signers), signatures)


def certify_votes(kind: VoteKind, view: View, digest: Digest, votes: Mapping[ValidatorIndex, Vote]) -> Certificate:
    """Return the certificate that these votes make."""
    signers = tuple(sorted(votes))
    return Certificate(kind, 0, view, digest, signers, tuple(votes[signer].signature for signer in signers))


def propose(header: BlockHeader, *justification: Certificate, signer: ValidatorIndex | None = None) -> Proposal:
    """Return the proposal of a header, signed by its view's leader unless said otherwise."""
    message = compute_signing_bytes(CHAIN, 0, SignatureKind.PROPOSAL, header.view, header.digest)
    return Proposal(
        header, justification, VALIDATORS[leader_of(header.view) if signer is None else signer].sign(message)
    )


FIRST = make_header(1)
OTHER = make_header(1, time_ms=ROOT.time_ms + 7)
"""Another block of the same view."""


class Shelf:
    """Lanes that hold everything or nothing, and offer a cut to leaders."""

    def __init__(self) -> None:
        self.is_full = True
        self.limits = LaneLimits((PARAMETERS.lane_advance_max,) * 4, (PARAMETERS.lane_advance_max,) * 4)
        self.supported: dict[ValidatorIndex, Supported] = {}
        self.is_more_elsewhere = False
        self.offer: Cut | None = None
        self.fetched: list[tuple[ValidatorIndex, tuple[ValidatorIndex, ...]]] = []
        self.asked: list[tuple[tuple[int, ...], bool]] = []
        self.late: list[ValidatorIndex] = []

    def is_available(self, lane: ValidatorIndex, tip: Tip, floor: Tip) -> bool:
        """Tell what the test says."""
        return self.is_full

    def get_supported_cut(self, parent: Cut, limits: Sequence[int]) -> Cut:
        """Return what the test offers."""
        return parent if self.offer is None else self.offer

    def get_proposable_cut(self, parent: Cut, limits: Sequence[int], is_calm: bool, now_ms: int) -> Cut:
        """Return what the test offers, and remember how it was asked for."""
        self.asked.append((tuple(limits), is_calm))
        return parent if self.offer is None else self.offer

    def get_supported_tips(self) -> dict[ValidatorIndex, Supported]:
        """Return what the test says."""
        return self.supported

    def get_lane_limits(self, parent: Height) -> LaneLimits:
        """Return what the test says."""
        return self.limits

    def is_more_held_elsewhere(self, parent: Cut) -> bool:
        """Tell what the test says."""
        return self.is_more_elsewhere

    def note_late(self, lane: ValidatorIndex) -> None:
        """Remember who was late."""
        self.late.append(lane)

    def fetch(self, lane: ValidatorIndex, tip: Tip, floor: Tip, sources: Sequence[ValidatorIndex], now_ms: int) -> None:
        """Remember who was asked."""
        self.fetched.append((lane, tuple(sources)))


class Node:
    """One validator under test, with what it did."""

    def __init__(
        self,
        index: ValidatorIndex,
        log: Iterable[VoteRecord] = (),
        certificates: Iterable[Certificate] = (),
        headers: Iterable[BlockHeader] = (),
    ) -> None:
        self.index = index
        self.shelf = Shelf()
        self.own_votes = OwnVotes(CHAIN, 0, VALIDATORS[index], tuple(log), tuple(certificates))
        anchor = Anchor(ROOT, ROOT, None, tuple(headers))
        self.core = Consensus(CHAIN, COMMITTEE, PARAMETERS, index, self.own_votes, verify_ed25519, self.shelf, anchor)
        self.core.start(at(0))

    def take(self) -> list[Effect]:
        """Return the effects since the last call."""
        return self.core.take_effects()

    def take_votes(self) -> list[tuple[VoteKind, View, Digest]]:
        """Return kind, view and digest of the votes broadcast since the last call."""
        return [(vote.kind, vote.view, vote.digest) for vote in find_broadcast(self.take(), Vote)]

    def notarize_by(self, signers: Iterable[ValidatorIndex], header: BlockHeader, ms: int = 1) -> None:
        """Let validators vote for a block."""
        for signer in signers:
            self.core.on_vote(signer, sign_vote(signer, N, header.view, header.digest), at(ms))

    @property
    def others(self) -> list[ValidatorIndex]:
        """Everybody else."""
        return [index for index in range(4) if index != self.index]


def make_follower(*views: View) -> Node:
    """Return a validator that leads none of `views`, by default of the first two."""
    return Node(find_follower(*(views or (1, 2))))


def find_broadcast(effects: Iterable[Effect], kind: type[_T]) -> list[_T]:
    """Return the broadcast messages of one type."""
    return [e.message for e in effects if isinstance(e, Broadcast) and isinstance(e.message, kind)]


def find_sent(effects: Iterable[Effect], kind: type[_T]) -> list[tuple[ValidatorIndex, _T]]:
    """Return (peer, message) of the messages of one type sent to single peers."""
    return [(e.peer, e.message) for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


def find_logged(effects: Iterable[Effect]) -> list[tuple[RecordKind, int]]:
    """Return kind and number of the logged records."""
    return [(e.record.kind, e.record.number) for e in effects if isinstance(e, PersistVote)]
