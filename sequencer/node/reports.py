"""Tell people and subscribers what the node did: executed blocks, certificates, alarms."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from sequencer.node.border import Border
from sequencer.node.event_log import EventLog
from sequencer.node.gossip import Gossip
from sequencer.node.verdicts import VerdictGossip
from sequencer.types.commitment import Commitment
from sequencer.types.evidence import Evidence, compute_evidence_id
from sequencer.types.executed import ExecutedBlock
from sequencer.types.messages import Message
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest, Height, ValidatorIndex
from sequencer.types.verdict import ExecutorVote


class Reports:
    """What left the replica and is durable: the driver's outside."""

    def __init__(
        self, border: Border, gossip: Gossip, verdicts: VerdictGossip, event_log: EventLog, newest: Commitment
    ) -> None:
        self.height: Height = newest.height
        """Highest height that is finalized, executed and durable here."""
        self.commitment: Digest = newest.digest
        """What this node computed for that height."""
        self.news = 0
        """Blocks executed and certificates stored since start."""
        self._border = border
        self._gossip = gossip
        self._verdicts = verdicts
        self._event_log = event_log
        self._changed = trio.lowlevel.ParkingLot()

    def send(self, peer: ValidatorIndex, message: Message) -> None:
        """Pass a message on."""
        self._border.send(peer, message)

    def broadcast(self, message: Message) -> None:
        """Pass a message on."""
        self._border.broadcast(message)

    def ban(self, peer: ValidatorIndex, reason: str) -> None:
        """Close the connections to a peer."""
        self._border.ban(peer, reason)

    def publish(self, items: Sequence[bytes]) -> None:
        """Pass items on to gossip."""
        self._gossip.publish(items)

    def publish_votes(self, votes: Sequence[ExecutorVote]) -> None:
        """Pass an executor's votes on to gossip. # A14"""
        self._verdicts.publish(votes)

    def on_executed(self, block: ExecutedBlock) -> None:
        """Note a block that is executed and stored."""
        if block.header.height <= self.height:
            return  # executed again at the start
        self.height, self.commitment = block.header.height, block.commitment.digest
        self._tell()
        self._event_log.write("block", summarize(block))
        for result in block.results:
            if result.status is not Status.INADMISSIBLE:
                members = {"id": result.item_id.hex(), "height": block.header.height, "status": result.status.name}
                self._event_log.write("bundle", {**members, "reason": result.reason})

    def on_certified(self, height: Height) -> None:
        """Note a certificate that is stored."""
        self._tell()

    def on_evidence(self, evidence: Evidence) -> None:
        """Note that a validator is proven faulty. # X1-X7"""
        members = {"rule": evidence.kind.rule, "validator": evidence.signer, "number": evidence.number}
        self._event_log.write("evidence", {**members, "id": compute_evidence_id(evidence).hex()})

    def on_installed(self, commitment: Commitment) -> None:
        """Note a snapshot from peers that is stored. # R2"""
        self.height, self.commitment = commitment.height, commitment.digest
        self._tell()
        members = {"height": commitment.height, "commitment": commitment.digest.hex()}
        self._event_log.write("snapshot_installed", members)

    def on_alarm(self, reason: str) -> None:
        """Note that the replica has stopped signing."""
        self._event_log.write("alarm", {"text": reason})

    def _tell(self) -> None:
        self.news += 1
        self._changed.unpark_all()

    async def wait_for_news(self, seen: int) -> int:
        """Return `news` once it is above `seen`."""
        while self.news <= seen:
            await self._changed.park()
        return self.news


def summarize(block: ExecutedBlock) -> dict[str, object]:
    """Return the members of a block's line."""
    counts = {status: sum(result.status is status for result in block.results) for status in Status}
    return {
        "height": block.header.height,
        "view": block.header.view,
        "digest": block.header.digest.hex(),
        "commitment": block.commitment.digest.hex(),
        "committed": counts[Status.COMMIT],
        "aborted": counts[Status.ABORT],
        "inadmissible": counts[Status.INADMISSIBLE],
    }
