"""Run two replicas under one key through chosen leaders and recipients, view by view, and demand agreement.

A scenario says for each of its first views who leads and, for each correct validator, which of
the two replicas of every Byzantine key it is with: the first, the second, or both. Correct
validators reach each other if they are with a common one. The split of view v concerns the
messages of view v and ends at v · SLOT_US; at the end all connections break, so that HELLO
mends what was lost, and progress is demanded. # T1 F4 F5

Scenarios that differ only in the names of validators, or of the two replicas, are one.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import NamedTuple, TypeAlias

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.simulation.byzantine.node import ByzantineNode
from sequencer.simulation.byzantine.twins import SecondNode
from sequencer.simulation.checkers.ledger import Violation
from sequencer.simulation.network import LOST
from sequencer.simulation.options import SIMULATION_PARAMETERS, SimulationOptions
from sequencer.simulation.scheduler import MILLISECOND, SECOND
from sequencer.simulation.simulator import Simulation
from sequencer.types.effects import Broadcast, Effect, Send
from sequencer.types.events import Event, MessageReceived
from sequencer.types.messages import Message
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import ValidatorIndex
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind

FIRST, SECOND_TWIN, BOTH = 1, 2, 3
"""Which of the two replicas of a key a correct validator is with, as a set of bits."""
SLOT_US = 700 * MILLISECOND
"""Time that the split of one more view lasts: longer than a view whose leader is silent."""
PROGRESS_US = 10 * SECOND
"""Time after the last split within which every correct validator delivers new heights."""
HEIGHTS_MIN = 3
SCHEDULE_VIEWS = 512
"""Views for which the harness chooses leaders; no scenario gets as far."""
PARAMETERS = Parameters(
    view_timeout_base_ms=100,
    view_timeout_max_ms=2_000,
    pace_ms=50,
    idle_ms=100,
    commitment_interval_ms=SIMULATION_PARAMETERS.commitment_interval_ms,
)
"""Views of a tenth of a second, so that a slot holds a view that fails."""


class ViewPlan(NamedTuple):
    """One view of a scenario; Byzantine validators come first in the numbering."""

    leader: int
    sides: tuple[int, ...]
    """Per correct validator: FIRST, SECOND_TWIN or BOTH."""


Plan: TypeAlias = tuple[ViewPlan, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """All scenarios of one size."""

    validators: int
    twins: int
    """Byzantine keys, each with two replicas."""
    views: int
    leaders: int | None = None
    """Only the first so many validators lead while it is split, Byzantine ones first; None: everybody."""
    sides: tuple[int, ...] = (FIRST, SECOND_TWIN, BOTH)
    """With which replicas a correct validator may be."""

    @property
    def view_plans(self) -> list[ViewPlan]:
        """Every plan of one view."""
        sides = product(self.sides, repeat=self.validators - self.twins)
        leaders = self.validators if self.leaders is None else self.leaders
        return [ViewPlan(leader, chosen) for chosen in sides for leader in range(leaders)]

    @property
    def scenario_count(self) -> int:
        """Scenarios before any of them are found equal."""
        return int(len(self.view_plans) ** self.views)


def enumerate_plans(shape: Shape) -> Iterator[Plan]:
    """Yield one scenario of each class of equal ones."""
    for plan in product(shape.view_plans, repeat=shape.views):
        if plan == canonicalize(shape, plan):
            yield plan


def sample_plans(shape: Shape, rng: random.Random, count: int) -> list[Plan]:
    """Return up to `count` scenarios, no two of them equal."""
    options = shape.view_plans
    found: dict[Plan, None] = {}
    for _ in range(4 * count):
        if len(found) == count:
            break
        found[canonicalize(shape, tuple(rng.choice(options) for _ in range(shape.views)))] = None
    return list(found)


def canonicalize(shape: Shape, plan: Plan) -> Plan:
    """Return the least of the scenarios that differ from `plan` in names only."""
    best = None
    for order in permutations(range(shape.validators - shape.twins)):
        for is_swapped in (False, True):
            candidate = _rename_twins(shape, tuple(_rename(shape, view, order, is_swapped) for view in plan))
            best = candidate if best is None or candidate < best else best
    assert best is not None  # there is always the identity
    return best


def _rename(shape: Shape, view: ViewPlan, order: tuple[int, ...], is_swapped: bool) -> ViewPlan:
    """Give correct validators other numbers, and perhaps exchange first and second."""
    leader = view.leader if view.leader < shape.twins else shape.twins + order.index(view.leader - shape.twins)
    sides = tuple(view.sides[place] for place in order)
    if is_swapped:
        sides = tuple(BOTH if side == BOTH else BOTH - side for side in sides)
    return ViewPlan(leader, sides)


def _rename_twins(shape: Shape, plan: Plan) -> Plan:
    """Number Byzantine leaders in the order in which they lead: nothing else tells them apart."""
    names: dict[int, int] = {}
    for view in plan:
        if view.leader < shape.twins:
            names.setdefault(view.leader, len(names))
    return tuple(ViewPlan(names.get(view.leader, view.leader), view.sides) for view in plan)


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What one scenario gave."""

    violations: tuple[Violation, ...]
    is_contradictory: bool
    """Whether a Byzantine key signed two votes of one kind for one split view: the attack took place."""
    heights: int


def run_plan(shape: Shape, plan: Plan, seed: int = 0) -> PlanResult:
    """Run one scenario: the splits, the healing, and as much time as progress takes."""
    simulation = make_simulation(shape, plan, seed)
    simulation.start()
    simulation.advance(len(plan) * SLOT_US)
    for left in range(shape.validators):
        for right in range(left + 1, shape.validators):
            simulation.network.break_connection(left, right)
    _demand_progress(simulation)
    ledger = simulation.ledger
    return PlanResult(tuple(ledger.violations), _has_contradiction(simulation, len(plan)), max(ledger.log, default=0))


def _demand_progress(simulation: Simulation) -> None:
    """Demand new heights of every correct validator; ends as soon as they are there. # I12"""
    goal = max(simulation.ledger.log, default=0) + HEIGHTS_MIN
    end_us = simulation.scheduler.now_us + PROGRESS_US
    while simulation.scheduler.now_us < end_us and not simulation.ledger.is_broken:
        simulation.advance(SECOND // 4)
        late = [node for node in simulation.correct if max(node.store.durable.blocks, default=0) < goal]
        if not late:
            return
    if not simulation.ledger.violations:
        simulation.ledger.report("I12", goal, late[0].index, f"{goal} heights were due")


def _has_contradiction(simulation: Simulation, views: int) -> bool:
    """Tell whether a Byzantine key voted twice with one kind in a view that was split."""
    signed: set[tuple[int, VoteKind, int]] = set()
    for (kind, view, _), signers in simulation.ledger.votes.items():
        for signer in sorted(signers & simulation.cast.byzantine) if view <= views else ():
            if (signer, kind, view) in signed:
                return True
            signed.add((signer, kind, view))
    return False


def make_simulation(shape: Shape, plan: Plan, seed: int) -> Simulation:
    """Return a network whose first views follow `plan`; nothing happens until it is started."""
    options = SimulationOptions(
        validators=shape.validators,
        faults=(),
        parameters=PARAMETERS,
        byzantine=shape.twins,
        behaviours=("twins",),
    )
    simulation = Simulation(seed, options)
    script = _Script(simulation, plan)
    for node in simulation.nodes:
        if isinstance(node, ByzantineNode):
            node.corrupt((_ScriptedTwins,), "")
            behaviour = node.behaviours[0]
            assert isinstance(behaviour, _ScriptedTwins)  # corrupt made it
            behaviour.script = script
    simulation.network.intercept = script.intercept
    return simulation


class _Script:
    """What a scenario lets through; knows which replica of a key sent what."""

    def __init__(self, simulation: Simulation, plan: Plan) -> None:
        self._scheduler = simulation.scheduler
        self._plan = plan
        twins = sorted(simulation.cast.byzantine)
        correct = [index for index in range(len(simulation.nodes)) if index not in simulation.cast.byzantine]
        self._names: list[ValidatorIndex] = [*twins, *correct]
        self._numbers = {index: number for number, index in enumerate(self._names)}
        self._twins = len(twins)
        self._origins: dict[int, tuple[Message, int]] = {}
        self._fix_leaders(simulation)

    def _fix_leaders(self, simulation: Simulation) -> None:
        """Put the scenario's leaders in the place of the schedule, in this run's committee only. # E7"""
        led = [self._names[view.leader] for view in self._plan]
        later = [self._names[number % len(self._names)] for number in range(SCHEDULE_VIEWS - 1 - len(led))]
        leaders = (self._names[0], *led, *later)
        vars(simulation.genesis.committee)["_schedule"] = simulation.ledger.chosen_leaders = leaders

    def note_origin(self, message: Message, side: int) -> Message:
        """Return a copy of a message that remembers which replica of its key sent it."""
        sent = copy.copy(message)
        self._origins[id(sent)] = (sent, side)
        return sent

    def get_sides(self, peer: ValidatorIndex, message: Message) -> int:
        """Return with which replica of a Byzantine key `peer` is, when this message is under way."""
        view = self._find_split(message)
        if view is None:
            return BOTH
        if self._numbers[peer] < self._twins:
            origin = self._origins.get(id(message))
            return BOTH if origin is None else origin[1]
        return view.sides[self._numbers[peer] - self._twins]

    def intercept(self, source: ValidatorIndex, target: ValidatorIndex, message: Message) -> int | None:
        """Lose what passes between correct validators that are with different replicas."""
        if min(self._numbers[source], self._numbers[target]) < self._twins:
            return None
        return None if self.get_sides(source, message) & self.get_sides(target, message) else LOST

    def _find_split(self, message: Message) -> ViewPlan | None:
        """Return the plan of the message's view while its split lasts."""
        if isinstance(message, Proposal):
            number = message.header.view
        elif isinstance(message, Vote | Certificate):
            number = message.view
        else:
            return None
        is_split = number <= len(self._plan) and self._scheduler.now_us < number * SLOT_US
        return self._plan[number - 1] if is_split else None


class _ScriptedTwins(Behaviour):
    """Both replicas of a key, each with the peers that the script gives it."""

    name = "twins"
    script: _Script

    def start(self) -> None:
        """Start the second replica on an empty disk."""
        self._second = SecondNode(self.node, self._send_from_second)
        self._second.boot()

    def see(self, event: Event) -> bool:
        """Give a message to those whom its sender is with, and all else to both."""
        sides = self.script.get_sides(event.peer, event.message) if isinstance(event, MessageReceived) else BOTH
        if sides & SECOND_TWIN:
            self._second.handle(event)
        return bool(sides & FIRST)

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Let only those hear the first replica who are with it."""
        if not isinstance(effect, Broadcast | Send):
            return (effect,)
        peers = self.peers if isinstance(effect, Broadcast) else (effect.peer,)
        message = self.script.note_origin(effect.message, FIRST)
        return tuple(Send(peer, message) for peer in self._filter(peers, message, FIRST))

    def _send_from_second(self, peers: Sequence[ValidatorIndex], message: Message) -> None:
        sent = self.script.note_origin(message, SECOND_TWIN)
        for peer in self._filter(peers, sent, SECOND_TWIN):
            self.send(peer, sent)

    def _filter(self, peers: Sequence[ValidatorIndex], message: Message, side: int) -> list[ValidatorIndex]:
        return [peer for peer in peers if self.script.get_sides(peer, message) & side]
