"""Run one seed: build the network, let virtual time pass, demand what was promised.

Promise: equal seed and options give an equal run, to the last action. All randomness comes
from streams derived from the seed.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace

from sequencer.crypto.signatures import SCHEME
from sequencer.replica.configuration import ReplicaConfig
from sequencer.simulation.byzantine.conspiracy import Conspiracy, WatchedSigner, Witness
from sequencer.simulation.byzantine.node import ByzantineNode
from sequencer.simulation.byzantine.registry import BEHAVIOURS, draw_behaviours
from sequencer.simulation.cast import draw_cast
from sequencer.simulation.checkers.agreement import CertificateChecker, OrderChecker, PrefixChecker
from sequencer.simulation.checkers.amplification import AmplificationChecker
from sequencer.simulation.checkers.availability import AvailabilityChecker, HaveChecker
from sequencer.simulation.checkers.bounds import BoundsChecker
from sequencer.simulation.checkers.evidence import EvidenceChecker
from sequencer.simulation.checkers.execution import AtomicityChecker, ExecutionChecker
from sequencer.simulation.checkers.ledger import Ledger, Violation
from sequencer.simulation.checkers.monitors import make_monitors
from sequencer.simulation.checkers.progress import HonestyChecker, InclusionChecker, ProgressChecker
from sequencer.simulation.checkers.votes import SignatureChecker, VotingRulesChecker
from sequencer.simulation.clients import STOP_US, Clients
from sequencer.simulation.economy import ACCOUNTS, Economy
from sequencer.simulation.faults.fault import HEAL_US, Fault
from sequencer.simulation.faults.injector import FaultInjector
from sequencer.simulation.faults.plan import plan_faults
from sequencer.simulation.network import DelayProfile, Network
from sequencer.simulation.node import Machine, SimulatedNode
from sequencer.simulation.observer import Observers
from sequencer.simulation.options import SIMULATED_SECONDS, SimulationOptions, draw_parameters
from sequencer.simulation.recorder import Recorder
from sequencer.simulation.reference import ReferenceInterpreter
from sequencer.simulation.scheduler import MILLISECOND, SECOND, Scheduler
from sequencer.simulation.tokens import TokenScheme, TokenSigner
from sequencer.simulation.trace import Trace
from sequencer.types.genesis import Genesis, GenesisValidator, HostAddress
from sequencer.types.item import CheckedItem, check_item

PROGRESS_US = 10 * SECOND
"""Time after the healing within which progress is demanded."""
LOOK_INTERVAL_US = 3 * SECOND
"""Time between two looks at the tables of one node; the nodes take turns."""
EVENT_COUNT_MAX = 400_000
"""A run with more events than this is stuck in a loop."""
WALL_OFFSET_MS_MAX = 100
"""Wall clocks of the nodes differ by at most this from true time."""
GENESIS_TIME_MS = 1_700_000_000_000

DELAY_PROFILES = (
    DelayProfile(500, 1_000, 20_000),
    DelayProfile(5_000, 10_000, 100_000),
    DelayProfile(30_000, 30_000, 250_000),
)
"""One machine room, one continent, the world; drawn per seed. None exceeds Δ."""


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What one seed gave."""

    seed: int
    violations: tuple[Violation, ...]
    simulated_seconds: float
    heights: int
    transactions_final: int
    bundles_committed: int
    bundles_aborted: int
    restarts: int
    evidence: int
    """Offences that correct validators could prove. # X1-X7"""
    fired: dict[str, int]
    event_count: int
    action_count: int
    trace_hash: str
    faults: tuple[Fault, ...]
    """The plan that was carried out."""
    on: tuple[str, ...]
    """Kinds of faults and behaviours that were on, each once, sorted."""
    last_actions: tuple[str, ...]
    """The newest protocol actions; empty unless the seed failed."""


class Simulation:
    """One seed's network; `run` lets it live."""

    account_count = ACCOUNTS
    """Accounts of the clients, one of them without a deposit."""
    executor_count = 0
    """Executors of a split rollup beside the native ones; 0: there is none. Nobody plays them."""

    def __init__(self, seed: int, options: SimulationOptions) -> None:
        options.verify()
        self.seed = seed
        self.options = options
        self.scheduler = Scheduler()
        self._rng = random.Random(f"{seed}/run")
        self._checked: dict[bytes, CheckedItem] = {}
        scheme = TokenScheme()
        self._verifier = scheme.make_verifier()
        economy = Economy(scheme, self.account_count, self.executor_count)
        self.genesis = make_genesis(seed, options, scheme, economy)
        self.trace = Trace()
        self.cast = draw_cast(random.Random(f"{seed}/cast"), options.get_powers(), options.byzantine)
        self.ledger = Ledger(self.scheduler, self.genesis, self.cast.byzantine, self._verifier)
        self.ledger.on_broken = self.scheduler.stop
        self.behaviours = draw_behaviours(
            random.Random(f"{seed}/behaviours"), self.genesis.committee, self.cast.byzantine, options.behaviours
        )
        """What each Byzantine validator does."""
        self.conspiracy = Conspiracy(self.cast.byzantine)
        self.observers = Observers()
        if self.cast.byzantine:
            self.observers.add(self.conspiracy)
        self._attach_checkers(economy)
        self.network = Network(self.scheduler, str(seed), options.validators, self._rng.choice(DELAY_PROFILES))
        self.nodes = self._make_nodes(scheme)
        self.correct = [node for node in self.nodes if node.index not in self.cast.byzantine]
        """Nodes to whom promises are made."""
        self.injector = FaultInjector(seed, self.scheduler, self.network, self.nodes, self.ledger.faulty)
        self.plan = self._draw_plan() if options.plan is None else options.plan

    def _get_on(self) -> tuple[str, ...]:
        behaviours = (name for names in self.behaviours.values() for name in names)
        return tuple(sorted({*(fault.kind for fault in self.plan), *behaviours}))

    def _draw_plan(self) -> tuple[Fault, ...]:
        size, drift_ms = self.options.validators, self.genesis.parameters.clock_drift_ms_max
        return plan_faults(self.seed, size, self.cast, drift_ms, self.options.faults)

    def _attach_checkers(self, economy: Economy) -> None:
        size, ledger = self.options.validators, self.ledger
        self.recorder = Recorder(self.trace, self.scheduler)
        self.certificates = CertificateChecker(ledger)
        self.progress = ProgressChecker(ledger)
        self.inclusion = InclusionChecker(ledger, STOP_US)
        reference = ReferenceInterpreter(self.genesis)
        workload = economy.make_workload(self.genesis, random.Random(f"{self.seed}/workload"))
        clients_rng = random.Random(f"{self.seed}/clients")
        self.clients = Clients(self.scheduler, clients_rng, workload, ledger, self._check_item, reference)
        self.execution = ExecutionChecker(ledger, reference, self._check_item)
        self.atomicity = AtomicityChecker(ledger, economy, self.clients, self.execution.counts)
        self.evidence = EvidenceChecker(ledger, self._verifier)
        self.bounds = BoundsChecker(ledger)
        for observer in (
            self.recorder,
            ledger,
            *make_monitors(ledger, size),
            self.certificates,
            OrderChecker(ledger),
            PrefixChecker(ledger, size),
            SignatureChecker(ledger, size),
            VotingRulesChecker(ledger),
            AvailabilityChecker(ledger),
            HaveChecker(ledger, size),
            self.execution,
            self.atomicity,
            self.inclusion,
            HonestyChecker(ledger),
            self.evidence,
            AmplificationChecker(ledger, size),
        ):
            self.observers.add(observer)

    def _make_nodes(self, scheme: TokenScheme) -> list[SimulatedNode]:
        machine = Machine(
            self.scheduler,
            str(self.seed),
            self.network,
            self.observers,
            self._gossip,
            self.genesis.time_ms,
            self._check_item,
        )
        return [
            self._make_node(machine, index, scheme.make_signer(validator.name))
            for index, validator in enumerate(self.genesis.validators)
        ]

    def _make_node(self, machine: Machine, index: int, signer: TokenSigner) -> SimulatedNode:
        offset_ms = self._rng.randint(-WALL_OFFSET_MS_MAX, WALL_OFFSET_MS_MAX)
        config = ReplicaConfig(self.genesis, index, signer, self._verifier, remembered_check=self._check_item)
        if index not in self.cast.byzantine:
            return SimulatedNode(machine, config, index, offset_ms)
        watched = WatchedSigner(signer, index, self.genesis, self.ledger.add_signed)
        machine = replace(machine, observer=Witness(self.ledger, self.recorder))
        config = replace(config, signer=watched)
        node = ByzantineNode(machine, config, index, offset_ms, self.conspiracy)
        node.corrupt(tuple(BEHAVIOURS[name] for name in self.behaviours[index]), f"{self.seed}/byzantine")
        return node

    def _check_item(self, item: bytes) -> CheckedItem:
        """Apply the stateless checks; they give the same on every node, so each item is checked once."""
        checked = self._checked.get(item)
        if checked is None:
            checked = self._checked[item] = check_item(item, self.genesis.item_rules, self._verifier)
        return checked

    def _gossip(self, origin: int, items: tuple[bytes, ...]) -> None:
        """Gossip reaches every running node that is connected, somewhat later; nobody is promised anything."""
        for node in self.nodes:
            if node.index != origin and self.network.is_connected(origin, node.index):
                self.scheduler.call_after(self._rng.randint(1, 300) * MILLISECOND, node.on_gossip, items)

    def run(self) -> SeedResult:
        """Let 60 simulated seconds pass, or stop at the violation that ends the run."""
        self.start()
        self.injector.schedule(self.plan)
        self.clients.start(self.nodes)
        if self.correct:
            self._look_at_tables(0)
        self._run_until(HEAL_US)
        self.progress.note_heal()
        self._run_until(HEAL_US + PROGRESS_US)
        if not self.ledger.is_broken:
            self.progress.check_after_heal(self.correct)
        self._run_until(SIMULATED_SECONDS * SECOND)
        if not self.ledger.is_broken:
            self._check_end()
        return self._make_result()

    def _look_at_tables(self, turn: int) -> None:
        """Compare every table of a correct node with its bound, one node after the other. # I11"""
        self.bounds.check((self.correct[turn % len(self.correct)],))
        self.scheduler.call_after(LOOK_INTERVAL_US // len(self.correct), self._look_at_tables, turn + 1)

    def start(self) -> None:
        """Boot every node and open all connections; nothing else happens until time passes."""
        for node in self.nodes:
            node.boot()
        self.network.attach(list(self.nodes))

    def advance(self, duration_us: int) -> None:
        """Let virtual time pass, unless a promise was broken."""
        self._run_until(self.scheduler.now_us + duration_us)

    def stop(self, rule: str, detail: str) -> SeedResult:
        """End the run because something outside the protocol broke."""
        self.ledger.report(rule, 0, -1, detail)
        return self._make_result()

    def _run_until(self, time_us: int) -> None:
        if not self.ledger.is_broken:
            self.scheduler.run_until(time_us, EVENT_COUNT_MAX)
        if self.scheduler.event_count > EVENT_COUNT_MAX and not self.ledger.is_broken:
            self.ledger.report("STOPPED", 0, -1, f"more than {EVENT_COUNT_MAX} events")

    def _check_end(self) -> None:
        self.bounds.check(self.correct)
        self.certificates.check_end()
        self.progress.check_end(self.correct)
        self.inclusion.check_end(self.nodes)  # by lane
        self.execution.check_end(self.correct)
        self.atomicity.check_end(self.correct)
        self.clients.check_end()

    def _count_fired(self) -> dict[str, int]:
        """Return how often each kind, behaviour and rare way of the protocol hit a correct node."""
        rare = Counter(
            state_sync=sum(node.snapshots_installed for node in self.correct),
            pruned=sum(node.blocks_pruned for node in self.correct),
        )
        return dict(sorted((self.injector.fired + self.conspiracy.fired + rare).items()))

    def _make_result(self) -> SeedResult:
        counts = self.execution.counts
        return SeedResult(
            seed=self.seed,
            violations=tuple(self.ledger.violations),
            simulated_seconds=self.scheduler.now_us / SECOND,
            heights=max(self.ledger.log, default=0),
            transactions_final=counts["final"],
            bundles_committed=counts["bundles_committed"],
            bundles_aborted=counts["bundles_aborted"],
            restarts=self.injector.restarts,
            fired=self._count_fired(),
            evidence=self.evidence.count,
            event_count=self.scheduler.event_count,
            action_count=self.trace.count,
            trace_hash=self.trace.get_hash(),
            faults=self.plan,
            on=self._get_on(),
            last_actions=tuple(self.trace.format_last()) if self.ledger.violations else (),
        )


def make_genesis(seed: int, options: SimulationOptions, scheme: TokenScheme, economy: Economy) -> Genesis:
    """Return the network of a seed; another seed gives another chain id, hence other leaders."""
    host = HostAddress("simulated", "/memory/0")
    validators = tuple(
        GenesisValidator(f"val{index}", scheme.make_signer(f"val{index}").public_key, power, host, host, host)
        for index, power in enumerate(options.get_powers())
    )
    return Genesis(
        name=f"simulation {seed}",
        time_ms=GENESIS_TIME_MS,
        scheme=SCHEME,
        validators=validators,
        rollups=economy.rollups,
        deposits=economy.deposits,
        parameters=options.parameters
        or draw_parameters(random.Random(f"{seed}/parameters"), options.count_faulty_max()),
    )
