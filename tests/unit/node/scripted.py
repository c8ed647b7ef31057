"""Stand in for the driver's neighbours: a core with a script, a store with a gate, an outside that remembers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import trio

from sequencer.node.clock import SystemClock
from sequencer.node.driver import Driver
from sequencer.store.interface import StoreEffect
from sequencer.types.batch import Batch
from sequencer.types.block import FinalizedBlock
from sequencer.types.commitment import Commitment
from sequencer.types.effects import Effect, LoadBatches, LoadSnapshot, LoadSnapshotChunk, SaveSnapshot, Send
from sequencer.types.events import BatchesLoaded, BlocksLoaded, Event, SnapshotChunkLoaded, SnapshotLoaded
from sequencer.types.evidence import Evidence
from sequencer.types.executed import ExecutedBlock
from sequencer.types.item_rules import ItemRules
from sequencer.types.messages import GetBlocks, Message
from sequencer.types.primitives import Height, Instant, ValidatorIndex
from sequencer.types.records import EMPTY_RECOVERY, Recovery
from sequencer.types.verdict import ExecutorVote


class ScriptedCore:
    """Answers each event as the script says, and remembers the events."""

    def __init__(self, script: Callable[[Event], Sequence[Effect]] | None = None, first: Sequence[Effect] = ()) -> None:
        self.events: list[Event] = []
        self.instants: list[Instant] = []
        self.timer: int | None = None
        self._script = script or (lambda event: ())
        self._first = tuple(first)

    def start(self, now: Instant) -> tuple[Effect, ...]:
        return self._first

    def handle(self, event: Event, now: Instant) -> tuple[Effect, ...]:
        self.events.append(event)
        self.instants.append(now)
        return tuple(self._script(event))

    def has_handled(self, count: int) -> bool:
        return len(self.events) >= count

    def get_timer(self) -> int | None:
        return self.timer


class GatedStore:
    """Performs only while its gate is open; remembers each group."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.groups: list[list[StoreEffect]] = []
        self.entered = 0
        self.failure: Exception | None = None
        self.blocks: tuple[FinalizedBlock, ...] = ()
        self.batches: tuple[Batch, ...] = ()
        self.oldest: Height = 0
        self.loads = 0
        self.snapshot = b""

    def load(self) -> Recovery:
        return EMPTY_RECOVERY

    def perform(self, effects: Sequence[StoreEffect]) -> None:
        self.entered += 1
        assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        self.groups.append(list(effects))

    def save_snapshot(self, effect: SaveSnapshot) -> None:
        assert self.gate.wait(10)

    def load_blocks(self, request: int, from_height: Height, count: int) -> BlocksLoaded:
        self.loads += 1
        return BlocksLoaded(request, self.blocks, None, self.oldest, self.oldest)

    def load_batches(self, effect: LoadBatches) -> BatchesLoaded:
        return BatchesLoaded(effect.request, self.batches)

    def load_snapshot(self, effect: LoadSnapshot) -> SnapshotLoaded:
        return SnapshotLoaded(effect.request, 1, len(self.blocks), None)

    def load_snapshot_chunk(self, effect: LoadSnapshotChunk) -> SnapshotChunkLoaded:
        return SnapshotChunkLoaded(effect.request, effect.height, effect.index, self.snapshot)

    def close(self) -> None:
        pass


class Progress:
    """Says how far a node has come when the test says so."""

    def __init__(self, height: Height = 0) -> None:
        self.height = height
        self._news = 1
        self._changed = trio.Event()

    def reach(self, height: Height) -> None:
        self.height = height
        self._news += 1
        self._changed.set()
        self._changed = trio.Event()

    async def wait_for_news(self, seen: int) -> int:
        while self._news <= seen:
            await self._changed.wait()
        return self._news


class Notebook:
    """Remembers what left the node, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def send(self, peer: ValidatorIndex, message: Message) -> None:
        assert isinstance(message, GetBlocks)
        self.lines.append(f"send {message.count}")

    def broadcast(self, message: Message) -> None:
        assert isinstance(message, GetBlocks)
        self.lines.append(f"broadcast {message.count}")

    def ban(self, peer: ValidatorIndex, reason: str) -> None:
        self.lines.append(f"ban {peer}")

    def publish(self, items: Sequence[bytes]) -> None:
        self.lines.append(f"publish {len(items)}")

    def publish_votes(self, votes: Sequence[ExecutorVote]) -> None:
        self.lines.append(f"publish {len(votes)} votes")

    def on_executed(self, block: ExecutedBlock) -> None:
        self.lines.append(f"executed {block.header.height}")

    def on_certified(self, height: int) -> None:
        self.lines.append(f"certified {height}")

    def on_evidence(self, evidence: Evidence) -> None:
        self.lines.append(f"evidence {evidence.kind.rule}")

    def on_installed(self, commitment: Commitment) -> None:
        self.lines.append(f"installed {commitment.height}")

    def on_alarm(self, reason: str) -> None:
        self.lines.append(f"alarm {reason}")


def make_send(number: int) -> Send:
    return Send(1, GetBlocks(bytes(32), number))


def make_driver(core: ScriptedCore, store: GatedStore, outside: Notebook) -> Driver:
    rules = ItemRules(bytes(32), frozenset({1}), {}, 6)
    return Driver(core, store, outside, SystemClock(), rules, lambda key, message, signature: True)


async def wait_until(condition: Callable[[], object]) -> None:
    """Return when the condition holds; fails after 10 s."""
    with trio.fail_after(10):
        while not condition():
            await trio.lowlevel.checkpoint()
