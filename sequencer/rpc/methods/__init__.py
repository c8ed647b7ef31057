"""Hold the table of methods; each file answers for one subject."""

from __future__ import annotations

from collections.abc import Mapping

from sequencer.rpc.dispatch import Method
from sequencer.rpc.methods import blocks, checking, network, state, transactions

METHODS: Mapping[str, Method] = {
    method.name: method
    for table in (transactions.METHODS, checking.METHODS, blocks.METHODS, state.METHODS, network.METHODS)
    for method in table
}
"""Every method by name."""
