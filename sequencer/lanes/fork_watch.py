"""Remember which batch headers owners signed, so that a second one for a position is noticed. # X5

Promises: only batches whose signature was verified are noted; the first header of a position stays,
also after the batch itself was let go; what is remembered per lane is bounded.
"""

from __future__ import annotations

from collections import OrderedDict

from sequencer.types.batch import Batch, compute_payload_hash
from sequencer.types.evidence import Contradiction, FalseBatch, Statement, find_contradiction, make_batch_statement
from sequencer.types.primitives import Digest, Position, ValidatorIndex

POSITIONS_MAX = 256
"""Positions per lane whose header is remembered; the oldest goes first."""


class ForkWatch:
    """Signed headers of all lanes, by position."""

    def __init__(self, lanes: int) -> None:
        self._signed: list[OrderedDict[Position, Statement]] = [OrderedDict() for _ in range(lanes)]
        self._suspicions: list[Contradiction | FalseBatch | Statement] = []

    @property
    def largest(self) -> int:
        """Return for how many positions of one lane the header is remembered."""
        return max(map(len, self._signed))

    def note(self, batch: Batch) -> None:
        """A batch whose owner's signature is good was seen. # X5"""
        header, signed = batch.header, self._signed[batch.header.lane]
        first = signed.get(header.position)
        if first is None:
            signed[header.position] = make_batch_statement(header, batch.signature)
            if len(signed) > POSITIONS_MAX:
                signed.popitem(last=False)
        elif first.digest != batch.digest:
            found = find_contradiction(first, make_batch_statement(header, batch.signature))
            self._suspicions.extend([found] if found is not None else [])

    def note_false(self, batch: Batch, largest: int) -> None:
        """A batch is not what its header says, or above `largest` bytes; its signature was not looked at. # X7

        With another hash the payload is not the owner's word, so that proves nothing.
        """
        if batch.header.payload_bytes > largest:
            self._suspicions.append(FalseBatch(batch.header, batch.signature, b""))
        elif compute_payload_hash(batch.payload) == batch.header.payload_hash:
            self._suspicions.append(FalseBatch(batch.header, batch.signature, batch.payload))

    def note_claim(self, lane: ValidatorIndex, position: Position, digest: Digest) -> None:
        """A peer says HAVE for another batch than the one seen here: it may hold the other half of a proof. # X5"""
        first = self._signed[lane].get(position)
        if first is not None and first.digest != digest:
            self._suspicions.append(first)

    def find_rivals(self, statement: Statement) -> list[Statement]:
        """Return the header seen at the position that a statement is about."""
        first = self._signed[statement.signer].get(statement.number) if statement.signer < len(self._signed) else None
        return [] if first is None else [first]

    @property
    def has_suspicions(self) -> bool:
        """Tell whether something was noticed that nobody has taken."""
        return bool(self._suspicions)

    def take_suspicions(self) -> list[Contradiction | FalseBatch | Statement]:
        """Return what was noticed, once."""
        suspicions, self._suspicions = self._suspicions, []
        return suspicions
