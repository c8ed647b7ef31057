"""Verify that a commitment is certified by the network of one genesis."""

from __future__ import annotations

from sequencer.crypto.signatures import Verifier
from sequencer.types.commitment import Commitment
from sequencer.types.genesis import Genesis
from sequencer.types.receipt import CertifiedChain


def verify_chain(chain: CertifiedChain, genesis: Genesis, verifier: Verifier) -> Commitment:
    """Return the first commitment; raises `VerificationError` naming the step that failed."""
    chain.verify(genesis.chain_id, genesis.committee, verifier)
    return chain.commitments[0]
