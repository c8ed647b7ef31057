"""A few replicas joined by hand: performs their effects, carries their messages, keeps what is durable."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from sequencer.execution.executor import Executor
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.replica import Replica
from sequencer.types import effects as out
from sequencer.types import events
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.bundle import Bundle, Leg, Operation
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.evidence import Evidence
from sequencer.types.genesis import Genesis
from sequencer.types.item import SignedBundle, check_items
from sequencer.types.messages import Message
from sequencer.types.primitives import Digest
from sequencer.types.records import Recovery, VoteRecord
from sequencer.types.vote import Certificate
from tests.unit.core_world import SCHEME_TOKENS, VERIFY, at, make_genesis, make_signer

_E = TypeVar("_E")
HOP_MS = 2
"""How long a message travels."""


def make_bundle(genesis: Genesis, sequence: int, payer: int = 0, channel: int = 0) -> SignedBundle:
    """Return a signed bundle that sets a key."""
    signer = SCHEME_TOKENS.make_signer(f"payer {payer}")
    leg = Leg(1, signer.public_key, (), (Operation("set", (f"kv/{payer}/{sequence}", sequence + 1)),), None)
    bundle = Bundle(genesis.chain_id, signer.public_key, channel, sequence, 0, 2**40, 0, (), (leg,))
    return SignedBundle(bundle, (signer.sign(bundle.signing_bytes),))


@dataclass
class Disk:
    """What one validator made durable."""

    votes: list[VoteRecord] = field(default_factory=list)
    headers: list[BlockHeader] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    batches: dict[Digest, Batch] = field(default_factory=dict)
    blocks: list[FinalizedBlock] = field(default_factory=list)
    commitment: CommitmentCertificate | None = None
    evidence: list[Evidence] = field(default_factory=list)

    def write(self, effect: out.Effect) -> None:
        match effect:
            case out.PersistVote(record, header, certificates):
                self.votes.append(record)
                self.headers.extend([header] if header is not None else [])
                self.certificates.extend(certificates)
            case out.PersistBatch(batch):
                self.batches[batch.digest] = batch
            case out.PersistBlock(block):
                self.blocks.append(block)
            case out.StoreCommitmentCertificate(certificate):
                self.commitment = certificate
            case out.StoreEvidence(evidence):
                self.evidence.append(evidence)

    def find_batches(self, effect: out.LoadBatches) -> tuple[Batch, ...]:
        found: list[Batch] = []
        digest = effect.tip_digest
        while digest in self.batches and len(found) <= effect.high - effect.low:
            found.append(self.batches[digest])
            digest = found[-1].header.parent
        return tuple(found)

    def recover(self, **changes: object) -> Recovery:
        """Return what a restarted replica is given."""
        final = next((block for block in reversed(self.blocks) if block.finalization is not None), None)
        cut = self.blocks[-1].header.cut if self.blocks else ()
        above = [b for b in self.batches.values() if not cut or b.header.position > cut[b.header.lane].position]
        mark = 0 if final is None else final.header.view
        recovery = Recovery(
            None,
            None,
            tuple(self.blocks),
            None if final is None else final.finalization,
            None if final is None else final.header,
            tuple(record for record in self.votes if record.kind >= 5 or record.number > mark),
            tuple(above),
            self.commitment,
            None,
            tuple(header for header in self.headers if header.view > mark),
            tuple(certificate for certificate in self.certificates if certificate.view > mark),
            tuple(self.evidence),
        )
        return replace(recovery, **changes)  # type: ignore[arg-type] # any field


class Turn(NamedTuple):
    """One call of a replica and what it gave; the event is None for the start."""

    replica: int
    now_ms: int
    event: events.Event | None
    effects: tuple[out.Effect, ...]


class Cluster:
    """Replicas of one genesis in one time; `turns` are all calls with what they gave."""

    def __init__(self, genesis: Genesis | None = None, indices: Sequence[int | None] | None = None) -> None:
        self.genesis = genesis or make_genesis()
        self.now_ms = 0
        self.replicas: dict[int, Replica] = {}
        self.disks: dict[int, Disk] = {}
        self.turns: list[Turn] = []
        self.is_dropped: Callable[[int, int, Message], bool] = lambda source, target, message: False
        self._queue: list[tuple[int, int, int, Replica, events.Event]] = []
        self._tickets = 0
        self._broken: set[frozenset[int]] = set()
        self.effects_left: dict[int, int] = {}
        """Effects that a validator still performs before it dies in the middle of a turn."""
        for index in range(self.genesis.committee.size) if indices is None else indices:
            assert index is not None
            self.start(index)

    def start(self, index: int, recovery: Recovery | None = None, **changes: object) -> Replica:
        """Start a validator and connect it to all that run."""
        config = ReplicaConfig(self.genesis, index, make_signer(index), VERIFY)
        config = replace(config, **changes)  # type: ignore[arg-type] # any field
        self.disks.setdefault(index, Disk())
        replica = Replica(config) if recovery is None else Replica(config, recovery)
        self.replicas[index] = replica
        self._perform(index, None, replica.start(at(self.now_ms)))
        for other in sorted(self.replicas):
            if other != index:
                self.handle(index, events.PeerConnected(other))
                self.handle(other, events.PeerConnected(index))
        return replica

    def stop(self, index: int) -> Disk:
        """Kill a validator; what is under way to it is lost."""
        self.replicas.pop(index, None)
        self.effects_left.pop(index, None)
        for other in sorted(self.replicas):
            self.handle(other, events.PeerDisconnected(index))
        return self.disks[index]

    def restart(self, index: int, **changes: object) -> Replica:
        return self.start(index, self.stop(index).recover(**changes))

    def cut(self, *pairs: tuple[int, int]) -> None:
        """Break connections both ways; what is under way on them is lost."""
        for pair in pairs:
            self._broken.add(frozenset(pair))
            for source, target in (pair, pair[::-1]):
                self.handle(source, events.PeerDisconnected(target))
        self._queue = [entry for entry in self._queue if not self._is_cut(entry)]
        heapq.heapify(self._queue)

    def heal(self) -> None:
        """Connect again whatever was cut."""
        broken, self._broken = sorted(sorted(pair) for pair in self._broken), set()
        for first, second in broken:
            self.handle(first, events.PeerConnected(second))
            self.handle(second, events.PeerConnected(first))

    def _is_cut(self, entry: tuple[int, int, int, Replica, events.Event]) -> bool:
        event = entry[4]
        return isinstance(event, events.MessageReceived) and frozenset((entry[2], event.peer)) in self._broken

    def submit(self, index: int, *bundles: SignedBundle, request: int = 1) -> None:
        self.handle(index, events.ItemsSubmitted(request, tuple(bundle.item_bytes for bundle in bundles)))

    def handle(self, index: int, event: events.Event) -> tuple[out.Effect, ...]:
        if index not in self.replicas:
            return ()
        effects = self.replicas[index].handle(event, at(self.now_ms))
        self._perform(index, event, effects)
        return effects

    def run(self, until_ms: int, is_done: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, event by event, until `is_done` or the end."""
        while not is_done():
            timers = [
                (timer, index) for index, r in sorted(self.replicas.items()) if (timer := r.get_timer()) is not None
            ]
            timer_ms, timer_index = min(timers, default=(until_ms + 1, -1))
            queue_ms = self._queue[0][0] if self._queue else until_ms + 1
            if min(timer_ms, queue_ms) > until_ms:
                self.now_ms = until_ms
                return
            self.now_ms = max(self.now_ms, min(timer_ms, queue_ms))
            if queue_ms <= timer_ms:
                _, _, index, replica, event = heapq.heappop(self._queue)
                if self.replicas.get(index) is replica:
                    self.handle(index, event)
            else:
                self.handle(timer_index, events.TimerFired())
                after = self.replicas[timer_index].get_timer() if timer_index in self.replicas else None
                assert after is None or after > self.now_ms, f"timer of {timer_index} stands still at {self.now_ms}"

    @property
    def heights(self) -> list[int]:
        """Return the executed heights of those that run."""
        return [self.replicas[index].executor.height for index in sorted(self.replicas)]

    def find(self, index: int, kind: type[_E]) -> list[_E]:
        """Return all effects of one kind that a validator ever gave."""
        return [e for turn in self.turns if turn.replica == index for e in turn.effects if isinstance(e, kind)]

    def _perform(self, index: int, event: events.Event | None, effects: tuple[out.Effect, ...]) -> None:
        self.turns.append(Turn(index, self.now_ms, event, effects))
        for effect in effects:
            if not self._survives(index):
                return
            self.disks[index].write(effect)
            match effect:
                case out.Send(peer, message):
                    self._carry(index, [peer], message)
                case out.Broadcast(message):
                    self._carry(index, [other for other in sorted(self.replicas) if other != index], message)
                case out.CheckItems(request, items):
                    results = check_items(items, self.genesis.item_rules, VERIFY)
                    self._post(index, 1, events.ItemsChecked(request, results))
                case out.LoadBlocks(request, from_height, count):
                    blocks = tuple(self.disks[index].blocks[from_height - 1 : from_height - 1 + count])
                    self._post(index, 1, events.BlocksLoaded(request, blocks, None))
                case out.LoadBatches(request=request):
                    self._post(index, 1, events.BatchesLoaded(request, self.disks[index].find_batches(effect)))
                case out.Continue():
                    self._post(index, 0, events.Continued())
                case out.PublishVotes(votes):
                    for other in sorted(self.replicas):
                        if other != index:
                            self._post(other, HOP_MS, events.VotesReceived(votes))
                case out.PublishItems(items):
                    for other in sorted(self.replicas):
                        if other != index:
                            self._post(other, HOP_MS, events.ItemsGossiped(items))

    def _survives(self, index: int) -> bool:
        left = self.effects_left.get(index)
        if left is None or index not in self.replicas:
            return index in self.replicas
        if left == 0:
            del self.effects_left[index], self.replicas[index]
            return False
        self.effects_left[index] = left - 1
        return True

    def _carry(self, source: int, targets: Iterable[int], message: Message) -> None:
        for target in targets:
            is_open = target in self.replicas and frozenset((source, target)) not in self._broken
            if is_open and not self.is_dropped(source, target, message):
                self._post(target, HOP_MS, events.MessageReceived(source, message))

    def _post(self, index: int, delay_ms: int, event: events.Event) -> None:
        self._tickets += 1
        if index in self.replicas:
            heapq.heappush(self._queue, (self.now_ms + delay_ms, self._tickets, index, self.replicas[index], event))


def get_commitments(executors: Iterable[Executor]) -> set[Digest]:
    """Return the digests of the newest commitments."""
    return {executor.commitment.digest for executor in executors}
