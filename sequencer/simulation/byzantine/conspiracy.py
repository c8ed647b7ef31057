"""Remember what the Byzantine validators of one run share, and what of theirs really hit a correct one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from sequencer.crypto.signatures import Signer
from sequencer.simulation.observer import Observer
from sequencer.simulation.recorder import Recorder
from sequencer.types.genesis import Genesis
from sequencer.types.messages import Message
from sequencer.types.primitives import Digest, ValidatorIndex, View
from sequencer.types.signing import SIGNING_BYTES, SignatureKind

if TYPE_CHECKING:
    from sequencer.simulation.checkers.ledger import Ledger
    from sequencer.simulation.node import SimulatedNode

OnSigned = Callable[[ValidatorIndex, SignatureKind, int, Digest], None]
"""Called with everything that a Byzantine key signs."""


class Conspiracy(Observer):
    """Members, their plan for each view, and hits. It watches correct validators only."""

    def __init__(self, members: frozenset[ValidatorIndex]) -> None:
        self.members = members
        self.sides: dict[View, dict[Digest, set[ValidatorIndex]]] = {}
        """Which block of an equivocating leader was shown to whom."""
        self.fired: Counter[str] = Counter()
        """Correct replicas hit, by behaviour."""
        self.marked: dict[int, tuple[Message, str]] = {}

    def mark(self, message: Message, name: str) -> None:
        """A correct replica that takes in this very object is hit by the behaviour `name`."""
        self.marked[id(message)] = (message, name)  # the object stays alive, so its identity stays its own

    def on_received(self, node: SimulatedNode, peer: int, message: Message) -> None:
        entry = self.marked.get(id(message))
        if entry is not None and node.is_running:
            self.fired[entry[1]] += 1


class Witness(Observer):
    """Let the checkers know what Byzantine validators show; no rule holds those. The trace has all they send."""

    def __init__(self, ledger: Ledger, recorder: Recorder) -> None:
        self._ledger = ledger
        self._recorder = recorder

    def on_boot(self, node: SimulatedNode) -> None:
        self._recorder.on_boot(node)

    def on_crash(self, node: SimulatedNode) -> None:
        self._recorder.on_crash(node)

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        self._recorder.on_sent(node, peer, message)
        self._ledger.add_shown(message)


class WatchedSigner:
    """Sign as the genuine signer does, and let the checkers know what exists now."""

    def __init__(self, signer: Signer, index: ValidatorIndex, genesis: Genesis, on_signed: OnSigned) -> None:
        self._prefix = genesis.chain_id + genesis.committee.epoch.to_bytes(8, "big")
        """Only what counts in this network and epoch exists for the checkers. # G2"""
        self._signer = signer
        self._index = index
        self._on_signed = on_signed

    @property
    def public_key(self) -> bytes:
        """The 32-byte public key."""
        return self._signer.public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`."""
        if len(message) == SIGNING_BYTES and message[4:44] == self._prefix:
            kind, number = SignatureKind(message[44]), int.from_bytes(message[45:53], "big")
            self._on_signed(self._index, kind, number, message[53:])
        return self._signer.sign(message)
