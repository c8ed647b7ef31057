"""Judge how a validator creates, pushes, stores and fetches batches. # L1 L2 L2b L3 L6"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sequencer.simulation.checkers.knowledge import DecisionMonitor, Mind
from sequencer.simulation.checkers.ledger import Ledger
from sequencer.types.batch import Batch
from sequencer.types.effects import Effect, PersistBatch, PersistVote, Send
from sequencer.types.events import Event, MessageReceived, PeerDisconnected
from sequencer.types.messages import GetBatches, Hello
from sequencer.types.primitives import Digest, Position, Tip
from sequencer.types.records import RecordKind
from sequencer.types.vote import VoteKind

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode


class PushMonitor(DecisionMonitor):
    """A lane grows by one batch at a time and is pushed in order; what is kept is right, what is fetched is named."""

    def __init__(self, ledger: Ledger, validators: int) -> None:
        self._ledger = ledger
        self._parameters = ledger.genesis.parameters
        self._tops: list[Tip | None] = [None] * validators
        """Newest own batch of each validator; None until its start has been seen."""
        self._pushed: list[dict[int, Position]] = [{} for _ in range(validators)]
        """Per validator: highest position pushed to each peer on the present connection."""
        self._greeted: list[set[int]] = [set() for _ in range(validators)]
        """Per validator: peers that said hello on the present connection."""
        self._final = [0] * validators
        """Highest finalized position of each lane."""
        self._named: set[Digest] = set()
        self._headers_seen = self._batches_seen = 0
        self._kept: set[Digest] = set()
        ledger.listen(self._on_certificate)

    def _on_certificate(self, kind: VoteKind, view: int, digest: Digest, node: int) -> None:
        header = self._ledger.headers.get(digest) if kind is VoteKind.FINALIZE else None
        if header is not None:
            self._final = [max(old, tip.position) for old, tip in zip(self._final, header.cut, strict=True)]

    def _get_floor(self, mind: Mind, lane: int) -> Position:
        """Return how far the lane is final for whom has this mind: it may have counted votes that are not sent yet."""
        digest = mind.certificates.get((VoteKind.FINALIZE, mind.finalized_view))
        header = None if digest is None else self._ledger.headers.get(digest)
        return max(self._final[lane], 0 if header is None else header.cut[lane].position)

    def on_decided(self, node: SimulatedNode, mind: Mind, event: Event | None, effects: tuple[Effect, ...]) -> None:
        """Check what is created, kept and pushed."""
        if event is None:
            self._pushed[node.index] = {}
            self._greeted[node.index] = set()
            self._tops[node.index] = self._find_top(node)
        for batch in [effect.batch for effect in effects if isinstance(effect, PersistBatch)]:
            if batch.digest in _find_created(effects):
                self._on_created(node, mind, batch)
            else:
                self._check_kept(node.index, mind, batch, event)
        if isinstance(event, PeerDisconnected):
            self._pushed[node.index].pop(event.peer, None)
            self._greeted[node.index].discard(event.peer)
        elif isinstance(event, MessageReceived) and isinstance(event.message, Hello):
            self._check_pushed_again(node, mind, event.peer, effects)

    def _find_top(self, node: SimulatedNode) -> Tip:
        durable = node.store.durable
        tips = [Tip(b.header.position, b.digest) for b in durable.batches.values() if b.header.lane == node.index]
        tips += [block.header.cut[node.index] for block in durable.blocks.values()]
        return max(tips, default=self._ledger.genesis.header.cut[node.index])

    def _on_created(self, node: SimulatedNode, mind: Mind, batch: Batch) -> None:
        header, top, report = batch.header, self._tops[node.index], self._ledger.report
        if top is not None and batch.digest != top.digest:
            floor = self._get_floor(mind, node.index)  # who lost its disk goes on above what is final
            is_next = header.position == top.position + 1 and (header.parent == top.digest or top.position == 0)
            if not is_next and not header.position - 1 == floor > top.position:
                report(
                    "L1", header.position, node.index, f"puts a batch into its lane that does not follow {top.position}"
                )
            if header.position > self._get_floor(mind, node.index) + self._parameters.lane_window:
                report("L1", header.position, node.index, "puts a batch into its lane beyond the window")
        self._tops[node.index] = Tip(header.position, batch.digest)

    def _check_kept(self, node: int, mind: Mind, batch: Batch, event: Event | None) -> None:
        """A batch that was pushed comes from its owner, whole, signed and in the window. # L3"""
        header = batch.header
        if batch.digest in self._kept or not isinstance(event, MessageReceived) or not isinstance(event.message, Batch):
            return
        self._kept.add(batch.digest)
        limit = self._get_floor(mind, header.lane) + self._parameters.lane_window + self._parameters.lane_window_slack
        is_right = batch.is_payload_intact and header.payload_bytes <= self._parameters.batch_bytes_max
        is_signed = self._ledger.verify(
            header.lane, header.compute_signing_bytes(self._ledger.genesis.chain_id), batch.signature
        )
        if not (is_right and is_signed and header.position <= limit):
            self._ledger.report("L3", header.position, node, f"keeps a wrong batch in lane {header.lane}")

    def on_push(self, node: SimulatedNode, mind: Mind, peer: int, batch: Batch) -> None:
        """Batches go to each peer one after the other, within its window. # L2"""
        if batch.header.lane != node.index or peer in self._ledger.faulty:
            return
        position, pushed = batch.header.position, self._pushed[node.index]
        delivered, held = mind.reported.get(peer, (0, 0))
        if position > max(pushed.get(peer, 0), held, delivered, self._get_floor(mind, node.index)) + 1:
            self._ledger.report("L2", position, node.index, f"pushes to validator {peer} what is not next")
        if position > delivered + self._parameters.lane_window:
            self._ledger.report("L2", position, node.index, f"pushes beyond the window of validator {peer}")
        pushed[peer] = max(position, pushed.get(peer, 0))

    def _check_pushed_again(self, node: SimulatedNode, mind: Mind, peer: int, effects: tuple[Effect, ...]) -> None:
        """Who says hello and is behind gets what it lacks at once. # L2b"""
        top = self._tops[node.index]
        is_new = peer not in self._greeted[node.index]
        following = max(mind.reported.get(peer, (0, 0))) + 1
        self._greeted[node.index].add(peer)
        if mind.is_adopting:
            return  # the hello waits until the snapshot is durable
        if (
            peer in self._ledger.faulty
            or top is None
            or not is_new
            or not self._get_floor(mind, node.index) < following <= top.position
        ):
            return
        pushes = [e for e in effects if isinstance(e, Send) and e.peer == peer and isinstance(e.message, Batch)]
        if not any(push.message.header.position == following for push in pushes):  # type: ignore[union-attr] # batches
            detail = f"does not push again to validator {peer}, which lacks its batch"
            self._ledger.report("L2b", following, node.index, detail)

    def on_fetch(self, node: SimulatedNode, mind: Mind, peer: int, request: GetBatches) -> None:
        """Only what a block or a parent link names is fetched. # L6"""
        if request.tip_digest not in self._named:
            self._read_names()
            if request.tip_digest not in self._named:
                detail = f"fetches a batch of lane {request.lane} that no block names"
                self._ledger.report("L6", request.high, node.index, detail)

    def _read_names(self) -> None:
        ledger = self._ledger
        for header in islice(ledger.headers.values(), self._headers_seen, None):
            self._named.update(tip.digest for tip in header.cut)
        for batch in islice(ledger.batches.values(), self._batches_seen, None):
            self._named.add(batch.parent)
        self._headers_seen, self._batches_seen = len(ledger.headers), len(ledger.batches)


def _find_created(effects: tuple[Effect, ...]) -> set[Digest]:
    """Return the digests of the batches that the validator writes down as its own."""
    records = [effect.record for effect in effects if isinstance(effect, PersistVote)]
    return {record.digest for record in records if record.kind is RecordKind.OWN_BATCH}
