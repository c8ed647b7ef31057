"""Hold the table of methods; each file answers for one subject."""

from __future__ import annotations

from collections.abc import Mapping

from sequencer.rpc.dispatch import Method
from sequencer.rpc.methods import blocks, bundles, checking, development, network, proofs, state, transactions

METHODS: Mapping[str, Method] = {
    method.name: method
    for subject in (transactions, checking, bundles, blocks, state, proofs, network, development)
    for method in subject.METHODS
}
"""Every method by name."""
