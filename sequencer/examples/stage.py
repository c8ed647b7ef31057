"""Give an example its network, its people and a voice.

Every example is a story: a coroutine that takes a `Stage`, tells what happens, and returns a result for programs
whose `kept` says whether the network kept its promise.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import trio

from sequencer.errors import LocalError
from sequencer.execution.machines import get_machine
from sequencer.execution.machines.transfer import make_balance_key
from sequencer.light import ReceiptView
from sequencer.rpc.errors import Code
from sequencer.sdk.building import Account, BundleBuilder, sign_bundle
from sequencer.sdk.client import Client
from sequencer.sdk.errors import AnswerError
from sequencer.sdk.transport import Endpoint
from sequencer.types.genesis import RollupKind
from sequencer.types.primitives import Height

PEOPLE = ("alice", "bob")
NETWORK = "--rollups alpha,beta,delta:transfer:split=3"
"""A devnet on which every example can be played."""
URL_DEFAULT = "http://127.0.0.1:8600"
WAIT_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05
"""Between two looks at what is waited for."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A bundle from sending to its verified receipt."""

    receipt: ReceiptView
    failures: tuple[str, ...]
    """What each rollup that refused expected and found, as the node says it."""

    @property
    def outcome(self) -> str:
        """COMMIT, or ABORT with its reason."""
        return f"{self.receipt.status.name} {self.receipt.reason}".rstrip()


@dataclass(slots=True)
class Stage:
    """Alice, Bob, and the network between them."""

    client: Client
    accounts: Mapping[str, Account]
    say: Callable[[str], object]
    executors: Mapping[str, str] = field(default_factory=dict)
    """Split rollup → URL of a node that executes it, as far as one is known."""
    height: Height = 0
    """Height of the newest outcome told here: states are read at this height or later."""

    @property
    def alice(self) -> Account:
        """Who acts, and pays."""
        return self.accounts["alice"]

    @property
    def bob(self) -> Account:
        """Who gets something."""
        return self.accounts["bob"]

    def make_builder(self) -> BundleBuilder:
        """Return a builder for this network."""
        return BundleBuilder(self.client.genesis)

    def find_rollup(self, operation: str, kind: RollupKind | None = None, besides: Collection[str] = ()) -> str:
        """Return the first rollup that knows an operation, native ones first; raises `LocalError` if there is none."""
        for rollup in sorted(self.client.genesis.rollups, key=lambda rollup: rollup.kind is RollupKind.SPLIT):
            is_wanted = kind in (None, rollup.kind) and rollup.name not in besides
            if is_wanted and operation in get_machine(rollup.machine):
                return rollup.name
        wanted = f"{'' if kind is None else kind.value + ' '}rollup{' more' if besides else ''}"
        raise LocalError(f"no {wanted} here knows {operation!r}; this network does: sequencer devnet {NETWORK}")

    async def get(self, rollup: str, key: str) -> int:
        """Return the amount that a key holds, 0 if absent."""
        return int(await self.get_value(rollup, key) or 0)

    async def get_value(self, rollup: str, key: str) -> Any:
        """Return what a key holds, from a node that executes the rollup and has seen the newest outcome.

        Raises `AnswerError` if the node does not execute it and no executor is known, `trio.TooSlowError` after 30 s.
        """
        parameters = {"rollup": rollup, "key": key}
        with trio.fail_after(WAIT_SECONDS_MAX):
            while True:
                answer = await self._read(rollup, parameters)
                if answer["height"] >= self.height:
                    return answer["value"]
                await trio.sleep(POLL_SECONDS)

    async def _read(self, rollup: str, parameters: Mapping[str, object]) -> Any:
        try:
            return await self.client.call("seq_getState", parameters)
        except AnswerError as error:
            if error.code != Code.NOT_EXECUTED or rollup not in self.executors:
                raise
        async with Endpoint(self.executors[rollup]) as executor:
            return await executor.call("seq_getState", parameters)

    async def get_balance(self, rollup: str, asset: str, account: Account) -> int:
        """Return what an account holds."""
        return await self.get(rollup, make_balance_key(asset, account.address))

    async def send(self, builder: BundleBuilder, signers: Sequence[Account] = ()) -> Sent:
        """Let Alice pay for what the builder holds; sign, send, and wait for the verified receipt."""
        account = await self.client.get_account(self.alice.address)
        bundle = builder.build(self.alice, account.sequences[0], account.height)
        receipt = await self.client.send_and_wait(sign_bundle(bundle, [self.alice, *signers]))
        answer = await self.client.call("seq_getBundleReceipt", {"id": f"0x{receipt.bundle_id.hex()}"})
        failures = [f"{f['rollup']}: expected {f['expected']}, found {f['found']}" for f in answer["failures"]]
        self.height = receipt.height
        return Sent(receipt, tuple(failures))

    async def wait_until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Return when the condition holds; raises `trio.TooSlowError` after 30 s."""
        with trio.fail_after(WAIT_SECONDS_MAX):
            while True:
                if await condition():
                    return
                await trio.sleep(POLL_SECONDS)

    def tell(self, sent: Sent) -> None:
        """Say what became of a bundle and who vouches for it."""
        receipt = sent.receipt
        self.say(f"  {receipt.bundle_id.hex()[:16]}…: {sent.outcome} at height {receipt.height}")
        signers = len(receipt.signers)
        self.say(f"  receipt verified against {signers} signatures on the commitment of {receipt.certified_height}")
        for failure in sent.failures:
            self.say(f"  {failure}")


Story: TypeAlias = Callable[[Stage], Awaitable[Mapping[str, object]]]


def play(story: Story, url: str, is_json: bool = False, executors: Mapping[str, str] | None = None) -> int:
    """Run a story; prints it, or only its result; returns 1 if the network did not keep its promise.

    `executors` are URLs by split rollup, for what the node at `url` does not execute.
    """
    result = trio.run(_run, story, url, is_json, executors or {})
    if is_json:
        print(json.dumps(result))
    return 0 if result["kept"] else 1


def play_alone(story: Story) -> int:
    """Run a story as a program of its own: the URL is the first argument."""
    return play(story, sys.argv[1] if len(sys.argv) > 1 else URL_DEFAULT)


async def _run(story: Story, url: str, is_json: bool, executors: Mapping[str, str]) -> Mapping[str, object]:
    async with Client(url) as client:
        await client.fetch_genesis()
        stage = await meet(client, _be_silent if is_json else print)
        stage.executors = executors
        return await story(stage)


async def meet(client: Client, say: Callable[[str], object]) -> Stage:
    """Return a stage with Alice and Bob; raises `LocalError` on a network without them."""
    accounts = {entry.name: Account(entry.seed, entry.name) for entry in await client.get_development_accounts()}
    if not set(PEOPLE) <= accounts.keys():
        raise LocalError("this network has no alice and bob; `sequencer devnet` makes them")
    return Stage(client, accounts, say)


def _be_silent(_: str) -> None:
    """Under --json only the result is printed."""
