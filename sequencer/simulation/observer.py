"""Name what can be seen of a simulated run; checkers and the trace are observers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from sequencer.types.block import BlockHeader
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.effects import Answer, Effect
from sequencer.types.events import Event
from sequencer.types.evidence import Evidence
from sequencer.types.executed import ExecutedBlock
from sequencer.types.messages import Message
from sequencer.types.records import VoteRecord

if TYPE_CHECKING:
    from sequencer.errors import SequencerError
    from sequencer.simulation.node import SimulatedNode
    from sequencer.simulation.store import StoreRecord


class Observer:
    """See everything and do nothing; subclasses override what they care about."""

    sent_types: ClassVar[tuple[type, ...]] = (object,)
    """Messages that `on_sent` is told of."""
    received_types: ClassVar[tuple[type, ...]] = (object,)
    """Messages that `on_received` is told of."""

    def on_boot(self, node: SimulatedNode) -> None:
        """The node is about to start on what its disk holds."""

    def on_started(self, node: SimulatedNode) -> None:
        """The node's replica stands on what the disk held, and is about to act."""

    def on_crash(self, node: SimulatedNode) -> None:
        """The node died; what survived was reported by `on_durable`."""

    def on_handled(self, node: SimulatedNode, event: Event | None, effects: tuple[Effect, ...]) -> None:
        """The replica handled `event`, or started (None), and decided these effects; a slow disk may delay them."""

    def on_durable(self, node: SimulatedNode, votes: Sequence[VoteRecord], records: Sequence[StoreRecord]) -> None:
        """A sync, or a crash that spared them, made these records durable, in the order of writing."""

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        """The node sent to `peer`, or to everybody (None), whether it arrives or not."""

    def on_received(self, node: SimulatedNode, peer: int, message: Message) -> None:
        """A message of `peer` is about to be handled by the node."""

    def on_executed(self, node: SimulatedNode, block: ExecutedBlock) -> None:
        """The node executed a block."""

    def on_installed(self, node: SimulatedNode, header: BlockHeader, commitment: Commitment) -> None:
        """The node stands on a snapshot from peers, of the state after `header`. # R2"""

    def on_certified(self, node: SimulatedNode, certificate: CommitmentCertificate) -> None:
        """The node keeps a newer commitment certificate."""

    def on_evidence(self, node: SimulatedNode, evidence: Evidence) -> None:
        """The node keeps evidence against a validator."""

    def on_answered(self, node: SimulatedNode, answer: Answer) -> None:
        """The node answered a client."""

    def on_banned(self, node: SimulatedNode, peer: int, reason: str) -> None:
        """The node bans `peer`."""

    def on_alarm(self, node: SimulatedNode, reason: str) -> None:
        """The node says that more than F power broke the protocol."""

    def on_error(self, node: SimulatedNode, error: SequencerError) -> None:
        """The replica raised; the node stands still from now on."""


class Observers(Observer):
    """Pass every sight on to those observers that look at it, in their order."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []
        self._boot: list[Callable[..., None]] = []
        self._started: list[Callable[..., None]] = []
        self._handled: list[Callable[..., None]] = []
        self._crash: list[Callable[..., None]] = []
        self._durable: list[Callable[..., None]] = []
        self._sent: dict[type, list[Callable[..., None]]] = {}
        """By type of message, as soon as one was seen."""
        self._received: dict[type, list[Callable[..., None]]] = {}
        """The same."""
        self._executed: list[Callable[..., None]] = []
        self._installed: list[Callable[..., None]] = []
        self._certified: list[Callable[..., None]] = []
        self._evidence: list[Callable[..., None]] = []
        self._answered: list[Callable[..., None]] = []
        self._banned: list[Callable[..., None]] = []
        self._alarm: list[Callable[..., None]] = []
        self._error: list[Callable[..., None]] = []

    def add(self, observer: Observer) -> None:
        """Let `observer` see what comes from now on; hooks that it does not override cost nothing."""
        for name in (
            "boot",
            "started",
            "handled",
            "crash",
            "durable",
            "executed",
            "installed",
            "certified",
            "evidence",
            "answered",
            "banned",
            "alarm",
            "error",
        ):
            if _overrides(observer, name):
                getattr(self, f"_{name}").append(getattr(observer, f"on_{name}"))
        self._observers.append(observer)
        self._sent.clear()
        self._received.clear()

    def _find_sent(self, kind: type) -> list[Callable[..., None]]:
        told = [observer for observer in self._observers if issubclass(kind, observer.sent_types)]
        hooks = self._sent[kind] = [observer.on_sent for observer in told if _overrides(observer, "sent")]
        return hooks

    def _find_received(self, kind: type) -> list[Callable[..., None]]:
        told = [observer for observer in self._observers if issubclass(kind, observer.received_types)]
        hooks = self._received[kind] = [observer.on_received for observer in told if _overrides(observer, "received")]
        return hooks

    def on_boot(self, node: SimulatedNode) -> None:
        for hook in self._boot:
            hook(node)

    def on_started(self, node: SimulatedNode) -> None:
        for hook in self._started:
            hook(node)

    def on_handled(self, node: SimulatedNode, event: Event | None, effects: tuple[Effect, ...]) -> None:
        for hook in self._handled:
            hook(node, event, effects)

    def on_crash(self, node: SimulatedNode) -> None:
        for hook in self._crash:
            hook(node)

    def on_durable(self, node: SimulatedNode, votes: Sequence[VoteRecord], records: Sequence[StoreRecord]) -> None:
        for hook in self._durable:
            hook(node, votes, records)

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        hooks = self._sent.get(type(message))
        for hook in self._find_sent(type(message)) if hooks is None else hooks:
            hook(node, peer, message)

    def on_received(self, node: SimulatedNode, peer: int, message: Message) -> None:
        hooks = self._received.get(type(message))
        for hook in self._find_received(type(message)) if hooks is None else hooks:
            hook(node, peer, message)

    def on_executed(self, node: SimulatedNode, block: ExecutedBlock) -> None:
        for hook in self._executed:
            hook(node, block)

    def on_installed(self, node: SimulatedNode, header: BlockHeader, commitment: Commitment) -> None:
        for hook in self._installed:
            hook(node, header, commitment)

    def on_certified(self, node: SimulatedNode, certificate: CommitmentCertificate) -> None:
        for hook in self._certified:
            hook(node, certificate)

    def on_evidence(self, node: SimulatedNode, evidence: Evidence) -> None:
        for hook in self._evidence:
            hook(node, evidence)

    def on_answered(self, node: SimulatedNode, answer: Answer) -> None:
        for hook in self._answered:
            hook(node, answer)

    def on_banned(self, node: SimulatedNode, peer: int, reason: str) -> None:
        for hook in self._banned:
            hook(node, peer, reason)

    def on_alarm(self, node: SimulatedNode, reason: str) -> None:
        for hook in self._alarm:
            hook(node, reason)

    def on_error(self, node: SimulatedNode, error: SequencerError) -> None:
        for hook in self._error:
            hook(node, error)


def _overrides(observer: Observer, name: str) -> bool:
    return getattr(type(observer), f"on_{name}") is not getattr(Observer, f"on_{name}")
