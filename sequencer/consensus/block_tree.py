"""Keep headers by digest and follow the finalized chain through them. # C4

Promises: `finalized` headers come out once each, by height, linked by parent digest.
Memory: unfinalized headers are bounded by one per vote-carrying digest and view; of the
finalized ones the newest 1,024 stay to answer GET_BLOCKS.
"""

from __future__ import annotations

from collections import OrderedDict

from sequencer.errors import InvariantViolation
from sequencer.types.block import BlockHeader
from sequencer.types.primitives import Digest, View

FINALIZED_HEADERS_MAX = 1_024
"""Finalized headers kept in memory."""
OPEN_HEADERS_MAX = 4_096
"""Headers above the finalized one that are kept; the oldest goes first."""


class BlockTree:
    """Headers above and around the newest delivered block."""

    def __init__(self, head: BlockHeader, retain_heights: int | None = None) -> None:
        """`retain_heights`: of how many finalized blocks the headers are kept at most; None sets no such limit. # L7"""
        self._finalized_max = min(retain_heights or FINALIZED_HEADERS_MAX, FINALIZED_HEADERS_MAX)
        self.head = head
        """Newest header that came out as finalized with all its ancestors."""
        self._finalized: OrderedDict[Digest, BlockHeader] = OrderedDict({head.digest: head})
        self._open: OrderedDict[Digest, BlockHeader] = OrderedDict()

    @property
    def sizes(self) -> tuple[int, int]:
        """Return how many headers are held above the finalized chain, and of it."""
        return len(self._open), len(self._finalized)

    def add(self, header: BlockHeader) -> None:
        """Keep a header; its digest names it, so it needs no other proof."""
        if header.digest in self._finalized:
            return
        self._open[header.digest] = header
        if len(self._open) > OPEN_HEADERS_MAX:
            self._open.popitem(last=False)

    def get(self, digest: Digest) -> BlockHeader | None:
        """Return the header named `digest`, if it is held."""
        return self._open.get(digest) or self._finalized.get(digest)

    def collect_down(self, digest: Digest, count: int) -> tuple[BlockHeader, ...]:
        """Return up to `count` held headers from `digest` downwards."""
        headers: list[BlockHeader] = []
        header = self.get(digest)
        while header is not None and len(headers) < count:
            headers.append(header)
            header = self.get(header.parent_digest)
        return tuple(headers)

    def find_missing_ancestor(self, digest: Digest) -> Digest | None:
        """Return the first unknown digest on the way from `digest` down to the head, or None."""
        header = self.get(digest)
        while header is not None:
            if header.height <= self.head.height:
                return None
            digest = header.parent_digest
            header = self.get(digest)
        return digest

    def finalize(self, digest: Digest) -> tuple[BlockHeader, ...]:
        """Move the chain from the head (exclusive) to `digest` to the finalized side; return it by height.

        All headers must be known. Raises `InvariantViolation` if the chain does not pass through the
        head, or if a block at or below the head is not one of those handed out.
        """
        chain = []
        header = self.get(digest)
        while header is not None and header.height > self.head.height:
            chain.append(header)
            header = self.get(header.parent_digest)
        if header is None:
            raise InvariantViolation(f"finalized block {digest.hex()} has an unknown ancestor")
        if not chain:
            if digest not in self._finalized and header.height >= self._lowest_height:
                raise InvariantViolation(f"finalized block {digest.hex()} contradicts the finalized chain")
            return ()
        if header.digest != self.head.digest:
            raise InvariantViolation(
                f"finalized block {digest.hex()} does not descend from the finalized {self.head.digest.hex()}"
            )
        chain.reverse()
        for newer in chain:
            self._open.pop(newer.digest, None)
            self._finalized[newer.digest] = newer
        while len(self._finalized) > self._finalized_max:
            self._finalized.popitem(last=False)
        self.head = chain[-1]
        return tuple(chain)

    @property
    def _lowest_height(self) -> int:
        """Return the height below which finalized headers are no longer remembered."""
        return next(iter(self._finalized.values())).height

    def prune(self, finalized_view: View) -> None:
        """Forget unfinalized headers of views at or below `finalized_view`, once the head has reached it.

        While the finalized chain is not connected, any of them may be on it.
        """
        if self.head.view < finalized_view:
            return
        for digest in [digest for digest, header in self._open.items() if header.view <= finalized_view]:
            del self._open[digest]


def take_linked(headers: tuple[BlockHeader, ...]) -> tuple[BlockHeader, ...]:
    """Return the headers from the first on as far as each is the parent of the one before."""
    linked = [headers[0]]
    for header in headers[1:]:
        if header.digest != linked[-1].parent_digest:
            break
        linked.append(header)
    return tuple(linked)
