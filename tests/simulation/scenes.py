"""Build small scenes by hand: nodes that do not run, votes, blocks and batches as they would be sent."""

from __future__ import annotations

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.crypto.signatures import SCHEME
from sequencer.replica.configuration import ReplicaConfig
from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.network import DelayProfile, Network
from sequencer.simulation.node import Machine, SimulatedNode
from sequencer.simulation.observer import Observers
from sequencer.simulation.scheduler import Scheduler
from sequencer.simulation.tokens import TokenScheme
from sequencer.types.batch import Batch, BatchHeader, compute_payload_hash
from sequencer.types.block import BlockHeader
from sequencer.types.effects import PersistBatch, PersistVote
from sequencer.types.genesis import Genesis, GenesisValidator, HostAddress
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Digest, Tip
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.vote import Proposal, Vote, VoteKind


class Scene:
    """`size` nodes with their ledger and observers; time stands still unless moved."""

    def __init__(self, size: int = 4) -> None:
        self.scheduler = Scheduler()
        self.observers = Observers()
        scheme = TokenScheme()
        host = HostAddress("simulated", "/memory/0")
        signers = [scheme.make_signer(f"val{index}") for index in range(size)]
        validators = tuple(
            GenesisValidator(f"val{index}", signer.public_key, 1, host, host, host)
            for index, signer in enumerate(signers)
        )
        self.genesis = Genesis("scene", 1_000_000, SCHEME, validators, (), (), Parameters())
        self.ledger = Ledger(self.scheduler, self.genesis)
        self.observers.add(self.ledger)
        network = Network(self.scheduler, "0", size, DelayProfile(1_000, 1_000, 10_000))
        machine = Machine(
            self.scheduler,
            "0",
            network,
            self.observers,
            lambda origin, items: None,
            self.genesis.time_ms,
            lambda item: Rejection(Reason.MALFORMED, "item"),
        )
        self.nodes = [
            SimulatedNode(machine, ReplicaConfig(self.genesis, index, signer, scheme.make_verifier()), index, 0)
            for index, signer in enumerate(signers)
        ]

    @property
    def rules(self) -> list[str]:
        """Rules broken so far."""
        return [violation.rule for violation in self.ledger.violations]

    def log_vote(self, node: int, kind: RecordKind, number: int, digest: Digest = ZERO_DIGEST) -> None:
        """Make a vote record durable."""
        self.nodes[node].store.append_vote(PersistVote(VoteRecord(kind, 0, number, digest)))
        self.observers.on_durable(self.nodes[node], *self.nodes[node].store.sync())

    def decide_vote(self, node: int, kind: RecordKind, number: int, digest: Digest = ZERO_DIGEST) -> None:
        """Let a node decide a vote now, and neither log nor send it yet."""
        effect = PersistVote(VoteRecord(kind, 0, number, digest))
        self.observers.on_handled(self.nodes[node], None, (effect,))

    def vote(self, node: int, kind: VoteKind, view: int, digest: Digest = ZERO_DIGEST, is_logged: bool = True) -> None:
        """Let a node log a vote and send it."""
        if is_logged:
            self.log_vote(node, RecordKind(kind), view, digest)
        self.observers.on_sent(self.nodes[node], None, Vote(kind, 0, view, digest, bytes(64)))

    def certify(self, kind: VoteKind, view: int, digest: Digest = ZERO_DIGEST) -> None:
        """Let three nodes vote."""
        for node in range(3):
            self.vote(node, kind, view, digest)

    def propose(self, header: BlockHeader) -> BlockHeader:
        """Let node 0 show a block."""
        self.log_vote(0, RecordKind.PROPOSAL, header.view, header.digest)
        self.observers.on_sent(self.nodes[0], None, Proposal(header, (), bytes(64)))
        return header

    def make_child(
        self, parent: BlockHeader, view: int, tips: dict[int, Tip] | None = None, time_ms: int = 1
    ) -> BlockHeader:
        """Return a child of `parent` that sets some lanes' tips; `time_ms` after the parent."""
        cut = tuple((tips or {}).get(lane, tip) for lane, tip in enumerate(parent.cut))
        return BlockHeader(0, view, parent.height + 1, parent.view, parent.digest, parent.time_ms + time_ms, 0, cut)

    def store_batch(self, node: int, batch: Batch) -> None:
        """Let a node keep a batch, and make it durable."""
        self.observers.on_handled(self.nodes[node], None, (PersistBatch(batch),))
        self.nodes[node].store.append(batch)
        self.observers.on_durable(self.nodes[node], *self.nodes[node].store.sync())


def make_batch(lane: int, position: int, parent: Digest = ZERO_DIGEST, payload: bytes = b"\x90") -> Batch:
    """Return a batch with an empty list of items, or with another payload."""
    header = BatchHeader(0, lane, position, parent, compute_payload_hash(payload), len(payload), 0)
    return Batch(header, bytes(64), payload)
