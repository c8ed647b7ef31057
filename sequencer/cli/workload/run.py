"""Send a schedule over several RPC ends, follow finality by proofs, and compare with what had to become of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import trio

from sequencer.cli.workload.flights import Flight, Flights
from sequencer.cli.workload.report import Report
from sequencer.cli.workload.schedule import Schedule
from sequencer.cli.workload.traffic import Mark, Traffic
from sequencer.errors import LocalError
from sequencer.rpc.errors import Code
from sequencer.sdk.building import Account
from sequencer.sdk.client import Client
from sequencer.sdk.errors import AnswerError, UnreachableError
from sequencer.types.genesis import Genesis
from sequencer.types.outcome import Status

TICK_SECONDS = 0.01
"""How often the sender looks what is due."""
PROBE_SECONDS = 1.0
"""How often an end is asked whether it answers."""
SENDERS_PER_END = 3
"""Submissions to one end that are on their way at once."""
TRANSACTIONS_PER_CALL_MAX = 100
QUEUE_MAX = 100_000
"""Transactions that wait for one end; an open loop never waits itself."""
STRAGGLER_SECONDS_MAX = 10.0
"""After the last sending the run waits so long for finality."""
CHECKERS = 8
"""Bundles whose marks are read at the same time."""


@dataclass(slots=True)
class Load:
    """One run against one network."""

    urls: Sequence[str]
    rate: float
    seconds: float
    bundle_share: float
    on_second: Callable[[int, Report], None]
    """Called once a second while sending, with the second and the counts so far."""

    async def run(self) -> Report:
        """Send everything, wait for stragglers, check the marks, and return the counts."""
        async with Client(self.urls) as client:
            genesis = await client.fetch_genesis()
            await require_one_network(self.urls, genesis)
            traffic = await make_traffic(client, genesis, len(self.urls))
            schedule = Schedule(self.rate, self.seconds, self.bundle_share, len(traffic.lanes))
            height = (await client.get_status()).height
            flights = Flights(len(self.urls))
            run = _Run(self, schedule, traffic, flights, genesis, height)
            await run.run()
            flights.close()
        await check_marks(self.urls, flights)
        return flights.report


async def require_one_network(urls: Sequence[str], genesis: Genesis) -> None:
    """Raise `LocalError` if an end that answers belongs to another network; one that is dead may come back."""
    for url in urls:
        try:
            async with Client((url,)) as client:
                status = await client.get_status()
        except UnreachableError:
            continue
        if status.chain_id != genesis.chain_id:
            raise LocalError(f"{url} is of another network: its chain id is 0x{status.chain_id.hex()}")


async def make_traffic(client: Client, genesis: Genesis, ends: int) -> Traffic:
    """Return the traffic of the devnet's load accounts, continuing their sequences."""
    try:
        listed = await client.get_development_accounts()
    except AnswerError:
        listed = ()
    accounts = {entry.name: Account(entry.seed, entry.name) for entry in listed}
    sequences = {
        name: (await client.get_account(account.address)).sequences
        for name, account in accounts.items()
        if name.startswith("load")
    }
    return Traffic(genesis, accounts, sequences, ends)


class _Run:
    """The tasks of one run: one that keeps the schedule, some that send, one that follows finality."""

    def __init__(
        self, load: Load, schedule: Schedule, traffic: Traffic, flights: Flights, genesis: Genesis, height: int
    ) -> None:
        self._load, self._schedule, self._traffic, self._flights = load, schedule, traffic, flights
        self._genesis, self._height = genesis, height
        self._started_at = trio.current_time()
        self._queues = [trio.open_memory_channel[Flight](QUEUE_MAX) for _ in load.urls]

    async def run(self) -> None:
        """Run until everything is final or refused, or stragglers took too long."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow)
            for end, (_, receive) in enumerate(self._queues):
                nursery.start_soon(self._probe, end)
                for _ in range(SENDERS_PER_END):
                    nursery.start_soon(self._send, end, receive)
            await self._keep_schedule()
            with trio.move_on_after(STRAGGLER_SECONDS_MAX):
                while not self._flights.is_settled:
                    self._resend()
                    await trio.sleep(TICK_SECONDS)
            nursery.cancel_scope.cancel()

    def _now(self) -> float:
        return trio.current_time() - self._started_at

    async def _keep_schedule(self) -> None:
        """Put every transaction into its end's queue when it is due, whatever became of those before."""
        number = second = 0
        self._started_at = trio.current_time()
        while number < self._schedule.count:
            now = self._now()
            while number < self._schedule.count and number / self._schedule.rate <= now:
                shipment = self._traffic.make(self._schedule.get(number), self._height)
                self._enqueue(self._flights.add(shipment))
                number += 1
            if now >= second + 1:
                second = math.floor(now)
                self._resend()
                self._load.on_second(second, self._flights.report)
            await trio.sleep(TICK_SECONDS)

    def _enqueue(self, flight: Flight) -> None:
        self._flights.on_sending(flight, self._now())
        try:
            self._queues[flight.end][0].send_nowait(flight)
        except trio.WouldBlock:
            self._flights.on_refused(flight, "NOT_SENT")

    def _resend(self) -> None:
        for flight in self._flights.take_overdue(self._now()):
            self._enqueue(flight)

    async def _send(self, end: int, receive: trio.MemoryReceiveChannel[Flight]) -> None:
        """Hand what waits for one end in, up to a call's worth at a time."""
        async with Client(self._load.urls[end]) as client:
            async for flight in receive:
                flights = [flight]
                while len(flights) < TRANSACTIONS_PER_CALL_MAX:
                    try:
                        flights.append(receive.receive_nowait())
                    except trio.WouldBlock:
                        break
                await self._send_some(client, flights)

    async def _send_some(self, client: Client, flights: Sequence[Flight]) -> None:
        """Hand them in; an end that does not answer leaves them to be sent again elsewhere."""
        try:
            answers = await client.send_many([flight.shipment.signed for flight in flights])
        except (UnreachableError, AnswerError):
            return
        for flight, answer in zip(flights, answers, strict=True):
            if answer.status == "rejected":
                self._flights.on_refused(flight, answer.reason)
            else:
                self._flights.on_taken(flight)

    async def _probe(self, end: int) -> None:
        """Note once a second whether the end answers."""
        async with Client(self._load.urls[end]) as client:
            while True:
                try:
                    await client.get_status()
                    self._flights.on_end(end, is_answering=True)
                except (UnreachableError, AnswerError):
                    self._flights.on_end(end, is_answering=False)
                await trio.sleep(PROBE_SECONDS)

    async def _follow(self) -> None:
        """Note what is proven final; heights only grow, so new transactions are valid from here on."""
        async with (
            Client(self._load.urls, self._genesis) as client,
            aclosing(client.follow_final(self._height + 1)) as final,
        ):
            async for block in final:
                self._height = block.height
                self._flights.on_final_block(block, self._now())


async def check_marks(urls: Sequence[str], flights: Flights) -> None:
    """Read the marks of every bundle, and count those that took effect in part or against their outcome."""
    queue = iter(flights.get_bundles())

    async def check() -> None:
        async with Client(urls) as client:
            for flight in queue:
                await check_bundle(client, flight, flights.report)

    async with trio.open_nursery() as nursery:
        for _ in range(CHECKERS):
            nursery.start_soon(check)


async def check_bundle(client: Client, flight: Flight, report: Report) -> None:
    """Read the marks of one bundle; if no node tells them, that is a mismatch too."""
    try:
        present = await read_marks(client, flight.shipment.marks, flight.height)
    except (UnreachableError, AnswerError) as error:
        report.mismatches.append(f"marks of {flight.shipment.signed.id.hex()[:12]}: {error}")
        return
    report.bundles_partial += is_partial(present, flight.status)


async def read_marks(client: Client, marks: Sequence[Mark], height_min: int) -> list[bool]:
    """Return for each leg whether its mark is in the state, all after one height, at least `height_min`.

    Legs on rollups that the node does not execute are left out. Raises `AnswerError` or
    `UnreachableError`, also when the node stays behind that height.
    """
    present: list[bool] = []
    parameters: dict[str, object] = {}
    await wait_for_height(client, height_min)
    for mark in marks:
        try:
            answer = await client.call("seq_getState", {"rollup": mark.rollup, "key": mark.key, **parameters})
        except AnswerError as error:
            if error.code == Code.NOT_EXECUTED:
                continue
            raise
        parameters = {"height": answer["height"]}
        present.append(answer["value"] is not None)
    return present


async def wait_for_height(client: Client, height: int) -> None:
    """Return when the node has executed `height`; finality was proven by another one, which may be ahead."""
    with trio.move_on_after(STRAGGLER_SECONDS_MAX):
        while (await client.get_status()).height < height:  # noqa: ASYNC110 # the state is another process's
            await trio.sleep(TICK_SECONDS * 10)
        return
    raise UnreachableError(f"the node asked has not reached height {height}")


def is_partial(present: Sequence[bool], status: Status | None) -> bool:
    """Tell whether some legs took effect and others did not, or all of them against the outcome."""
    if any(present) != all(present):
        return True
    return bool(present) and status is not None and any(present) != (status is Status.COMMIT)
