"""Guard agreement: what may be certified, what may be finalized, what may be delivered. # I1-I7 I10 O2 O3"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.observer import Observer
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.commitment import Commitment
from sequencer.types.primitives import Digest, Height, Tip, View
from sequencer.types.records import VoteRecord
from sequencer.types.vote import VoteKind

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode
    from sequencer.simulation.store import StoreRecord


class CertificateChecker(Observer):
    """Certificates never contradict each other, and finalized blocks form one chain. # I1 I2 I3 I4 I6 I7"""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._finalized: dict[Height, Digest] = {0: ledger.genesis.header.digest}
        ledger.listen(self._on_certificate)

    def _on_certificate(self, kind: VoteKind, view: View, digest: Digest, node: int) -> None:
        if kind is VoteKind.NOTARIZE:
            self._check_notarization(view, digest, node)
        elif kind is VoteKind.FINALIZE:
            self._check_finalization(view, digest, node)
        elif self._ledger.has_certificate(VoteKind.FINALIZE, view):
            self._ledger.report("I4", view, node, "nullification of a finalized view")

    def _check_notarization(self, view: View, digest: Digest, node: int) -> None:
        certificates = self._ledger.certificates
        if len(certificates[VoteKind.NOTARIZE, view]) > 1:
            self._ledger.report("I2", view, node, "two notarizations in one view")
        if any(other != digest for other in certificates.get((VoteKind.FINALIZE, view), ())):
            self._ledger.report("I3", view, node, "notarization beside the finalization of another block")

    def _check_finalization(self, view: View, digest: Digest, node: int) -> None:
        ledger = self._ledger
        if len(ledger.certificates[VoteKind.FINALIZE, view]) > 1:
            ledger.report("I1", view, node, "two finalizations in one view")
        if any(other != digest for other in ledger.certificates.get((VoteKind.NOTARIZE, view), ())):
            ledger.report("I3", view, node, "finalization beside the notarization of another block")
        if ledger.has_certificate(VoteKind.NULLIFY, view):
            ledger.report("I4", view, node, "finalization of a nullified view")
        if not ledger.has_certificate(VoteKind.NOTARIZE, view, digest):
            ledger.report("I7", view, node, "finalization without a notarization")
        self._check_chain(digest, node)

    def _check_chain(self, digest: Digest, node: int) -> None:
        """Walk from a newly finalized block down to one that was final already. # I1 I6"""
        header = self._ledger.headers.get(digest)
        while header is not None:
            known = self._finalized.get(header.height)
            if known == header.digest:
                return
            if known is not None:
                self._ledger.report("I1", header.height, node, "two finalized blocks at one height")
                return
            self._finalized[header.height] = header.digest
            self._check_skipped(header, node)
            header = self._ledger.headers.get(header.parent_digest)
        self._ledger.report("I6", 0, node, "a finalized block has a parent that nobody proposed")

    def _check_skipped(self, header: BlockHeader, node: int) -> None:
        for view in range(header.parent_view + 1, header.view):
            if not self._ledger.has_certificate(VoteKind.NULLIFY, view):
                self._ledger.report("I6", view, node, f"view skipped by height {header.height} is not nullified")

    def check_end(self) -> None:
        """Demand at the end that everything delivered was finalized. # I1"""
        for height, block in sorted(self._ledger.log.items()):
            known = self._finalized.get(height)
            if known is not None and known != block.header.digest:
                self._ledger.report("I1", height, -1, "a delivered block is not the finalized one")
            if known is None:
                self._ledger.report("I7", height, -1, "a delivered block was never finalized")


class OrderChecker(Observer):
    """A delivered block has exactly the batches that its cut adds, in the order of the sweep. # O2 O3"""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def on_durable(self, node: SimulatedNode, votes: Sequence[VoteRecord], records: Sequence[StoreRecord]) -> None:
        for record in records:
            if isinstance(record, FinalizedBlock) and not self._is_seen(record):
                self._check(node, record)

    def _is_seen(self, block: FinalizedBlock) -> bool:
        """Tell whether the same batches were delivered in the same order before; then they were checked."""
        first = self._ledger.log[block.header.height]
        return first is not block and [b.digest for b in first.batches] == [b.digest for b in block.batches]

    def _check(self, node: SimulatedNode, block: FinalizedBlock) -> None:
        parent = self._ledger.headers.get(block.header.parent_digest)
        if parent is None:
            return  # I6 speaks of that
        expected = [
            (lane, old.position + step)
            for step in range(1, 1 + max(new.position - old.position for new, old in _pair_tips(block.header, parent)))
            for lane in self._compute_sweep(block.header)
            for new, old in [(block.header.cut[lane], parent.cut[lane])]
            if old.position + step <= new.position
        ]
        found = [(batch.header.lane, batch.header.position) for batch in block.batches]
        if sorted(found) != sorted(expected):
            held = node.store.durable.batches
            is_whole = all(new.digest in held for new, old in _pair_tips(block.header, parent) if new != old)
            rule, detail = ("O2", "not those between the cuts") if is_whole else ("O1", "not all there")
            self._ledger.report(rule, block.header.height, node.index, f"the batches of a delivered block are {detail}")
        elif found != expected:
            self._ledger.report("O3", block.header.height, node.index, "the batches are not in the order of the sweep")

    def _compute_sweep(self, header: BlockHeader) -> list[int]:
        prefix = b"ssq-ordr" + self._ledger.genesis.chain_id + header.height.to_bytes(8, "big") + header.parent_digest
        keys = {sha256(prefix + lane.to_bytes(8, "big")).digest(): lane for lane in range(len(header.cut))}
        return [keys[key] for key in sorted(keys)]


def _pair_tips(header: BlockHeader, parent: BlockHeader) -> list[tuple[Tip, Tip]]:
    return list(zip(header.cut, parent.cut, strict=True))


class PrefixChecker(Observer):
    """All delivered logs are prefixes of one log, byte for byte, and go forward only. # I5 I10"""

    def __init__(self, ledger: Ledger, validators: int) -> None:
        self._ledger = ledger
        self._newest: list[BlockHeader] = [ledger.genesis.header] * validators
        self._wall_base_ms = ledger.genesis.time_ms
        self._drift_ms = ledger.genesis.parameters.clock_drift_ms_max

    def on_boot(self, node: SimulatedNode) -> None:
        """A node that lost unsynced blocks delivers them again."""
        self._newest[node.index] = node.store.get_newest_header() or self._ledger.genesis.header

    def on_durable(self, node: SimulatedNode, votes: Sequence[VoteRecord], records: Sequence[StoreRecord]) -> None:
        for record in records:
            if isinstance(record, FinalizedBlock):
                self._check_log(node.index, record)
                self._check_monotone(node.index, record.header)

    def on_installed(self, node: SimulatedNode, header: BlockHeader, commitment: Commitment) -> None:
        """A snapshot takes the place of the blocks below it: it must be of the one log, and above. # R2"""
        delivered = self._ledger.log.get(header.height)
        if delivered is None or delivered.header.digest != header.digest:
            self._ledger.report("R2", header.height, node.index, "stands on a snapshot of an unknown block")
        if header.height <= self._newest[node.index].height:
            self._ledger.report("R2", header.height, node.index, "went back to a snapshot")
        self._newest[node.index] = header

    def _check_log(self, node: int, block: FinalizedBlock) -> None:
        first = self._ledger.log[block.header.height]
        if first is block:
            return
        if first.header.digest != block.header.digest:
            self._ledger.report("I1", block.header.height, node, "delivered another block at this height")
        elif [batch.digest for batch in first.batches] != [batch.digest for batch in block.batches]:
            self._ledger.report("I5", block.header.height, node, "delivered other batches, or in another order")

    def _check_monotone(self, node: int, header: BlockHeader) -> None:
        before = self._newest[node]
        if header.height != before.height + 1 or header.parent_digest != before.digest:
            self._ledger.report("I5", header.height, node, f"delivered after height {before.height}")
        if header.view <= before.view or header.time_ms <= before.time_ms:
            self._ledger.report("I10", header.height, node, "view or time does not grow")
        if any(new.position < old.position for new, old in zip(header.cut, before.cut, strict=True)):
            self._ledger.report("I10", header.height, node, "the cut goes back")
        if header.time_ms > self._wall_base_ms + self._ledger.now_us // 1_000 + 2 * self._drift_ms:
            self._ledger.report("I10", header.height, node, "time runs ahead of every honest clock")
        self._newest[node] = header
