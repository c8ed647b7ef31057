"""Stage one situation in the simulator: whole replicas, no random faults, messages chosen by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

from sequencer.simulation.network import LOST
from sequencer.simulation.node import SimulatedNode
from sequencer.simulation.options import SIMULATION_PARAMETERS, SimulationOptions
from sequencer.simulation.runner import Plant
from sequencer.simulation.scheduler import MILLISECOND, SECOND
from sequencer.simulation.simulator import Simulation
from sequencer.types.messages import Message
from sequencer.types.records import RecordKind

__all__ = ["COMES_THROUGH", "LOST", "Outcome", "Play", "Stage", "perform"]

Intercept = Callable[[int, int, Message], int | None]


class Stage:
    """Four validators that have just booted; time is moved by hand."""

    def __init__(self, seed: int = 1) -> None:
        self.simulation = Simulation(seed, SimulationOptions(faults=(), parameters=SIMULATION_PARAMETERS))
        self.simulation.start()

    @property
    def nodes(self) -> list[SimulatedNode]:
        """The validators."""
        return self.simulation.nodes

    def get_leader(self, view: int) -> int:
        """Return the leader of a view."""
        return self.simulation.genesis.committee.get_leader(view)

    def intercept(self, intercept: Intercept | None) -> None:
        """Let `intercept` choose delays and losses from now on."""
        self.simulation.network.intercept = intercept

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.simulation.advance(int(seconds * SECOND))

    def advance_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let time pass in steps of 5 ms until the condition holds; tells whether it does."""
        for _ in range(int(seconds * 200)):
            if condition():
                return True
            self.simulation.advance(5 * MILLISECOND)
        return condition()

    def get_height(self, node: int) -> int:
        """Return the newest delivered height."""
        return max(self.nodes[node].store.durable.blocks, default=0)

    def get_position(self, node: int, lane: int) -> int:
        """Return how far a node has delivered a lane."""
        blocks = self.nodes[node].store.durable.blocks
        return blocks[max(blocks)].header.cut[lane].position if blocks else 0

    def has_logged(self, node: int, kind: RecordKind, number: int) -> bool:
        """Tell whether a record is durable."""
        return any(r.kind is kind and r.number == number for r in self.nodes[node].store.durable.votes)

    def crash(self, node: int) -> None:
        """Kill a node and its connections."""
        self.nodes[node].crash()
        self.simulation.network.drop_node(node)

    def restart(self, node: int) -> None:
        """Start a node on its disk and let it dial."""
        self.nodes[node].boot()
        self.simulation.network.admit_node(node)

    def submit(self, node: int, item: bytes) -> None:
        """Hand in an item."""
        self.nodes[node].submit(1, (item,))


Play = Callable[[Stage], bool]
"""A situation; it tells whether the protocol came through."""


class Outcome(NamedTuple):
    """How a play ended."""

    is_through: bool
    rules: tuple[str, ...]
    """Rules that checkers reported broken."""
    detail: str = ""
    """What the first of them says."""


def perform(play: Play, plant: Plant | None = None) -> Outcome:
    """Play, with one rule of the product broken if `plant` says so."""
    with plant() if plant is not None else nullcontext():
        stage = Stage()
        is_through = play(stage)
    violations = stage.simulation.ledger.violations
    detail = violations[0].detail if violations else ""
    return Outcome(is_through, tuple(violation.rule for violation in violations), detail)


COMES_THROUGH = Outcome(True, ())
