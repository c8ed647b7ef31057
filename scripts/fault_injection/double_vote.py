"""Take a validator's place and contradict oneself: is it proven everywhere, offline too, and nobody else accused?

    python -m scripts.fault_injection.double_vote

Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import trio

from p2p.network import Network, PeerDown, PeerUp
from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report, run
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.crypto.signatures import Ed25519Signer
from sequencer.node.home import Home, read_home
from sequencer.node.identity import make_network_configuration
from sequencer.node.node import make_libp2p_network
from sequencer.types.batch import Batch, BatchHeader, compute_payload_hash, encode_payload
from sequencer.types.evidence import Statement, find_contradiction
from sequencer.types.messages import Accusation, Message, encode_message, get_channel
from sequencer.types.primitives import Digest
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Vote, VoteKind

LIAR, INDEX = "val3", 3
HONEST = ("val0", "val1", "val2")
VIEW_AHEAD = 10
"""The votes are for a view that is not finalized when they come."""
SECONDS_MAX = 30.0
EXPECTED = [("X1", LIAR), ("X3", LIAR), ("X5", LIAR)]


def main() -> int:
    """Play the faulty validator on a devnet with a full node."""
    return run("Contradict oneself as a validator: proven everywhere, offline too, and nobody else accused?", play)


def play(report: Report) -> None:
    """Votes for two blocks, nullify beside finalize, a forked lane; then a false accusation."""
    with Cluster("--full-nodes", "1") as cluster:
        cluster.kill(LIAR)
        home, names = read_home(cluster.get_home(LIAR)), (*HONEST, *cluster.full_names)
        view = int(cluster.call("val0", "seq_status")["view"]) + VIEW_AHEAD
        trio.run(join, home, make_lies(home, view))
        report.note(f"{LIAR} was killed; its place was taken by a program with its keys")
        wait_until(lambda: all(get_proven(cluster, name) == EXPECTED for name in names), SECONDS_MAX, "all prove it")
        for name in names:
            report.claim(True, f"{name} serves {', '.join(rule for rule, _ in EXPECTED)} against {LIAR}")
        check_files(cluster, report)
        check_false_accusation(cluster, home, report)
        cluster.kill("val0")
        cluster.restart("val0")
        wait_until(partial(cluster.is_answering, "val0"), SECONDS_MAX, "val0 answers again")
        report.claim(get_proven(cluster, "val0") == EXPECTED, "val0 still proves it after kill -9")
        wait_until(partial(cluster.is_in_step, "val0", HONEST[1:]), SECONDS_MAX, "val0 is in step")
        report.claim(True, "the three go on, and compute the same")


def get_proven(cluster: Cluster, name: str) -> list[tuple[str, str]]:
    """Return rule and validator of each piece that a node serves, sorted."""
    return sorted((piece["rule"], piece["validator"]) for piece in cluster.call(name, "seq_getEvidence"))


# --- the faulty validator -----------------------------------------------------------------


def make_lies(home: Home, view: int) -> list[tuple[str, Message]]:
    """Return what is said to whom: no honest validator hears two batches, one hears all votes."""
    a, b = bytes(31) + b"a", bytes(31) + b"b"
    votes = [(VoteKind.NOTARIZE, a), (VoteKind.NOTARIZE, b), (VoteKind.NULLIFY, ZERO_DIGEST), (VoteKind.FINALIZE, a)]
    batches = [make_batch(home, name) for name in (b"left", b"right")]
    return [
        *(("val0", make_vote(home, kind, view, digest)) for kind, digest in votes),
        *zip(HONEST, batches, strict=False),
    ]


def sign(home: Home, kind: SignatureKind, number: int, digest: Digest) -> bytes:
    """Sign as the validator whose home it is."""
    assert home.keys.vote is not None
    message = compute_signing_bytes(home.genesis.chain_id, 0, kind, number, digest)
    return Ed25519Signer(home.keys.vote).sign(message)


def make_vote(home: Home, kind: VoteKind, view: int, digest: Digest) -> Vote:
    """Return a vote as it travels."""
    return Vote(kind, 0, view, digest, sign(home, SignatureKind(kind), view, digest))


def make_batch(home: Home, item: bytes) -> Batch:
    """Return a first batch of the lane."""
    payload = encode_payload((item,))
    header = BatchHeader(0, INDEX, 1, ZERO_DIGEST, compute_payload_hash(payload), len(payload), 1)
    return Batch(header, sign(home, SignatureKind.BATCH_HEADER, 1, header.digest), payload)


async def join(home: Home, lies: Sequence[tuple[str, Message]], *, is_ban_awaited: bool = False) -> None:
    """Connect as the validator, say everything, stay for a second; or until the one who was told last hangs up."""
    network = make_libp2p_network(make_network_configuration(home, INDEX))
    up, down = trio.Event(), trio.Event()
    with trio.fail_after(SECONDS_MAX):
        async with trio.open_nursery() as nursery:
            await nursery.start(network.run)
            nursery.start_soon(watch, network, lies[-1][0], up, down)
            await up.wait()
            for name, message in lies:
                network.send(name, get_channel(message).value, encode_message(message))
            if is_ban_awaited:
                await down.wait()
            else:
                await trio.sleep(1.0)
            nursery.cancel_scope.cancel()


async def watch(network: Network, name: str, up: trio.Event, down: trio.Event) -> None:
    """Say when all honest validators are there, and when one hangs up."""
    connected: set[str] = set()
    async for event in network.events:
        if isinstance(event, PeerUp):
            connected.add(event.name)
        if isinstance(event, PeerDown) and event.name == name:
            down.set()
        if connected >= set(HONEST):
            up.set()


# --- the judgement ------------------------------------------------------------------------


def check_files(cluster: Cluster, report: Report) -> None:
    """The answer of the full node is a file that `sequencer verify` accepts, and refuses with one digit changed."""
    answer: list[dict[str, Any]] = cluster.call(cluster.full_names[0], "seq_getEvidence")
    path = cluster.folder / "evidence.json"
    path.write_text(json.dumps(answer))
    status, told = verify(cluster, path)
    names = {one.get("validator") for one in told}
    report.claim((status, names) == (0, {LIAR}), f"sequencer verify accepts {len(told)} pieces, exit {status}")
    for piece in answer:
        piece["bytes"] = piece["bytes"][:-1] + ("0" if piece["bytes"][-1] != "0" else "1")
    path.write_text(json.dumps(answer))
    status, told = verify(cluster, path)
    refused = sum(not one["valid"] for one in told)
    is_right = (status, refused) == (1, len(answer))
    report.claim(
        is_right, f"with one digit changed {refused} of {len(told)} are refused, exit {status}: {told[0]['reason']}"
    )


def verify(cluster: Cluster, path: Path) -> tuple[int, list[dict[str, Any]]]:
    """Run `sequencer verify`; return its exit status and what it says of each piece."""
    command = [sys.executable, "-m", "sequencer", "verify", str(path), "--genesis", cluster.ready["genesis"], "--json"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()[:-1]]


def check_false_accusation(cluster: Cluster, home: Home, report: Report) -> None:
    """Evidence against val1 that val1 did not sign: nobody keeps it, and its sender is cut off."""
    signatures = (sign(home, SignatureKind.NOTARIZE, 5, bytes(32)), bytes(64))
    statements = [
        Statement(SignatureKind.NOTARIZE, 0, 1, 5, bytes(31) + bytes([number]), signature)
        for number, signature in enumerate(signatures)
    ]
    false = find_contradiction(*statements)
    assert false is not None
    trio.run(partial(join, home, [("val0", Accusation(false))], is_ban_awaited=True))
    text = (cluster.get_home("val0") / "events.jsonl").read_text()
    report.claim("sent false evidence" in text, "val0 bans whoever accuses val1 falsely")
    accused = {name for node in HONEST for _, name in get_proven(cluster, node)}
    report.claim(accused == {LIAR}, f"accused anywhere: {', '.join(sorted(accused))}")


if __name__ == "__main__":
    sys.exit(main())
