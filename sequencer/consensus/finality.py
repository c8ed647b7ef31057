"""Follow finality: the newest finalized view, and the chain that is handed out because of it. # C4"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.consensus.block_tree import BlockTree
from sequencer.types.block import BlockHeader
from sequencer.types.primitives import Digest, View
from sequencer.types.vote import Certificate


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a replica stands when it starts. # R1"""

    head: BlockHeader
    """Newest block that is executed already."""
    finalized: BlockHeader
    """Newest block known to be finalized with its certificate; the head or another."""
    finalization: Certificate | None
    """F of `finalized`; None at genesis."""
    headers: tuple[BlockHeader, ...] = ()
    """Headers of blocks that this validator voted for above the finalized one."""


@dataclass(frozen=True, slots=True)
class FinalizedHeader:
    """A finalized header, with its own F certificate if one is held."""

    header: BlockHeader
    finalization: Certificate | None


class Finality:
    """What is final. A view's certificate counts at once; headers come out when their chain is held."""

    def __init__(self, anchor: Anchor, retain_heights: int | None = None) -> None:
        self.tree = BlockTree(anchor.head, retain_heights)
        self.tree.add(anchor.finalized)
        for header in anchor.headers:
            self.tree.add(header)
        self.view: View = anchor.finalized.view
        """fin_view: nothing is signed at or below it."""
        self.digest: Digest = anchor.finalized.digest
        self.certificate = anchor.finalization
        self._recent = {} if anchor.finalization is None else {self.digest: anchor.finalization}
        self._outbox: list[FinalizedHeader] = []

    @property
    def is_connected(self) -> bool:
        """Tell whether the newest finalized block and all its ancestors were handed out."""
        return self.digest == self.tree.head.digest or self.tree.head.view > self.view

    def advance(self, certificate: Certificate) -> None:
        """Take a verified F certificate; an older one changes nothing."""
        if certificate.digest == self.digest and self.certificate is None:
            self.certificate = certificate  # a snapshot came without it # R2
        if certificate.view <= self.view:
            return
        self.view = certificate.view
        self.digest = certificate.digest
        self.certificate = certificate
        self._recent[certificate.digest] = certificate

    def connect(self) -> Digest | None:
        """Hand out the chain up to the finalized block, or return the digest of a header that is missing."""
        missing = self.tree.find_missing_ancestor(self.digest)
        if missing is not None:
            return missing
        for header in self.tree.finalize(self.digest):
            self._outbox.append(FinalizedHeader(header, self._recent.get(header.digest)))
        self._recent.clear()
        self.tree.prune(self.view)
        return None

    def connect_proven(self, certificate: Certificate) -> None:
        """Hand out the chain up to a block below the newest finalized one, all of whose headers are held. # R2

        The headers between may not be had from anybody: peers keep only the newest ones in memory.
        """
        header = self.tree.get(certificate.digest)
        if header is None or header.height <= self.tree.head.height:
            return
        for proven in self.tree.finalize(certificate.digest):
            own = certificate if proven.digest == certificate.digest else None
            self._outbox.append(FinalizedHeader(proven, own))

    def take(self) -> list[FinalizedHeader]:
        """Return newly finalized headers by height, once."""
        outbox, self._outbox = self._outbox, []
        return outbox
