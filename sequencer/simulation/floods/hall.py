"""Set the scene of a flood: it reaches one validator, whose tables are all looked at after each message."""

from __future__ import annotations

import random
from dataclasses import replace

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.simulation.byzantine.node import ByzantineNode
from sequencer.simulation.checkers.bounds import BoundsChecker
from sequencer.simulation.node import SimulatedNode
from sequencer.simulation.options import SIMULATION_PARAMETERS, SimulationOptions
from sequencer.simulation.scheduler import MILLISECOND
from sequencer.simulation.simulator import Simulation
from sequencer.simulation.tokens import TokenScheme
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import Bundle, Leg, Operation
from sequencer.types.events import VotesReceived
from sequencer.types.item import SignedBundle
from sequencer.types.messages import Message
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import ValidatorIndex, View
from sequencer.types.verdict import ExecutorStatement, ExecutorVote, compute_statement_signing_bytes

STEP_US = 20 * MILLISECOND
PARAMETERS = replace(SIMULATION_PARAMETERS, view_timeout_base_ms=200, pace_ms=100, idle_ms=300)
RICH_ACCOUNTS = 80
"""Accounts that pay for floods of transactions."""
BLOB_BYTES = 1_000
"""Bytes that each operation writes, if there are several."""


class _RichSimulation(Simulation):
    """A network in which many accounts have a deposit, with a split rollup that nobody attests for."""

    account_count = RICH_ACCOUNTS
    executor_count = 3


class Hall:
    """Four validators, all correct but one, which sends what a flood tells it and is genuine otherwise."""

    def __init__(self, behaviour: type[Behaviour] = Behaviour, parameters: Parameters = PARAMETERS) -> None:
        options = SimulationOptions(faults=(), parameters=parameters, byzantine=1, behaviours=("flooding_peer",))
        self.simulation = _RichSimulation(1, options)
        self.checker = BoundsChecker(self.simulation.ledger)
        (index,) = self.simulation.cast.byzantine
        node = self.simulation.nodes[index]
        assert isinstance(node, ByzantineNode)  # the cast says so
        node.corrupt((behaviour,), "flood")
        self.attacker = node.behaviours[0]
        self.victim: SimulatedNode = self.simulation.correct[0]
        self.lanes = range(options.validators)
        self.rng = random.Random("flood")
        self.simulation.start()
        self.advance(1_000)

    def receive(self, message: Message, peer: ValidatorIndex | None = None) -> None:
        """Let the victim have a message of the attacker, or of another peer, and look at its tables."""
        self.give(self.victim, message, peer)
        self.look()

    def give(self, node: SimulatedNode, message: Message, peer: ValidatorIndex | None = None) -> None:
        """Let a validator have a message as the network would deliver it."""
        self.simulation.ledger.add_shown(message)
        node.on_message(self.attacker.node.index if peer is None else peer, message)

    def look(self) -> None:
        """Compare the victim's tables with their bounds."""
        self.checker.check([self.victim])

    def advance(self, duration_ms: int) -> None:
        """Let time pass, and look at the tables often."""
        for _ in range(duration_ms * MILLISECOND // STEP_US):
            self.simulation.advance(STEP_US)
            self.look()

    def hear(self, statement: ExecutorStatement, executor: int) -> None:
        """Let the victim have an executor's vote as gossip would bring it."""
        message = compute_statement_signing_bytes(self.simulation.genesis.chain_id, statement)
        signature = TokenScheme().make_signer(f"executor{executor}").sign(message)
        self.victim.handle(VotesReceived((ExecutorVote(statement, executor, signature),)))

    @property
    def view(self) -> View:
        """View of the victim."""
        assert self.victim.replica is not None  # it never dies here
        return self.victim.replica.get_statistics().view

    @property
    def head(self) -> BlockHeader:
        """Newest block that the victim executed."""
        assert self.victim.replica is not None  # it never dies here
        return self.victim.replica.executor.header

    def leads(self, view: View) -> bool:
        """Tell whether the attacker leads a view."""
        return self.simulation.genesis.committee.get_leader(view) == self.attacker.node.index

    def make_item(self, account: int, channel: int, sequence: int, operations: int = 1) -> bytes:
        """Return a transaction that writes `operations` values; 60 of them nearly fill an item."""
        signer = TokenScheme().make_signer(f"account{account}")
        blob = bytes(BLOB_BYTES if operations > 1 else 1)
        writes = tuple(Operation("set", (f"kv/{number}", blob)) for number in range(operations))
        leg = Leg(3, signer.public_key, (), writes, None)
        chain_id = self.simulation.genesis.chain_id
        bundle = Bundle(chain_id, signer.public_key, channel, sequence, 0, 2**40, 0, (), (leg,))
        return SignedBundle(bundle, (signer.sign(bundle.signing_bytes),)).item_bytes
