"""Guard data: whatever is notarized can be fetched, and nobody says HAVE of what it might lose. # I8 V6 L4"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sequencer.simulation.checkers.knowledge import DecisionMonitor, Mind
from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.observer import Observer
from sequencer.types.block import BlockHeader
from sequencer.types.effects import Effect, PersistBatch, PersistBlock
from sequencer.types.events import Event
from sequencer.types.evidence import Evidence, EvidenceKind
from sequencer.types.messages import Have, HaveEntry, Hello, Message
from sequencer.types.primitives import Digest, Tip, View
from sequencer.types.vote import Proposal, Vote, VoteKind

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode


class AvailabilityChecker(Observer):
    """When a notarization exists, each batch it adds is durable at an honest validator. # I8"""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ledger.listen(self._on_certificate)

    def _on_certificate(self, kind: VoteKind, view: View, digest: Digest, node: int) -> None:
        if kind is not VoteKind.NOTARIZE:
            return
        for lane, low, tip in _get_advances(self._ledger, digest):
            chain = self._ledger.get_chain(tip.digest, low)
            if len(chain) != tip.position - low + 1:
                self._ledger.report("I8", view, node, f"lane {lane} is notarized through a batch that nobody has shown")
            for header in chain:
                if not self._ledger.holders.get(header.digest):
                    self._ledger.report("I8", view, node, f"batch {header.position} of lane {lane} is nowhere durable")


class HaveChecker(Observer):
    """A HAVE speaks of durable, complete chains, and never of two batches in one place. # L4"""

    sent_types = (Have, Hello)

    def __init__(self, ledger: Ledger, validators: int) -> None:
        self._ledger = ledger
        self._said: list[dict[tuple[int, int], Digest]] = [{} for _ in range(validators)]
        self._checked: list[set[Digest]] = [set() for _ in range(validators)]

    def on_boot(self, node: SimulatedNode) -> None:
        """Whose vote log is lost cannot know what it chose."""
        if node.store.is_damaged:
            self._said[node.index].clear()

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        have = message.have if isinstance(message, Hello) else message
        if isinstance(have, Have):
            for entry in have.entries:
                if entry.position > 0 and entry.digest not in self._checked[node.index]:
                    self._checked[node.index].add(entry.digest)
                    self._check(node, entry, have.delivered[entry.lane] if have.delivered else 0)

    def _check(self, node: SimulatedNode, entry: HaveEntry, delivered: int) -> None:
        report, position = self._ledger.report, entry.position
        before = self._said[node.index].setdefault((entry.lane, position), entry.digest)
        if before != entry.digest:
            report("L4", position, node.index, f"HAVE of two batches in lane {entry.lane}")
        chain = self._ledger.get_chain(entry.digest, delivered + 1)
        if len(chain) < position - delivered:
            report("L4", position, node.index, f"HAVE with a hole in lane {entry.lane}")
        if any(header.digest not in node.store.durable.batches for header in chain):
            report("L4", position, node.index, f"HAVE before the batches of lane {entry.lane} are durable")


class VoteAvailabilityChecker(Observer):
    """Who notarizes holds each new chain, or heard HAVE from weak power of others. # V6"""

    sent_types = (Vote,)
    received_types = (Have, Hello)

    def __init__(self, ledger: Ledger, validators: int) -> None:
        self._ledger = ledger
        self._heard: list[dict[Digest, set[int]]] = [{} for _ in range(validators)]
        """Per node: who said HAVE of a batch, since the node started."""
        self._written: list[set[Digest]] = [set() for _ in range(validators)]
        """Per node: batches that it received or wrote; in memory or on disk, it holds them."""
        self._checked: set[tuple[int, Digest]] = set()

    def on_boot(self, node: SimulatedNode) -> None:
        self._heard[node.index] = {}
        self._written[node.index] = set(node.store.durable.batches)

    def on_handled(self, node: SimulatedNode, event: Event | None, effects: tuple[Effect, ...]) -> None:
        """What is about to be written is held."""
        for effect in effects:
            if isinstance(effect, PersistBatch):
                self._written[node.index].add(effect.batch.digest)
            elif isinstance(effect, PersistBlock):
                self._written[node.index].update(batch.digest for batch in effect.block.batches)

    def on_received(self, node: SimulatedNode, peer: int, message: Message) -> None:
        have = message.have if isinstance(message, Hello) else message
        if isinstance(have, Have):
            heard = self._heard[node.index]
            for entry in have.entries:
                heard.setdefault(entry.digest, set()).add(peer)

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        if not isinstance(message, Vote) or message.kind is not VoteKind.NOTARIZE or message.is_resend:
            return
        if (node.index, message.digest) in self._checked:
            return
        self._checked.add((node.index, message.digest))
        for lane, low, tip in _get_advances(self._ledger, message.digest):
            if not (self.is_held(node.index, tip, low) or self._is_heard(node.index, lane, tip)):
                self._ledger.report("V6", message.view, node.index, f"lane {lane} is neither held nor heard of")

    def is_held(self, node: int, tip: Tip, low: int) -> bool:
        """Tell whether the validator was given every batch from `low` to the tip."""
        chain = self._ledger.get_chain(tip.digest, low)
        return len(chain) == tip.position - low + 1 and all(h.digest in self._written[node] for h in chain)

    def _is_heard(self, node: int, lane: int, tip: Tip) -> bool:
        return self._ledger.is_weak(self.get_voices(node, lane, tip))

    def get_voices(self, node: int, lane: int, tip: Tip) -> set[int]:
        """Return who told `node` HAVE of the tip or of a descendant; linking headers are taken as known. # L5"""
        voices: set[int] = set()
        for digest, peers in self._heard[node].items():
            header = self._ledger.batches.get(digest)
            if header is None or header.lane != lane or header.position < tip.position:
                continue
            chain = self._ledger.get_chain(digest, tip.position)
            if chain and chain[-1].digest == tip.digest:
                voices |= peers
        return voices - {node}


CALM_VIEWS_MAX = 3
"""A leader orders unsupported tips only in views at most this far above the finalized one. # P2"""


class SupportMonitor(DecisionMonitor, Observer):
    """A leader orders of other lanes what a strong set holds, or in calm times what it holds itself. # P2 L8"""

    def __init__(self, ledger: Ledger, heard: VoteAvailabilityChecker, validators: int) -> None:
        self._ledger = ledger
        self._heard = heard
        self._forked: list[set[int]] = [set() for _ in range(validators)]
        """Per validator: lanes of which it holds evidence of a fork."""

    def on_boot(self, node: SimulatedNode) -> None:
        """What a validator must know again after its start is told to it again."""
        self._forked[node.index].clear()

    def on_evidence(self, node: SimulatedNode, evidence: Evidence) -> None:
        """The lane is nobody's to order any more who knows this. # L8 X5"""
        if evidence.kind is EvidenceKind.TWO_BATCHES:
            self._forked[node.index].add(evidence.signer)

    def on_proposal(self, node: SimulatedNode, mind: Mind, proposal: Proposal) -> None:
        """Check each lane that the proposal advances."""
        header, report = proposal.header, self._ledger.report
        parent = self._ledger.headers.get(header.parent_digest)
        for lane, low, tip in () if parent is None else _diff(header, parent):
            if lane in self._forked[node.index]:
                report("L8", header.view, node.index, f"orders more of lane {lane}, which it knows to be forked")
            voices = self._heard.get_voices(node.index, lane, tip) | {node.index}
            is_calm = header.view - mind.finalized_view <= CALM_VIEWS_MAX
            is_own = lane == node.index or (is_calm and self._heard.is_held(node.index, tip, low))
            if not is_own and not self._ledger.is_strong(voices):
                detail = f"orders {tip.position} of lane {lane}, of which only {len(voices)} validators said HAVE"
                report("P2", header.view, node.index, detail)


def _get_advances(ledger: Ledger, digest: Digest) -> list[tuple[int, int, Tip]]:
    """Return (lane, first new position, new tip) of every lane that the block advances."""
    header = ledger.headers.get(digest)
    parent = None if header is None else ledger.headers.get(header.parent_digest)
    if header is None or parent is None:
        return []
    return _diff(header, parent)


def _diff(header: BlockHeader, parent: BlockHeader) -> list[tuple[int, int, Tip]]:
    return [
        (lane, old.position + 1, new)
        for lane, (new, old) in enumerate(zip(header.cut, parent.cut, strict=True))
        if new.position > old.position
    ]
