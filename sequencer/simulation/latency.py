"""Measure how long a batch takes until every validator has it final, when nothing goes wrong.

One network without faults, pacing or disk delays. Each validator's client hands in transfers at
random times; each makes a batch. Latency runs from the moment at which the batch is durable at its
owner, who pushes it then, until the last validator has a finalized block with it on disk.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median, quantiles

from sequencer.crypto.signatures import SCHEME
from sequencer.errors import LocalError
from sequencer.replica.configuration import ReplicaConfig
from sequencer.simulation.network import DelayProfile, Network
from sequencer.simulation.node import Machine, SimulatedNode
from sequencer.simulation.observer import Observer
from sequencer.simulation.regions import get_delay_us
from sequencer.simulation.scheduler import MILLISECOND, SECOND, Scheduler
from sequencer.simulation.store import StoreRecord
from sequencer.simulation.tokens import TokenScheme, TokenSigner
from sequencer.types.batch import Batch
from sequencer.types.block import FinalizedBlock
from sequencer.types.bundle import Bundle, Leg, Operation
from sequencer.types.genesis import Genesis, GenesisValidator, HostAddress, Rollup, RollupKind
from sequencer.types.item import CheckedItem, SignedBundle, check_item
from sequencer.types.messages import Message, encode_message
from sequencer.types.parameters import COMMITTEE_SIZE_MAX, Parameters
from sequencer.types.primitives import Digest
from sequencer.types.records import VoteRecord
from sequencer.types.vote import Proposal

GENESIS_TIME_MS = 1_700_000_000_000
FOREVER = 2**40
WARM_UP_US = 3 * SECOND
"""Connections open and the first views pass; nothing is measured."""
DRAIN_US = 5 * SECOND
"""What was created before this at the end has time to become final."""
DEPOSIT = 10**9


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """What to measure."""

    validators: int = 4
    delay_ms: int | None = 100
    """Delay of every message, 1..10,000; None: the table of regions."""
    is_optimistic: bool = True
    """Whether leaders propose tips before they are supported. # P2"""
    seconds: int = 30
    """Simulated seconds in which batches are created; ≥ 1."""
    seed: int = 0

    def verify(self) -> None:
        """Refuse what cannot run; raises `LocalError` naming the option."""
        if not 2 <= self.validators <= COMMITTEE_SIZE_MAX:
            raise LocalError(f"validators: must be 2..{COMMITTEE_SIZE_MAX}, is {self.validators}")
        if self.delay_ms is not None and not 1 <= self.delay_ms <= 10_000:
            raise LocalError(f"delay_ms: must be 1..10000, is {self.delay_ms}")
        if self.seconds < 1:
            raise LocalError(f"seconds: must be at least 1, is {self.seconds}")

    def make_parameters(self) -> Parameters:
        """Return times without pacing; in the world as many messages as a hundred validators can bear."""
        if self.delay_ms is None:
            return Parameters(
                view_timeout_base_ms=400,
                pace_ms=0,
                batch_delay_ms_max=max(20, 2 * self.validators),
                have_interval_ms=max(10, self.validators),
                tip_age_ms=20,
            )
        return Parameters(
            view_timeout_base_ms=4 * self.delay_ms,
            pace_ms=0,
            idle_ms=10 * self.delay_ms,
            batch_delay_ms_max=1,
            have_interval_ms=1,
        )

    @property
    def interval_us(self) -> int:
        """Mean time between two transfers of one client: about one batch per lane and block."""
        return SECOND if self.delay_ms is None else 2 * self.delay_ms * MILLISECOND


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """What was measured, in microseconds."""

    options: LatencyOptions
    latencies_us: tuple[int, ...]
    """One per batch: from its creation until the last validator has it final."""
    finalities_us: tuple[int, ...]
    """One per block: from its proposal until the last validator has it final."""
    unfinished: int
    """Batches that some validator did not have final at the end."""
    bytes_per_second: tuple[float, ...]
    """What each validator sent, as encoded messages."""

    def to_json(self) -> dict[str, object]:
        """Return the fields of `simulate --latency --json`; delays are multiples of one message's."""
        value: dict[str, object] = {
            "validators": self.options.validators,
            "delay_ms": self.options.delay_ms,
            "tips": "optimistic" if self.options.is_optimistic else "supported",
            "batches": len(self.latencies_us),
            "unfinished": self.unfinished,
            "blocks": len(self.finalities_us),
            "p50_ms": round(median(self.latencies_us) / 1_000, 1),
            "p99_ms": round(_get_percentile(self.latencies_us, 99) / 1_000, 1),
            "finality_p50_ms": round(median(self.finalities_us) / 1_000, 1),
            "bytes_per_validator_second": round(mean(self.bytes_per_second)),
            "bytes_per_second_max": round(max(self.bytes_per_second)),
        }
        if self.options.delay_ms is not None:
            unit_us = self.options.delay_ms * 1_000
            value |= {
                "p50_delays": round(median(self.latencies_us) / unit_us, 2),
                "p99_delays": round(_get_percentile(self.latencies_us, 99) / unit_us, 2),
                "finality_p50_delays": round(median(self.finalities_us) / unit_us, 2),
            }
        return value


def measure_latency(options: LatencyOptions) -> LatencyResult:
    """Run the network and measure; raises `LocalError` for options that cannot run or that gave no block."""
    options.verify()
    run = _Run(options)
    run.live()
    return run.make_result()


class Watch(Observer):
    """Note when batches and blocks come to be, and when the last validator has them final."""

    def __init__(self, scheduler: Scheduler, size: int) -> None:
        self._scheduler = scheduler
        self._size = size
        self.started_us: dict[Digest, int] = {}
        """Creation of a batch, proposal of a block."""
        self._counts: dict[Digest, int] = {}
        self.batches_us: list[tuple[int, int]] = []
        """Of each batch creation and latency."""
        self.blocks_us: list[tuple[int, int]] = []
        """Of each block proposal and time until it is final."""

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        if isinstance(message, Proposal):
            self.started_us.setdefault(message.header.digest, self._scheduler.now_us)

    def on_durable(self, node: SimulatedNode, votes: Sequence[VoteRecord], records: Sequence[StoreRecord]) -> None:
        for record in records:
            if isinstance(record, Batch) and record.header.lane == node.index:
                self.started_us[record.digest] = self._scheduler.now_us
            elif isinstance(record, FinalizedBlock):
                self._note(record.header.digest, self.blocks_us)
                for batch in record.batches:
                    self._note(batch.digest, self.batches_us)

    def _note(self, digest: Digest, done: list[tuple[int, int]]) -> None:
        self._counts[digest] = self._counts.get(digest, 0) + 1
        if self._counts[digest] == self._size and digest in self.started_us:
            started_us = self.started_us.pop(digest)
            done.append((started_us, self._scheduler.now_us - started_us))


class _Run:
    """One network and its clients."""

    def __init__(self, options: LatencyOptions) -> None:
        self.options = options
        self._rng = random.Random(f"{options.seed}/latency")
        self._scheduler = Scheduler()
        self._end_us = WARM_UP_US + options.seconds * SECOND
        self._watch = Watch(self._scheduler, options.validators)
        scheme = TokenScheme()
        self._payers = [scheme.make_signer(f"account{index}") for index in range(options.validators)]
        self._genesis = _make_genesis(options, scheme, self._payers)
        self._sent_bytes = [0] * options.validators
        self._sized: tuple[Message | None, int] = (None, 0)
        self._checked: dict[bytes, CheckedItem] = {}
        self._verifier = scheme.make_verifier()
        network = Network(self._scheduler, f"{options.seed}/network", options.validators, DelayProfile(0, 0, 0))
        network.intercept = self._carry
        self._network = network
        self._nodes = self._make_nodes(scheme)

    def _make_nodes(self, scheme: TokenScheme) -> list[SimulatedNode]:
        seed, base_ms = f"{self.options.seed}/nodes", self._genesis.time_ms
        machine = Machine(self._scheduler, seed, self._network, self._watch, lambda *_: None, base_ms, self._check_item)
        nodes = []
        for index, validator in enumerate(self._genesis.validators):
            signer = scheme.make_signer(validator.name)
            is_optimistic = self.options.is_optimistic
            config = ReplicaConfig(self._genesis, index, signer, self._verifier, is_optimistic=is_optimistic)
            nodes.append(SimulatedNode(machine, config, index, 0))
            nodes[-1].sync_us = (0, 0)
        return nodes

    def live(self) -> None:
        """Let all batches be created and become final."""
        for node in self._nodes:
            node.boot()
        self._network.attach(list(self._nodes))
        for index in range(self.options.validators):
            self._scheduler.call_at(SECOND + self._draw_interval(), self._submit, index, 0)
        self._scheduler.run_until(self._end_us + DRAIN_US)

    def make_result(self) -> LatencyResult:
        """Return what was created after the warm-up."""
        batches = [latency for started, latency in self._watch.batches_us if started >= WARM_UP_US]
        blocks = [latency for started, latency in self._watch.blocks_us if WARM_UP_US <= started < self._end_us]
        if len(batches) < 2 or not blocks:
            raise LocalError("no block became final: the network is too slow for the time that was simulated")
        waiting = sum(WARM_UP_US <= started < self._end_us for started in self._watch.started_us.values())
        rates = tuple(sent / self.options.seconds for sent in self._sent_bytes)
        return LatencyResult(self.options, tuple(batches), tuple(blocks), waiting, rates)

    def _carry(self, source: int, target: int, message: Message) -> int:
        """Count the message's bytes and return its delay."""
        if WARM_UP_US <= self._scheduler.now_us < self._end_us:
            if self._sized[0] is not message:  # a broadcast is one object on its way to many
                self._sized = (message, len(encode_message(message)))
            self._sent_bytes[source] += self._sized[1]
        return get_delay_us(source, target) if self.options.delay_ms is None else self.options.delay_ms * MILLISECOND

    def _submit(self, index: int, sequence: int) -> None:
        """Hand in a client's next transfer; one batch each, if they are not too close."""
        if self._scheduler.now_us >= self._end_us:
            return
        payer = self._payers[index]
        transfer = Operation("transfer", ("USD", payer.public_key, 1))
        leg = Leg(1, payer.public_key, (), (transfer,), None)
        bundle = Bundle(self._genesis.chain_id, payer.public_key, 0, sequence, 0, FOREVER, 0, (), (leg,))
        signed = SignedBundle(bundle, (payer.sign(bundle.signing_bytes),))
        self._nodes[index].submit(sequence + 1, (signed.item_bytes,))
        self._scheduler.call_after(self._draw_interval(), self._submit, index, sequence + 1)

    def _draw_interval(self) -> int:
        return int(self._rng.expovariate(1.0) * self.options.interval_us) + MILLISECOND

    def _check_item(self, item: bytes) -> CheckedItem:
        checked = self._checked.get(item)
        if checked is None:
            checked = self._checked[item] = check_item(item, self._genesis.item_rules, self._verifier)
        return checked


def _make_genesis(options: LatencyOptions, scheme: TokenScheme, payers: Sequence[TokenSigner]) -> Genesis:
    host = HostAddress("simulated", "/memory/0")
    validators = tuple(
        GenesisValidator(f"val{index}", scheme.make_signer(f"val{index}").public_key, 1, host, host, host)
        for index in range(options.validators)
    )
    state = tuple(sorted((f"balance/USD/{payer.public_key.hex()}", DEPOSIT) for payer in payers))
    return Genesis(
        name=f"latency {options.seed}",
        time_ms=GENESIS_TIME_MS,
        scheme=SCHEME,
        validators=validators,
        rollups=(Rollup(1, "alpha", "transfer", RollupKind.NATIVE, state),),
        deposits=tuple(sorted((payer.public_key, DEPOSIT) for payer in payers)),
        parameters=options.make_parameters(),
    )


def _get_percentile(values: Sequence[int], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]
