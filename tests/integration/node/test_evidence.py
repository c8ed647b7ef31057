"""A validator that votes twice is proven faulty on running nodes: found, stored, spread, served. # X1 X3"""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import trio

from p2p.network import Network, PeerUp
from sequencer.cli.main import main
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.crypto.signatures import Ed25519Signer
from sequencer.node.home import read_home
from sequencer.node.identity import make_network_configuration
from sequencer.types.messages import encode_message
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Vote, VoteKind
from tests.integration.node.cluster import Cluster

FULL, LIAR, HONEST = "full0", "val3", ("val0", "val1", "val2")
VIEW_AHEAD = 10
"""Both votes are for a view that is not finalized when they come."""


async def connect_liar(cluster: Cluster, nursery: trio.Nursery) -> Network:
    """Join as val3 without being a node; returns once all honest validators are connected."""
    home = read_home(cluster.get_home(LIAR))
    network = cluster.hub.create(make_network_configuration(home, 3))
    await nursery.start(network.run)
    connected: set[str] = set()
    all_up = trio.Event()

    async def drain() -> None:
        async for event in network.events:
            if isinstance(event, PeerUp):
                connected.add(event.name)
            if connected >= set(HONEST):
                all_up.set()

    nursery.start_soon(drain)
    with trio.fail_after(20):
        await all_up.wait()
    return network


def sign_vote(cluster: Cluster, kind: VoteKind, view: int, digest: bytes) -> bytes:
    """Return a vote of val3 as it travels."""
    key = read_home(cluster.get_home(LIAR)).keys.vote
    assert key is not None
    message = compute_signing_bytes(cluster.genesis.chain_id, 0, SignatureKind(kind), view, digest)
    return encode_message(Vote(kind, 0, view, digest, Ed25519Signer(key).sign(message)))


async def wait_for_evidence(cluster: Cluster, name: str) -> Any:
    """Return what a node serves, once it holds something."""
    async with cluster.nodes[name].client as client:
        with trio.fail_after(20):
            while not (served := await client.call("seq_getEvidence", {})):
                await trio.lowlevel.checkpoint()
        return served


def verify_file(path: Path, genesis: Path) -> tuple[int, dict[str, Any]]:
    out = StringIO()
    with redirect_stdout(out), redirect_stderr(StringIO()):
        status = main(["verify", str(path), "--genesis", str(genesis), "--json"])
    return status, dict(json.loads(out.getvalue().splitlines()[0]))


async def test_double_voter_is_proven_to_everybody_and_after_a_restart(nursery: trio.Nursery, tmp_path: Path) -> None:
    """One validator hears both votes; all and a full node prove it, offline too, and no restart forgets it."""
    cluster = Cluster(tmp_path, nursery)
    await cluster.start(*HONEST)
    await cluster.start_full_node(FULL)
    network = await connect_liar(cluster, nursery)
    await cluster.wait_for_height(2, *HONEST)
    async with cluster.nodes["val0"].client as client:
        view = (await client.get_status()).view + VIEW_AHEAD
    for kind, digest in ((VoteKind.NULLIFY, ZERO_DIGEST), (VoteKind.FINALIZE, bytes(31) + b"1")):
        assert network.send("val0", "votes", sign_vote(cluster, kind, view, digest))

    served = {name: await wait_for_evidence(cluster, name) for name in (*HONEST, FULL)}

    told = {(one["rule"], one["validator"], one["view"]) for pieces in served.values() for one in pieces}
    assert told == {("X3", LIAR, view)}
    await cluster.kill("val0")
    await cluster.start("val0")
    assert await wait_for_evidence(cluster, "val0") == served["val0"]
    (tmp_path / "evidence.json").write_text(json.dumps(served[FULL]))
    (tmp_path / "genesis.bin").write_bytes(cluster.genesis.to_bytes())
    status, answer = verify_file(tmp_path / "evidence.json", tmp_path / "genesis.bin")
    assert (status, answer["valid"], answer["validator"]) == (0, True, LIAR)
    nursery.cancel_scope.cancel()
