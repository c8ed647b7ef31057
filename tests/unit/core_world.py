"""A committee with token signatures, and short builders for what its members sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from sequencer.crypto.hashing import ZERO_DIGEST, Tag, hash_tagged
from sequencer.crypto.signatures import SCHEME
from sequencer.simulation.tokens import TokenScheme, TokenSigner
from sequencer.types.batch import Batch, BatchHeader, compute_payload_hash, encode_payload
from sequencer.types.block import BlockHeader
from sequencer.types.commitment import CommitmentCertificate, CommitmentVote
from sequencer.types.committee import Committee
from sequencer.types.genesis import Genesis, GenesisValidator, HostAddress, Rollup, RollupKind
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Cut, Digest, Instant, Tip
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind

SCHEME_TOKENS = TokenScheme()
VERIFY = SCHEME_TOKENS.make_verifier()
START_MS = 1_000_000
"""Wall clock at monotonic time 0, and the genesis time."""
PARAMETERS = Parameters()
NOBODY = bytes(64)
"""A signature that nobody made."""


def at(mono_ms: int) -> Instant:
    """Return the instant at which both clocks have run for `mono_ms`."""
    return Instant(mono_ms, START_MS + mono_ms)


def name_digest(name: str) -> Digest:
    """Return a digest that stands for something called `name`."""
    return hash_tagged(Tag.ITEM, name.encode())


@lru_cache(maxsize=64)
def make_genesis(powers: tuple[int, ...] = (1, 1, 1, 1), parameters: Parameters = PARAMETERS) -> Genesis:
    """Return a network of one transfer rollup with one validator per power and no accounts."""
    host = HostAddress("peer", "/ip4/127.0.0.1/tcp/1")
    return Genesis(
        name="core",
        time_ms=START_MS,
        scheme=SCHEME,
        validators=tuple(
            GenesisValidator(f"v{index}", make_signer(index).public_key, power, host, host, host)
            for index, power in enumerate(powers)
        ),
        rollups=(Rollup(1, "alpha", "key_value", RollupKind.NATIVE, ()),),
        deposits=tuple(sorted((make_payer(number), 10**9) for number in range(4))),
        parameters=parameters,
    )


@lru_cache(maxsize=256)
def make_signer(index: int) -> TokenSigner:
    """Return the vote key of validator `index`."""
    return SCHEME_TOKENS.make_signer(f"validator {index}")


def make_payer(number: int) -> bytes:
    """Return the address of a funded account."""
    return SCHEME_TOKENS.make_signer(f"payer {number}").public_key


@dataclass(frozen=True)
class Group:
    """A committee whose members sign at will."""

    genesis: Genesis = field(default_factory=make_genesis)

    @property
    def committee(self) -> Committee:
        return self.genesis.committee

    @property
    def chain_id(self) -> Digest:
        return self.genesis.chain_id

    @property
    def root(self) -> BlockHeader:
        return self.genesis.header

    def find_view(self, leader: int, above: int = 0) -> int:
        """Return the first view above `above` that `leader` leads."""
        return next(view for view in range(above + 1, above + 10_000) if self.committee.get_leader(view) == leader)

    def sign(self, index: int, kind: SignatureKind, number: int, digest: Digest, epoch: int = 0) -> bytes:
        return make_signer(index).sign(compute_signing_bytes(self.chain_id, epoch, kind, number, digest))

    def vote(self, index: int, kind: VoteKind, view: int, digest: Digest = ZERO_DIGEST) -> Vote:
        return Vote(kind, 0, view, digest, self.sign(index, SignatureKind(kind), view, digest))

    def certify(
        self, kind: VoteKind, view: int, digest: Digest = ZERO_DIGEST, signers: Sequence[int] = (0, 1, 2)
    ) -> Certificate:
        signatures = tuple(self.sign(index, SignatureKind(kind), view, digest) for index in signers)
        return Certificate(kind, 0, view, digest, tuple(signers), signatures)

    def child(
        self, parent: BlockHeader, view: int | None = None, cut: Cut | None = None, step_ms: int = 40
    ) -> BlockHeader:
        """Return a header on `parent`, by default of the next view and with the same cut."""
        return replace(
            parent,
            view=parent.view + 1 if view is None else view,
            height=parent.height + 1,
            parent_view=parent.view,
            parent_digest=parent.digest,
            time_ms=parent.time_ms + step_ms,
            cut=parent.cut if cut is None else cut,
        )

    def propose(self, header: BlockHeader, *justification: Certificate, leader: int | None = None) -> Proposal:
        signer = self.committee.get_leader(header.view) if leader is None else leader
        signature = self.sign(signer, SignatureKind.PROPOSAL, header.view, header.digest)
        return Proposal(header, justification, signature)

    def batch(self, lane: int, position: int, parent: Digest = ZERO_DIGEST, items: Sequence[bytes] = (b"x",)) -> Batch:
        payload = encode_payload(items)
        header = BatchHeader(0, lane, position, parent, compute_payload_hash(payload), len(payload), len(items))
        return Batch(header, self.sign(lane, SignatureKind.BATCH_HEADER, position, header.digest), payload)

    def chain(
        self, lane: int, count: int, label: str = "", first: int = 1, parent: Digest = ZERO_DIGEST
    ) -> list[Batch]:
        """Return `count` linked batches of a lane."""
        batches: list[Batch] = []
        for position in range(first, first + count):
            batches.append(self.batch(lane, position, parent, (f"{label}{lane}/{position}".encode(),)))
            parent = batches[-1].digest
        return batches

    def commitment_vote(self, index: int, height: int, digest: Digest) -> CommitmentVote:
        return CommitmentVote(0, height, digest, self.sign(index, SignatureKind.COMMITMENT, height, digest))

    def commitment_certificate(
        self, height: int, digest: Digest, signers: Sequence[int] = (0, 1, 2)
    ) -> CommitmentCertificate:
        signatures = tuple(self.sign(index, SignatureKind.COMMITMENT, height, digest) for index in signers)
        return CommitmentCertificate(0, height, digest, tuple(signers), signatures)


def tip(batch: Batch) -> Tip:
    """Return the tip that a batch is."""
    return Tip(batch.header.position, batch.digest)


def set_tip(cut: Cut, lane: int, value: Tip) -> Cut:
    """Return a cut with one lane moved."""
    return (*cut[:lane], value, *cut[lane + 1 :])
