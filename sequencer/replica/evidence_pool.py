"""Keep what proves validators faulty, and help the others to prove it. # X1-X7

Promises: everything kept verifies with the genesis alone, so no honest key is ever in it; a
signature is checked only if the result would be kept, so nobody can make this node verify
without being banned for it or being proven faulty; every table is bounded per signer.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from sequencer.crypto.signatures import Verifier
from sequencer.errors import PeerError, VerificationError
from sequencer.types.effects import BanPeer, Broadcast, Effect, Send, StoreEvidence
from sequencer.types.evidence import (
    Evidence,
    EvidenceKind,
    Statement,
    encode_evidence,
    find_contradiction,
)
from sequencer.types.genesis import Genesis
from sequencer.types.messages import Accusation
from sequencer.types.primitives import Bounds, Instant, ValidatorIndex
from sequencer.types.signing import SignatureKind

EVIDENCE_PER_KIND_MAX = 4
"""Contradictions of one kind kept per signer; more would prove nothing new."""
FALSE_OBJECTS_PER_SIGNER_MAX = 1
"""Pieces of X7 kept per signer: one may carry a whole payload."""
SPREAD_BYTES_MAX = 16 << 10
"""Evidence of up to this size is passed on by who gets it; larger one goes from its finder to everybody once."""
ON_CONNECT_MAX = 32
"""Newest pieces that a peer is sent when it connects."""
TESTIMONIES_MAX = 4
"""Statements of one signer that are sent within `TESTIMONY_MS`."""
TESTIMONY_MS = 10_000
"""See `TESTIMONIES_MAX`."""

_VOTE_KINDS = (
    EvidenceKind.TWO_NOTARIZES,
    EvidenceKind.TWO_FINALIZES,
    EvidenceKind.NULLIFY_AND_FINALIZE,
    EvidenceKind.TWO_COMMITMENTS,
)

Suspicion = Evidence | Statement
"""What a part noticed: a contradiction, not verified; or a signed thing that fits badly with what is held here."""
Key = tuple[EvidenceKind, ValidatorIndex, int, str]


class EvidencePool:
    """All evidence that one node holds, in the order in which it came to be known."""

    def __init__(
        self,
        genesis: Genesis,
        own_index: ValidatorIndex | None,
        verifier: Verifier,
        stored: Iterable[Evidence],
        on_fork: Callable[[ValidatorIndex], None],
    ) -> None:
        """`on_fork` is called with the owner of each lane that is proven to fork. # X5 L8"""
        self._genesis = genesis
        self._own_index = own_index
        self._verifier = verifier
        self._on_fork = on_fork
        self._held: dict[Key, Evidence] = {}
        self._testified: dict[ValidatorIndex, deque[tuple[SignatureKind, int, int]]] = {}
        self.refused = 0
        """Evidence not kept because enough of its kind is held against its signer."""
        self.damaged = 0
        """Stored pieces that did not verify after a restart."""
        for evidence in stored:
            self._restore(evidence)

    @property
    def held(self) -> tuple[Evidence, ...]:
        """Everything that is kept, oldest first; a piece never changes its place."""
        return tuple(self._held.values())

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of what is held against the validator with most. # I11"""
        counts = Counter(evidence.signer for evidence in self._held.values())
        kinds = len(EvidenceKind) - 1
        bound = kinds * EVIDENCE_PER_KIND_MAX + FALSE_OBJECTS_PER_SIGNER_MAX
        return {"evidence_per_signer": (max(counts.values(), default=0), bound)}

    def take_in(self, suspicions: Iterable[Suspicion], now: Instant) -> list[Effect]:
        """Verify and keep what the parts of this node noticed; send what may help others to notice it."""
        effects: list[Effect] = []
        for suspicion in suspicions:
            if isinstance(suspicion, Statement):
                effects.extend(self._testify(suspicion, now))
            else:
                effects.extend(self._consider(suspicion))
        return effects

    def on_accusation(self, peer: ValidatorIndex, accusation: Accusation) -> list[Effect]:
        """A peer accuses a validator; raises `PeerError` if its evidence is false. # B20"""
        evidence = accusation.evidence
        if not self._is_wanted(evidence):
            return []
        try:
            evidence.verify(self._genesis, self._verifier)
        except VerificationError as error:
            raise PeerError(f"validator {peer} sent false evidence: {error}") from None
        effects = self._keep(evidence)
        if len(encode_evidence(evidence)) <= SPREAD_BYTES_MAX:
            effects.append(Broadcast(accusation))
        return effects

    def on_statement(self, peer: ValidatorIndex, statement: Statement, rivals: Iterable[Statement]) -> list[Effect]:
        """A peer holds a signed statement; `rivals` are those of its signer and number held here.

        It is no vote and counts for nothing: it is looked at only if it contradicts a rival. # G4
        Raises `PeerError` if nobody signed it.
        """
        effects: list[Effect] = []
        for rival in rivals:
            found = find_contradiction(statement, rival)
            if found is None or not self._is_wanted(found):
                continue
            if not statement.is_signed(self._genesis.chain_id, self._genesis.committee, self._verifier):
                raise PeerError(f"validator {peer} sent a statement that validator {statement.signer} did not sign")
            effects.extend(self._consider(found))
        return effects

    def collect_for(self, peer: ValidatorIndex) -> list[Effect]:
        """Return what a peer that connects may lack: the newest pieces; it verifies only what is new to it."""
        newest = [held for held in self.held if len(encode_evidence(held)) <= SPREAD_BYTES_MAX][-ON_CONNECT_MAX:]
        return [Send(peer, Accusation(evidence)) for evidence in newest]

    def _restore(self, evidence: Evidence) -> None:
        if not self._is_wanted(evidence):
            return
        try:
            evidence.verify(self._genesis, self._verifier)
        except VerificationError:
            self.damaged += 1
        else:
            self._add(evidence)

    def _consider(self, evidence: Evidence) -> list[Effect]:
        """Keep and send what this node noticed, if it proves to be true."""
        if not self._is_wanted(evidence):
            return []
        try:
            evidence.verify(self._genesis, self._verifier)
        except VerificationError as error:
            # Of a pair of votes one half came, unverified, over the signer's own channel. # C1 G4
            is_peer = evidence.kind in _VOTE_KINDS and evidence.signer != self._own_index
            return [BanPeer(evidence.signer, str(error))] if is_peer else []
        return [*self._keep(evidence), Broadcast(Accusation(evidence))]

    def _keep(self, evidence: Evidence) -> list[Effect]:
        self._add(evidence)
        return [StoreEvidence(evidence)]

    def _add(self, evidence: Evidence) -> None:
        self._held[_make_key(evidence)] = evidence
        if evidence.kind is EvidenceKind.TWO_BATCHES:
            self._on_fork(evidence.signer)

    def _is_wanted(self, evidence: Evidence) -> bool:
        """Tell whether the evidence would be kept if it is true; one that comes beyond the bound is counted."""
        key = _make_key(evidence)
        if key in self._held:
            return False
        is_false_object = evidence.kind is EvidenceKind.FALSE_OBJECT
        largest = FALSE_OBJECTS_PER_SIGNER_MAX if is_false_object else EVIDENCE_PER_KIND_MAX
        if sum(held[:2] == key[:2] for held in self._held) >= largest:
            self.refused += 1
            return False
        return True

    def _testify(self, statement: Statement, now: Instant) -> list[Effect]:
        """Show all others a signed thing that does not fit: who holds another of that number has the proof."""
        sent = self._testified.setdefault(statement.signer, deque(maxlen=TESTIMONIES_MAX))
        is_full = len(sent) == TESTIMONIES_MAX and now.mono_ms < sent[0][2] + TESTIMONY_MS
        is_sent = any(entry[:2] == (statement.kind, statement.number) for entry in sent)
        if is_full or is_sent:
            return []
        sent.append((statement.kind, statement.number, now.mono_ms))
        if statement.is_signed(self._genesis.chain_id, self._genesis.committee, self._verifier):
            return [Broadcast(statement)]
        # An unverified vote, over its signer's own channel; whoever passed it on would be banned for it. # C1 G4
        is_peer = statement.signer != self._own_index
        return [BanPeer(statement.signer, f"wrong signature on a vote of view {statement.number}")] if is_peer else []


def _make_key(evidence: Evidence) -> Key:
    """One offence: kind, signer, number; an X7 may be about a proposal or a batch."""
    return (evidence.kind, evidence.signer, evidence.number, type(evidence).__name__)
