"""Carry votes of executors between gossip, which knows bytes, and the replica, which knows statements. # A14

Promises: an envelope is forwarded and handed on only if every entry of it is a vote in its one form, and one drawn at
random is signed as it says; the others are the replica's to check, for it drops most of what comes twice before any
signature. What one origin publishes is bounded by the network before it comes here. Votes that are said again arrive
again: each envelope bears a number of its own, since the network carries no content twice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from secrets import choice
from typing import TypeAlias

from p2p.network import Network
from sequencer.codec import decode, encode
from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import DecodeError, PeerError
from sequencer.node.gossip import VERDICT_SECONDS_MAX, Gossip, decode_envelope
from sequencer.types.genesis import Genesis
from sequencer.types.verdict import ExecutorVote

NUMBER_BYTES = 8
"""Of the number that no two envelopes of one node share."""

Votes: TypeAlias = tuple[ExecutorVote, ...]
ChangeVotes: TypeAlias = Callable[[Votes], Votes]


def decode_votes(data: bytes) -> Votes:
    """Read an envelope: a number of 8 bytes, then votes; raises `DecodeError`."""
    number, *entries = decode_envelope(data)
    if len(number) != NUMBER_BYTES or not entries:
        raise DecodeError("envelope", f"must be a number of {NUMBER_BYTES} bytes and at least one vote")
    return tuple(ExecutorVote.from_value(decode(entry, "vote"), "vote") for entry in entries)


def is_verdict_message(data: bytes) -> bool:
    """Tell whether a message of the topic is worth forwarding."""
    try:
        decode_votes(data)
    except DecodeError:
        return False
    return True


def make_judge(genesis: Genesis) -> Callable[[bytes], bool]:
    """Return what tells whether a message is worth forwarding: votes, one of them drawn and found signed as it says.

    An honest node sends its own votes alone, so a wrong signature proves the origin a liar; the other signatures are
    verified by whoever needs them. The drawn one comes first: a made-up envelope costs hardly more than its signature.
    """

    def is_worth_forwarding(data: bytes) -> bool:
        try:
            _, *entries = decode_envelope(data)
            if entries:
                ExecutorVote.from_value(decode(choice(entries), "vote"), "vote").verify(genesis, verify_ed25519)
        except PeerError:
            return False
        return is_verdict_message(data)

    return is_worth_forwarding


class VerdictGossip:
    """The node's side of the topic of verdicts."""

    def __init__(self, network: Network, change_votes: ChangeVotes | None = None) -> None:
        """`change_votes` says what leaves instead of the replica's own votes; None: these."""
        self._gossip = Gossip(network, "verdicts", VERDICT_SECONDS_MAX, _make_number)
        self._network = network
        self._change_votes = change_votes

    @property
    def counters(self) -> Counter[str]:
        """Votes published, received, dropped and refused."""
        return self._gossip.counters

    async def run(self) -> None:
        """Send envelopes until cancelled."""
        await self._gossip.run()

    def publish(self, votes: Sequence[ExecutorVote]) -> None:
        """Take votes for the next envelopes; never blocks."""
        leaving = tuple(votes) if self._change_votes is None else self._change_votes(tuple(votes))
        self._gossip.publish([encode(vote.to_value()) for vote in leaving])

    def unpack(self, peer_id: str, data: bytes) -> Votes:
        """Return the votes of an envelope; none, and a bad mark for its origin, if it is not one."""
        try:
            votes = decode_votes(data)
        except DecodeError:
            self.counters["verdict_envelopes_bad"] += 1
            self._network.report_bad_item(peer_id)
            return ()
        self.counters["gossip_verdicts_received"] += len(votes)
        return votes


def _make_number() -> tuple[bytes, ...]:
    """Return the time, for it never comes again, not even after a restart."""
    return (time.time_ns().to_bytes(NUMBER_BYTES, "big"),)
