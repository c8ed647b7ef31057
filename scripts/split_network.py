"""Drive the product's automaton and executors height by height, with every rollup split and no network between them.

One block per height: the certificates that validators hold, then what a script adds. Executors that lag by n heights
have processed all but the newest n blocks when they vote. Votes of one height reach everybody before the next block, so
often as somebody has something new to say; only the signatures are tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from sequencer.crypto.signatures import SCHEME
from sequencer.execution.executor import Executor
from sequencer.execution.speculation import Heard
from sequencer.replica.configuration import ExecutorIdentity
from sequencer.replica.executor_duties import ExecutorDuties
from sequencer.replica.verdict_pool import VerdictPool
from sequencer.simulation.tokens import TokenScheme
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import Bundle, Leg
from sequencer.types.executed import Decision, ExecutedBlock
from sequencer.types.genesis import Genesis, GenesisExecutor, GenesisValidator, HostAddress, Rollup, RollupKind
from sequencer.types.item import CheckedItem, SignedBundle, check_item
from sequencer.types.outcome import ItemResult, Status
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Digest, RollupId, StateValue
from sequencer.types.verdict import ExecutorVote, VerdictStatement

ASSET = "USD"
BALANCE = 1_000_000
EXECUTORS = 3
"""Executors per rollup."""
SPEAKING = 2
"""Executors per rollup that vote: as many as a certificate needs. The third one might as well be dead, or lie."""
BLOCK_MS = 100
ROUNDS_MAX = 64
"""Times that votes go round within one height."""

Item = tuple[bytes, CheckedItem]
SCHEME_TOKENS = TokenScheme()
VERIFY = SCHEME_TOKENS.make_verifier()


def name_account(number: int) -> str:
    """Return the name of an account's key."""
    return f"account {number}"


def get_address(number: int) -> bytes:
    """Return an account's address."""
    return SCHEME_TOKENS.make_signer(name_account(number)).public_key


def make_balance_key(number: int) -> str:
    """Return the key of an account's balance, the same on every rollup."""
    return f"balance/{ASSET}/{get_address(number).hex()}"


def make_split_genesis(rollups: int, accounts: int) -> Genesis:
    """Return a network whose rollups 1.. are all split, with the machine transfer and the same accounts on each."""
    host = HostAddress("peer", "/ip4/127.0.0.1/tcp/1")
    state: list[tuple[str, StateValue]] = sorted((make_balance_key(n), BALANCE) for n in range(accounts))
    validators = [SCHEME_TOKENS.make_signer(f"validator {index}").public_key for index in range(4)]
    return Genesis(
        name="split",
        time_ms=1_000_000,
        scheme=SCHEME,
        validators=tuple(GenesisValidator(f"v{i}", key, 1, host, host, host) for i, key in enumerate(validators)),
        rollups=tuple(
            Rollup(rollup, f"r{rollup}", "transfer", RollupKind.SPLIT, tuple(state), _make_executors(rollup))
            for rollup in range(1, rollups + 1)
        ),
        deposits=tuple(sorted((get_address(number), 10**9) for number in range(accounts))),
        parameters=Parameters(),
    )


def _make_executors(rollup: RollupId) -> tuple[GenesisExecutor, ...]:
    signers = [SCHEME_TOKENS.make_signer(f"executor {rollup} {index}") for index in range(EXECUTORS)]
    return tuple(GenesisExecutor(f"r{rollup}-{index}", signer.public_key) for index, signer in enumerate(signers))


class Deaf:
    """Hears nothing of other rollups but what the log says."""

    def get_statements(self, bundle_id: Digest, rollup: RollupId) -> Sequence[VerdictStatement]:
        """Return nothing."""
        return ()


@dataclass
class ExecutorGroup:
    """The executors of one rollup: they have seen the same, so they share what they computed."""

    executor: Executor
    duties: list[ExecutorDuties]
    pool: VerdictPool
    waiting: list[tuple[BlockHeader, Sequence[Item]]] = field(default_factory=list)
    """Blocks that are final and not processed here yet."""

    def process(self, lag: int) -> None:
        """Execute all but the newest `lag` blocks."""
        while len(self.waiting) > lag:
            header, items = self.waiting.pop(0)
            executed = execute(self.executor, header, items)
            self.pool.on_executed([decision.item_id for decision in executed.decisions])
            for duties in self.duties:
                duties.on_executed(executed, [checked for _, checked in items], executed.header.time_ms)

    def take_votes(self, is_deaf: bool) -> list[ExecutorVote]:
        """Return what they have to say now."""
        heard: Heard = Deaf() if is_deaf else self.pool
        is_told = self.pool.take_telling()
        return [vote for duties in self.duties for vote in duties.take_votes(heard, is_told)]


class SplitNetwork:
    """Validators that run nothing, and a group of executors per rollup."""

    def __init__(
        self, rollups: int, accounts: int, lag: int = 0, dead: Iterable[RollupId] = (), is_deaf: bool = False
    ) -> None:
        """Executors of `dead` rollups never say anything; deaf ones hear each other through the log alone."""
        self.genesis = make_split_genesis(rollups, accounts)
        self.validator = Executor(self.genesis)
        self.pool = VerdictPool(self.genesis, VERIFY, self.validator, None, has_lane=True)
        self.groups = {rollup.id: self._make_group(rollup.id, dead) for rollup in self.genesis.rollups}
        self.decisions: dict[Digest, tuple[int, Decision]] = {}
        """Height of the decision, and the decision, by bundle."""
        self.results: list[ItemResult] = []
        """Of every item, in order."""
        self._lag = lag
        self._is_deaf = is_deaf
        self._sequences: dict[int, int] = {}
        self._numbers = count()

    def _make_group(self, rollup: RollupId, dead: Iterable[RollupId]) -> ExecutorGroup:
        executor = Executor(self.genesis, frozenset({rollup}))
        signers = [SCHEME_TOKENS.make_signer(f"executor {rollup} {index}") for index in range(SPEAKING)]
        identities = [ExecutorIdentity(rollup, index, signer) for index, signer in enumerate(signers)]
        duties = [ExecutorDuties(identity, self.genesis, executor) for identity in identities]
        pool = VerdictPool(self.genesis, VERIFY, executor, rollup, has_lane=False)
        return ExecutorGroup(executor, [] if rollup in dead else duties, pool)

    @property
    def height(self) -> int:
        """Newest height."""
        return self.validator.height

    def make_bundle(self, payer: int, legs: Iterable[Leg], decide_within: int) -> SignedBundle:
        """Return a bundle with the payer's next sequence, signed by all who must."""
        sequence = self._sequences.get(payer, 0)
        self._sequences[payer] = sequence + 1
        address = get_address(payer)
        bundle = Bundle(self.genesis.chain_id, address, 0, sequence, 0, 2**40, decide_within, (), tuple(legs))
        names = {get_address(payer): name_account(payer)}
        signatures = tuple(
            SCHEME_TOKENS.make_signer(names[signer]).sign(bundle.signing_bytes) for signer in bundle.signers
        )
        return SignedBundle(bundle, signatures)

    def run_block(self, bundles: Iterable[SignedBundle]) -> None:
        """Order the certificates that are complete and then the bundles; execute; let executors vote."""
        items = [wanted.item for wanted in self.pool.get_wanted()] + [bundle.item_bytes for bundle in bundles]
        checked = [(item, check_item(item, self.genesis.item_rules, VERIFY)) for item in items]
        header = make_child(self.validator.header)
        executed = execute(self.validator, header, checked)
        self.results.extend(executed.results)
        for decision in executed.decisions:
            self.decisions[decision.item_id] = (header.height, decision)
        self.pool.on_executed([decision.item_id for decision in executed.decisions])
        for group in self.groups.values():
            group.waiting.append((header, checked))
            group.process(self._lag)
        self._talk()

    def _talk(self) -> None:
        """Let votes go round until nobody has anything new to say."""
        for _ in range(ROUNDS_MAX):
            votes = [vote for group in self.groups.values() for vote in group.take_votes(self._is_deaf)]
            if not votes:
                return
            self.pool.on_votes(votes)
            for group in self.groups.values():
                group.pool.on_votes(votes)

    def run_empty(self, count_max: int) -> None:
        """Run blocks of certificates alone until nothing is undecided, and let those who lag catch up."""
        for _ in range(count_max):
            if not self.validator.pending:
                break
            self.run_block(())
        for group in self.groups.values():
            group.process(0)

    def get_state_value(self, rollup: RollupId, key: str) -> StateValue | None:
        """Return what a rollup's executors hold under a key."""
        return self.groups[rollup].executor.get_state_value(rollup, key)

    # --- invariants ----------------------------------------------------------------------

    def find_broken(self, markers: Mapping[Digest, tuple[str, Sequence[RollupId]]]) -> list[str]:
        """Return which invariants do not hold; `markers`: bundle → key that it writes on each of its rollups."""
        broken = []
        for bundle_id, (key, rollups) in markers.items():
            shown = {self.get_state_value(rollup, key) is not None for rollup in rollups}
            decided = self.decisions.get(bundle_id)
            if decided is None:
                broken.append(f"{key} was never decided")
            elif shown != {decided[1].status is Status.COMMIT}:
                broken.append(f"{key} shows against its outcome")
        return broken + self._find_lost()

    def _find_lost(self) -> list[str]:
        broken = []
        for rollup in self.genesis.rollups:
            entries = self.groups[rollup.id].executor.get_state(rollup.id).get_entries()
            total = sum(value for key, value in entries if key.startswith("balance/") and isinstance(value, int))
            if total != BALANCE * len(rollup.state):
                broken.append(f"{rollup.name}: balances add up to {total}")
        system = dict(self.validator.get_state(0).get_entries())
        fees = sum(v for k, v in system.items() if k.startswith(("deposit/", "burned", "held")) and isinstance(v, int))
        if fees != sum(amount for _, amount in self.genesis.deposits):
            broken.append(f"deposits: with held and burned they add up to {fees}")
        return broken


def make_child(parent: BlockHeader) -> BlockHeader:
    """Return a header that follows `parent`."""
    time_ms = parent.time_ms + BLOCK_MS
    return BlockHeader(
        parent.epoch, parent.view + 1, parent.height + 1, parent.view, parent.digest, time_ms, 0, parent.cut
    )


def execute(executor: Executor, header: BlockHeader, items: Sequence[Item]) -> ExecutedBlock:
    """Execute one block."""
    executor.begin(header, items)
    while not executor.step(max(1, len(items))):
        pass
    return executor.finish()
