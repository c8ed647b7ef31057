"""Guard what nodes hold against validators: it is true, strangers can verify it, it names nobody correct. # X1-X7"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sequencer.crypto.signatures import Verifier
from sequencer.errors import VerificationError
from sequencer.light import verify_evidence
from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.observer import Observer
from sequencer.types.evidence import Evidence, EvidenceKind, encode_evidence

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode


class EvidenceChecker(Observer):
    """Evidence that a correct node keeps verifies with the genesis alone, and its signer is not correct. # I9"""

    def __init__(self, ledger: Ledger, verifier: Verifier) -> None:
        self._ledger = ledger
        self._verifier = verifier
        self._found: dict[tuple[EvidenceKind, int, int], None] = {}

    @property
    def count(self) -> int:
        """Offences that correct nodes could prove: kind, signer and number."""
        return len(self._found)

    @property
    def rules(self) -> tuple[str, ...]:
        """Rules that were proven broken, ascending."""
        return tuple(sorted({kind.rule for kind, _, _ in self._found}))

    def on_evidence(self, node: SimulatedNode, evidence: Evidence) -> None:
        if node.index in self._ledger.faulty:
            return
        rule, signer = evidence.kind.rule, evidence.signer
        self._found[(evidence.kind, signer, evidence.number)] = None
        try:
            verify_evidence(encode_evidence(evidence), self._ledger.genesis, self._verifier)
        except VerificationError as error:
            self._ledger.report(rule, evidence.number, node.index, f"keeps evidence that proves nothing: {error}")
        if signer not in self._ledger.faulty:
            self._ledger.report(rule, evidence.number, node.index, f"proves the correct validator {signer} faulty")
