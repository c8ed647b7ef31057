"""Guard traffic: an answer is no longer than its request, and nobody asks for one thing without end. # I14 L6 R2 C4"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.observer import Observer
from sequencer.types.effects import Broadcast, Effect, Send
from sequencer.types.events import Event
from sequencer.types.messages import (
    Batches,
    BlockHeaders,
    GetBatches,
    GetBlocks,
    Message,
    Sync,
    SyncBlocks,
)
from sequencer.types.snapshot_messages import GetSnapshot, GetSnapshotChunk, SnapshotChunk, SnapshotOffer

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode

REQUESTS_MAX = 80
"""Requests for one batch, header or height within `TRIES` times T_FETCH: two peers at a time. # L6"""
TRIES = 40
OPEN_REQUESTS_MAX = 64
"""Requests of one peer that a validator could still answer; older ones are forgotten by it, and here."""

_ANSWERS: dict[type, type] = {
    Batches: GetBatches,
    BlockHeaders: GetBlocks,
    SyncBlocks: Sync,
    SnapshotOffer: GetSnapshot,
    SnapshotChunk: GetSnapshotChunk,
}


class AmplificationChecker(Observer):
    """Every answer has a request of its own that asked for as much; one thing is asked for at a bounded rate.

    The rate is that of decisions, in milliseconds of the clock that who asks goes by: a slow disk bunches what was
    decided apart, and a clock that runs fast, or shows no part of a millisecond, lets T_FETCH pass a little sooner.
    """

    sent_types = tuple(_ANSWERS)
    received_types = tuple(_ANSWERS.values())

    def __init__(self, ledger: Ledger, validators: int) -> None:
        self._ledger = ledger
        self._open: list[dict[tuple[int, type], list[int]]] = [{} for _ in range(validators)]
        """Per node: by peer and type of request, how much each unanswered one asked for."""
        self._asked: list[dict[bytes, deque[int]]] = [{} for _ in range(validators)]
        """Per node: when it asked for each batch, header or height, by its own clock; by name, the newest times."""
        self._window_ms = TRIES * ledger.genesis.parameters.fetch_retry_ms

    def on_boot(self, node: SimulatedNode) -> None:
        self._open[node.index] = {}
        self._asked[node.index] = {}

    def on_handled(self, node: SimulatedNode, event: Event | None, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Send | Broadcast) and isinstance(effect.message, GetBatches | GetBlocks | Sync):
                self._count_request(node, effect.message)

    def on_received(self, node: SimulatedNode, peer: int, message: Message) -> None:
        waiting = self._open[node.index].setdefault((peer, type(message)), [])
        waiting.append(_get_size_asked(message))
        del waiting[:-OPEN_REQUESTS_MAX]

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        self._check_answer(node.index, peer, message)

    def _count_request(self, node: SimulatedNode, message: GetBatches | GetBlocks | Sync) -> None:
        name, now_ms = _get_name(message), node.get_instant().mono_ms
        times = self._asked[node.index].setdefault(name, deque(maxlen=REQUESTS_MAX))
        if len(times) == REQUESTS_MAX and now_ms - times[0] < self._window_ms:
            detail = f"asked {REQUESTS_MAX} times for {name.hex()[:16]} in {self._window_ms} ms"
            self._ledger.report("I14", 0, node.index, detail)
        times.append(now_ms)

    def _check_answer(self, node: int, peer: int | None, message: Message) -> None:
        """Match the answer with the smallest request that it fits. # I14"""
        name = type(message).__name__
        waiting = [] if peer is None else self._open[node].get((peer, _ANSWERS[type(message)]), [])
        size = _get_size(message)
        fitting = [asked for asked in waiting if asked >= size]
        if not waiting:
            self._ledger.report("I14", 0, node, f"sent {name} to {peer}, who did not ask")
        elif not fitting:
            self._ledger.report(
                "I14", 0, node, f"sent {size} elements in {name} to {peer}, who asked for {waiting[-1]}"
            )
        else:
            waiting.remove(min(fitting))


def _get_name(request: GetBatches | GetBlocks | Sync) -> bytes:
    """Return what a request is about: a digest, or the first height asked for."""
    match request:
        case GetBatches():
            return request.tip_digest
        case GetBlocks():
            return request.digest
        case Sync():
            return request.from_height.to_bytes(8, "big")


def _get_size_asked(message: Message) -> int:
    """Return how many batches, headers, blocks or chunks a request allows."""
    match message:
        case GetBatches():
            return message.high - message.low + 1
        case GetBlocks() | Sync():
            return message.count
        case _:
            return 1


def _get_size(message: Message) -> int:
    match message:
        case Batches():
            return len(message.batches)
        case BlockHeaders():
            return len(message.headers)
        case SyncBlocks():
            return len(message.blocks)
        case _:
            return 1
