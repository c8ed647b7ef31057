"""Run a replica whose events and effects pass through behaviours; everything else is a genuine machine."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from sequencer.replica.configuration import ReplicaConfig
from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.simulation.byzantine.conspiracy import Conspiracy
from sequencer.simulation.node import Machine, SimulatedNode
from sequencer.types.effects import Effect
from sequencer.types.events import Event
from sequencer.types.messages import Message
from sequencer.types.primitives import ValidatorIndex


class ByzantineNode(SimulatedNode):
    """A validator that obeys its behaviours; it may crash and restart like any other."""

    def __init__(
        self,
        machine: Machine,
        config: ReplicaConfig,
        index: ValidatorIndex,
        wall_offset_ms: int,
        conspiracy: Conspiracy,
    ) -> None:
        super().__init__(machine, config, index, wall_offset_ms)
        self.conspiracy = conspiracy
        self.machine = machine
        self.behaviours: tuple[Behaviour, ...] = ()
        """What it does wrongly, in the order in which events and effects pass."""
        self._is_started = False

    def corrupt(self, behaviours: tuple[type[Behaviour], ...], seed: str) -> None:
        """Take on behaviours, each with a random stream of its own."""
        self.behaviours = tuple(make(self, random.Random(f"{seed}/{self.index}/{make.name}")) for make in behaviours)

    def boot(self) -> None:
        """Start a replica on what the disk holds; behaviours begin with the first start."""
        super().boot()
        if not self._is_started:
            self._is_started = True
            for behaviour in self.behaviours:
                behaviour.start()

    def handle(self, event: Event) -> None:
        """Let the replica handle what no behaviour keeps from it."""
        is_kept = False
        for behaviour in self.behaviours:
            is_kept |= not behaviour.see(event)
        if not is_kept:
            super().handle(event)

    def send(self, peer: ValidatorIndex, message: Message) -> None:
        """Send at once, past the durability gate; lost while the node is down."""
        if self.is_running:
            self.machine.observer.on_sent(self, peer, message)
            self.machine.network.send(self.index, peer, message)

    def call_later(self, delay_us: int, callback: Callable[..., None], *args: Any) -> None:
        """Call back in virtual time."""
        self.machine.scheduler.call_after(delay_us, callback, *args)

    def _perform(self, effects: tuple[Effect, ...]) -> None:
        for behaviour in self.behaviours:
            effects = tuple(done for effect in effects for done in behaviour.replace(effect))
        super()._perform(effects)
