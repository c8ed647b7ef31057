"""Hold what one validator knows and has said in the current epoch; the other parts act on it.

Promises: `effects` are in the order in which they must be performed. Only `view_change` moves
`view`, and only `own_votes` signs.
"""

from __future__ import annotations

from collections.abc import Iterable

from sequencer.consensus.activity import Activity
from sequencer.consensus.availability import Availability
from sequencer.consensus.block_tree import BlockTree
from sequencer.consensus.counters import ConsensusCounters
from sequencer.consensus.finality import Anchor, Finality
from sequencer.consensus.forwarding import Forwarding
from sequencer.consensus.header_fetch import HeaderFetch
from sequencer.consensus.inclusion import InclusionFloor
from sequencer.consensus.own_votes import OwnVotes
from sequencer.consensus.timeouts import Patience
from sequencer.consensus.view_clock import ViewClock, make_view_clock
from sequencer.consensus.view_record import ViewRecord
from sequencer.crypto.signatures import Verifier
from sequencer.types.block import BlockHeader
from sequencer.types.committee import Committee
from sequencer.types.effects import Effect, RaiseAlarm
from sequencer.types.evidence import Evidence, Statement
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Digest, ValidatorIndex, View
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Vote

FUTURE_VIEWS_MAX = 16
"""Votes and proposals are kept for views up to this far ahead; a certificate may lead further."""
CALM_VIEWS_MAX = 3
"""Views above the finalized one up to which leaders propose tips that are not supported; 2 is normal. # P2 V8"""


class AgreementState:
    """One validator's (or follower's) side of the agreement in one epoch."""

    def __init__(
        self,
        chain_id: Digest,
        committee: Committee,
        parameters: Parameters,
        own_index: ValidatorIndex | None,
        own_votes: OwnVotes,
        verifier: Verifier,
        availability: Availability,
        anchor: Anchor,
    ) -> None:
        self.chain_id = chain_id
        self.committee = committee
        self.parameters = parameters
        self.own_index = own_index
        self.own_votes = own_votes
        self.verifier = verifier
        self.availability = availability
        self.finality = Finality(anchor, parameters.retain_heights)
        self.fetch = HeaderFetch(parameters.fetch_retry_ms)
        self.forwarding = Forwarding()
        self.patience = Patience()
        self.records: dict[View, ViewRecord] = {}
        self.effects: list[Effect] = []
        self.view: View = max(self.finality.view + 1, own_votes.highest_view)
        self.entry: Certificate | None = None
        """What let this node enter the view; None in the first one. # F1 F3"""
        self.clock: ViewClock = make_view_clock(self.view, self.finality.view, committee, parameters, 0, 0)
        self.is_cut_frozen = False
        """Set by the replica: propose no batches (safe halt, or delivery lags). # O1"""
        self.alarm: str | None = None
        """Why this node stopped signing: more than F validators are faulty. # C2"""
        self.suspicions: list[Evidence | Statement] = []
        """What was noticed and nobody has verified: see `suspicion`. # X1-X4 X7"""
        self.counters = ConsensusCounters()
        self.activity = Activity(committee, own_index)
        self.inclusion = InclusionFloor(parameters.inclusion_views)
        self.views_nullified = 0
        """Nullifications seen; for the statistics."""

    @property
    def tree(self) -> BlockTree:
        """Headers by digest."""
        return self.finality.tree

    @property
    def finalized_view(self) -> View:
        """fin_view: nothing is signed at or below it."""
        return self.finality.view

    @property
    def finalization(self) -> Certificate | None:
        """F certificate of the newest finalized view; None at genesis."""
        return self.finality.certificate

    @property
    def is_calm(self) -> bool:
        """Tell whether views succeed: only then more is asked and risked than progress needs. # P2 V8"""
        return self.view - self.finalized_view <= CALM_VIEWS_MAX

    @property
    def record(self) -> ViewRecord:
        """What is known of the current view."""
        return self.get_record(self.view)

    @property
    def leader(self) -> ValidatorIndex:
        """Who leads the current view. # E7"""
        return self.committee.get_leader(self.view)

    @property
    def is_proposed(self) -> bool:
        """Tell whether a valid proposal of the current view is held."""
        return self.record.proposal is not None

    def get_record(self, view: View) -> ViewRecord:
        """Return the record of a view, a new one if nothing was heard of it."""
        record = self.records.get(view)
        if record is None:
            record = self.records[view] = ViewRecord(view)
        return record

    def verify_vote(self, signer: ValidatorIndex, vote: Vote) -> bool:
        """Verify a vote of the channel's peer. # T5"""
        message = compute_signing_bytes(self.chain_id, vote.epoch, SignatureKind(vote.kind), vote.view, vote.digest)
        return self.verifier(self.committee.validators[signer].public_key, message, vote.signature)

    def find_unproven_view(self) -> View:
        """Return the lowest view above the finalized one of which neither N nor Z is held. # V3"""
        view = self.finalized_view + 1
        while (record := self.records.get(view)) is not None and record.is_decided:
            view += 1
        return view

    def exclude_self(self, peers: Iterable[ValidatorIndex]) -> tuple[ValidatorIndex, ...]:
        """Return the peers among `peers`."""
        return tuple(peer for peer in peers if peer != self.own_index)

    def get_header(self, digest: Digest, sources: Iterable[ValidatorIndex], now_ms: int) -> BlockHeader | None:
        """Return a header that a certificate or valid proposal names; ask `sources` if it is not held. # C2 V4"""
        header = self.tree.get(digest)
        if header is None:
            self.fetch.want(digest, self.exclude_self(sources), now_ms)
        return header

    def stop_signing(self, reason: str) -> None:
        """More than F validators are faulty: sign nothing more and say so. # C2"""
        if self.alarm is None:
            self.alarm = reason
            self.own_votes.stop()
            self.effects.append(RaiseAlarm(reason))
