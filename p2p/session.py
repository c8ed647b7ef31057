"""Run one channel with one peer over one connection, from its first stream to its end.

Promises: one task writes and coalesces, one always reads; a peer that says nothing for the time
of silence, oversteps a limit, or trickles a message is closed. What arrived waits in the inbox,
bounded by the credit that the peer has, and is taken at the pace of the channel.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from p2p.connection import Connection, ConnectionLost, Stream
from p2p.credit import ReceiveCredit
from p2p.errors import ProtocolViolation
from p2p.framing import HEADER_BYTES, MessageAssembler, RecordKind, RecordReader, decode_acknowledgement
from p2p.outgoing import OutgoingQueue
from p2p.pace import Pace
from p2p.protocols import CONTROL_RECORDS_MAX, LIMITS, PARTIAL_MESSAGE_SECONDS, ChannelName

STREAM_SECONDS: Final = 10.0
"""Time from the connection to both streams being open."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """How often a session speaks, and how long it listens to nothing."""

    heartbeat_seconds: float
    silence_seconds: float


class Session:
    """One channel with one peer over one connection."""

    def __init__(
        self,
        connection: Connection,
        channel: ChannelName,
        protocol: str,
        pulse: Pulse,
        counters: Counter[str],
    ) -> None:
        self.connection = connection
        self.channel = channel
        self.is_usable = False
        self.was_usable = False
        self.ended = trio.Event()
        self._protocol = protocol
        self._pulse = pulse
        self._counters = counters
        self._limits = LIMITS[channel]
        self._outgoing = OutgoingQueue(self._limits.queue_bytes_max)
        self._work = trio.Event()
        self._records = RecordReader()
        self._assembler = MessageAssembler(self._limits.message_bytes_max)
        self._credit = ReceiveCredit()
        self._pace = Pace(self._limits.messages_per_second, self._limits.bytes_per_second)
        self._inbox: deque[tuple[bytes, int]] = deque()
        self._arrived = trio.Event()
        self._is_heard = True
        self._message_count = 0
        self._control_count = 0

    def send(self, payload: bytes) -> bool:
        """Queue a message; False when the queue is full or the session is not usable."""
        if not self.is_usable:
            return False
        if not self._outgoing.push(payload):
            self._counters[f"{self.channel}_queue_full"] += 1
            if self._limits.is_closed_when_full:
                self.abort()
            return False
        self._work.set()
        return True

    async def receive(self) -> tuple[bytes, int]:
        """Wait for the next message and its time; the number goes to `release` once the message is taken."""
        while not self._inbox:
            self._arrived = trio.Event()
            await self._arrived.wait()
        message, count = self._inbox.popleft()
        delay = self._pace.take(len(message), trio.current_time())
        if delay:
            self._counters[f"{self.channel}_paced"] += 1
            await trio.sleep(delay)
        return message, count

    def release(self, count: int) -> None:
        """Give the peer back the credit of a message that was taken."""
        total = self._credit.on_taken(count)
        if total is not None:
            self._outgoing.set_acknowledgement(total)
            self._work.set()

    def abort(self) -> None:
        """End the session now, with its connection."""
        self.is_usable = False
        self.connection.abort()

    async def run(self, on_usable: Callable[[], None], *, is_waiting: bool) -> None:
        """Run until the connection ends, for whatever reason; calls `on_usable` when both streams are open.

        `is_waiting`: let the peer open its stream first, however long that takes (a stranger may never).
        """
        try:
            outgoing, incoming = await self._open_streams(is_waiting)
            self.is_usable = self.was_usable = True
            on_usable()
            await self._run_streams(outgoing, incoming)
        except* ProtocolViolation:
            self._counters[f"{self.channel}_violation"] += 1
        except* ConnectionLost:
            self._counters[f"{self.channel}_connection_lost"] += 1
        finally:
            self.abort()
            self.ended.set()

    async def _open_streams(self, is_waiting: bool) -> tuple[Stream, Stream]:
        incoming = await self.connection.accept_stream() if is_waiting else None
        with trio.move_on_after(STREAM_SECONDS):
            outgoing = await self.connection.open_stream(self._protocol)
            return outgoing, incoming or await self.connection.accept_stream()
        raise ConnectionLost("open: the peer took too long")

    async def _run_streams(self, outgoing: Stream, incoming: Stream) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, outgoing)
            nursery.start_soon(self._read, incoming)
            await self._watch()
            nursery.cancel_scope.cancel()

    async def _write(self, stream: Stream) -> None:
        while True:
            while not self._outgoing.is_ready:
                self._work = trio.Event()
                await self._work.wait()
            await stream.write(self._outgoing.take())

    async def _read(self, stream: Stream) -> None:
        while True:
            data = await stream.read()
            self._is_heard = True
            for kind, body in self._records.feed(data):
                self._on_record(kind, body)

    def _on_record(self, kind: RecordKind, body: bytes) -> None:
        if kind in (RecordKind.PIECE, RecordKind.LAST):
            self._on_message_record(kind, body)
            return
        self._control_count += 1
        if self._control_count > CONTROL_RECORDS_MAX:
            raise ProtocolViolation(f"control: more than {CONTROL_RECORDS_MAX} records between two beats")
        if kind is RecordKind.ACKNOWLEDGE:
            self._outgoing.credit.on_acknowledged(decode_acknowledgement(body))
            self._work.set()

    def _on_message_record(self, kind: RecordKind, body: bytes) -> None:
        count = HEADER_BYTES + len(body)
        self._credit.on_received(count)
        message = self._assembler.add(kind, body)
        if message is None:
            # It moved to the assembler, which has a bound of its own.
            self.release(count)
            return
        self._message_count += 1
        self._inbox.append((message, count))
        self._arrived.set()

    async def _watch(self) -> None:
        """Beat; return when the peer is silent or trickles. Beats are counted, so that our own pauses cost nobody."""
        heartbeat = self._pulse.heartbeat_seconds
        silent, trickling, count = 0, 0, self._message_count
        while silent * heartbeat < self._pulse.silence_seconds:
            if trickling * heartbeat >= PARTIAL_MESSAGE_SECONDS:
                raise ProtocolViolation("message: took too long")
            self._outgoing.set_heartbeat_due()
            self._work.set()
            await trio.sleep(heartbeat)
            silent = 0 if self._is_heard else silent + 1
            self._is_heard = False
            self._control_count = 0
            is_partial = self._records.is_partial or self._assembler.is_partial
            trickling = trickling + 1 if is_partial and self._message_count == count else 0
            count = self._message_count
        self._counters[f"{self.channel}_silent"] += 1
