"""Watch the nodes of a devnet: say when it is ready, follow its blocks, and stop all of it.

A dead node is never restarted: it gets a line. Whatever ends this program, no process
stays behind: children stop at SIGTERM, or when the pipe from here closes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from sequencer.cli.cluster import ready
from sequencer.cli.cluster.children import Child, read_last_lines, wait_until_listening
from sequencer.cli.cluster.lines import BlockSummary, Summaries
from sequencer.cli.cluster.teller import Teller, Totals
from sequencer.cli.command import CommandError
from sequencer.errors import SequencerError
from sequencer.node.home import Home
from sequencer.sdk.errors import AnswerError, UnreachableError
from sequencer.sdk.results import StatusAnswer
from sequencer.sdk.transport import Endpoint

READY_SECONDS_MAX = 60
"""A network without a block for this long after its nodes listen is given up."""
POLL_SECONDS = 0.1
"""Pause between two questions to a node."""
BLOCKS_PER_QUESTION = 50


@dataclass(slots=True)
class Devnet:
    """The nodes of one local network while they run."""

    directory: Path
    homes: Sequence[Home]
    children: Sequence[Child]
    """One per home: validators, executors, full nodes. `run` waits until they listen, and stops them."""
    teller: Teller
    ready_file: Path | None
    started_at: float
    """Of the monotonic clock: what `ready in` counts from."""
    is_resumed: bool
    """Whether the network has run before; then only new blocks are told."""
    _ready: dict[str, Any] = field(default_factory=dict)
    """Members of the ready file; empty until then."""
    _totals: Totals = field(default_factory=Totals)
    _summaries: Summaries = field(default_factory=Summaries)
    _height: int = 0
    """Height up to which blocks were told."""

    async def run(self) -> None:
        """Run until cancelled, then stop every child; raises `CommandError` if a node cannot start."""
        try:
            await self._listen()
            await self._become_ready()
            async with trio.open_nursery() as nursery:
                for child in self.children:
                    nursery.start_soon(self._watch, child)
                nursery.start_soon(self._follow)
        finally:
            with trio.CancelScope(shield=True):
                await self._stop()

    def kill(self) -> None:
        """End every child at once."""
        for child in self.children:
            child.kill()

    async def _listen(self) -> None:
        async with trio.open_nursery() as nursery:
            for child in self.children:
                nursery.start_soon(wait_until_listening, child)

    async def _become_ready(self) -> None:
        with trio.move_on_after(READY_SECONDS_MAX) as waiting:
            async with trio.open_nursery() as nursery:
                for child in self.children:
                    nursery.start_soon(self._wait_for_first_block, child)
        if waiting.cancelled_caught:
            raise CommandError(f"no block within {READY_SECONDS_MAX} s; see {self.directory}/*/node.log")
        self._ready = ready.make_ready(self.directory, self.homes, self.children)
        ready.publish(self._ready)
        if self.ready_file is not None:
            ready.write_ready(self.ready_file, self._ready)
        self.teller.on_ready(self._ready, time.monotonic() - self.started_at)

    async def _wait_for_first_block(self, child: Child) -> None:
        """Return when the node answers and has at least one block; raises `CommandError` if it ends before."""
        height = 0
        async with Endpoint(child.rpc) as node:
            while height < 1:
                try:
                    height = StatusAnswer.from_json(await node.call("seq_status", {})).height
                except UnreachableError:
                    height = 0  # it has just ended, or is too busy to answer; the next line tells
                if not child.is_running:
                    raise CommandError(
                        f"{child.name} {child.describe_end()}; {read_last_lines(child.home)}", "node_failed"
                    )
                await trio.sleep(POLL_SECONDS)
        if self.is_resumed:
            self._height = max(self._height, height)

    async def _watch(self, child: Child) -> None:
        """Wait until the child ends and say so; stopping all of them cancels this first."""
        await child.wait()
        rollup = self.homes[self.children.index(child)].settings.executes
        effect = self._describe_executors(rollup) if rollup else self._describe_validators()
        self.teller.on_fault(child.name, f"{child.describe_end()}; {effect}")

    def _describe_validators(self) -> str:
        committee = self.homes[0].genesis.committee
        running = [index for index, other in enumerate(self.children[: committee.size]) if other.is_running]
        effect = "the others go on" if committee.is_strong(running) else "too few: nothing new becomes final"
        return f"{len(running)} of {committee.size} validators run, {effect}"

    def _describe_executors(self, name: str) -> str:
        rollup = self.homes[0].genesis.get_rollup_by_name(name)
        own = [child for home, child in zip(self.homes, self.children, strict=True) if home.settings.executes == name]
        count = sum(child.is_running for child in own)
        effect = "the others go on" if count >= rollup.executor_threshold else f"too few: nothing settles on {name}"
        return f"{count} of {len(own)} executors of {name} run, {effect}"

    async def _follow(self) -> None:
        """Tell every block once, asking the first node that runs."""
        while True:
            for child in self.children:
                if child.is_running:
                    await self._follow_one(child)
            await trio.sleep(POLL_SECONDS)

    async def _follow_one(self, child: Child) -> None:
        """Tell blocks as long as this node answers; when it stops, is dead or lags behind, another one is asked."""
        try:
            async with Endpoint(child.rpc) as node:
                while child.is_running:
                    question = {"from": self._height + 1, "until": self._height + 1 + BLOCKS_PER_QUESTION}
                    answer: Any = await node.call("seq_getBlocks", question)
                    for block in answer["blocks"]:
                        self._tell(self._summaries.summarise(block))
                    await trio.sleep(POLL_SECONDS)
        except AnswerError as error:
            oldest = error.data.get("oldest_height")  # told when the block is pruned
            self._height = max(self._height, oldest - 1) if isinstance(oldest, int) else self._height
        except SequencerError:
            return

    def _tell(self, summary: BlockSummary) -> None:
        self._height = summary.height
        self._totals.add(summary)
        self.teller.on_block(summary)

    async def _stop(self) -> None:
        async with trio.open_nursery() as nursery:
            for child in self.children:
                nursery.start_soon(child.stop)
        if self._ready:
            ready.withdraw(self._ready)
            self.teller.on_stopped(self._totals)
