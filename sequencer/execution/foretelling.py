"""Foretell what would become of a bundle that nobody has ordered yet.

The answer is about the newest executed state and this bundle alone: what is ordered before it may
change the outcome, which only its own position decides. # A5 A8
"""

from __future__ import annotations

from typing import Protocol

from sequencer.crypto.signatures import Verifier
from sequencer.execution.explanations import BundleCheck
from sequencer.types.bundle import Bundle
from sequencer.types.item import SignedBundle, check_item
from sequencer.types.item_rules import ItemRules
from sequencer.types.outcome import Reason, Rejection, Status


class Foreteller(Protocol):
    """Who knows the newest executed state."""

    def check_bundle(self, bundle: Bundle) -> BundleCheck: ...


def foretell(executor: Foreteller, item: bytes, rules: ItemRules, verifier: Verifier | None) -> BundleCheck:
    """Apply every check in the order of ordering: the stateless ones first, then those of the state. # A3

    Without a verifier any signatures do: then it is about a draft.
    """
    checked = check_item(item, rules, verifier or _accept)
    if isinstance(checked, SignedBundle):
        return executor.check_bundle(checked.bundle)
    if not isinstance(checked, Rejection):
        checked = Rejection(Reason.UNKNOWN_KIND, "item.kind", "is no bundle")
    return BundleCheck(checked, Status.INADMISSIBLE, checked.reason.value, 0, ())


def _accept(public_key: bytes, message: bytes, signature: bytes) -> bool:
    return True
