"""Verify that a commitment is certified by the network of one genesis."""

from __future__ import annotations

from itertools import pairwise

from sequencer.crypto.signatures import Verifier
from sequencer.errors import PeerError, VerificationError
from sequencer.types.commitment import Commitment
from sequencer.types.genesis import Genesis
from sequencer.types.receipt import CertifiedChain


def verify_chain(chain: CertifiedChain, genesis: Genesis, verifier: Verifier) -> Commitment:
    """Return the first commitment; raises `VerificationError` naming the step that failed.

    Steps: every commitment is of this network and committee; each is the parent of the next; the
    certificate names the last; it has strong power; every signature in it is good.
    """
    for commitment in chain.commitments:
        _verify_network(commitment, genesis)
    for parent, child in pairwise(chain.commitments):
        if child.height != parent.height + 1 or child.parent != parent.digest:
            raise VerificationError(f"chain: commitment of height {child.height} does not follow {parent.height}")
    last, certificate = chain.commitments[-1], chain.certificate
    if (certificate.height, certificate.digest) != (last.height, last.digest):
        raise VerificationError(f"certificate: names another commitment than that of height {last.height}")
    try:
        certificate.verify(genesis.chain_id, genesis.committee, verifier)
    except PeerError as error:
        raise VerificationError(f"certificate: {error}") from None
    return chain.commitments[0]


def _verify_network(commitment: Commitment, genesis: Genesis) -> None:
    if commitment.chain_id != genesis.chain_id:
        raise VerificationError(f"chain: commitment of height {commitment.height} is of another network")
    if (commitment.epoch, commitment.validators_hash) != (genesis.committee.epoch, genesis.committee.digest):
        raise VerificationError(f"chain: commitment of height {commitment.height} names another committee")
