"""Serve a devnet without consensus: every submission becomes a certified block at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import trio

from sequencer.cli.cluster.blueprint import Blueprint, Wish, draw
from sequencer.cli.cluster.rollups import ROLLUPS_DEFAULT
from sequencer.cli.main import main
from sequencer.crypto.signatures import Ed25519Signer
from sequencer.rpc.queries import BlockRecord, DevelopmentAccount
from sequencer.rpc.server import RpcAddress, serve_rpc
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.effects import Submission
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from tests.integration.rpc.chain import ChainNode


class EagerNode(ChainNode):
    """A node of a drawn devnet that orders, executes and certifies what it gets, at once."""

    def __init__(self, drawn: Blueprint) -> None:
        super().__init__(drawn.genesis)
        self.drawn = drawn
        self.is_ordering = True
        self.advance()

    async def submit_items(self, items: Sequence[bytes]) -> tuple[Submission, ...]:
        submissions = await super().submit_items(items)
        if self.is_ordering:
            self.advance()
        return submissions

    def certify(self, height: int, signers: Sequence[int] = (0, 1, 3)) -> None:
        commitment = self.records[height - 1].block.commitment
        message = compute_signing_bytes(
            self.genesis.chain_id, commitment.epoch, SignatureKind.COMMITMENT, commitment.height, commitment.digest
        )
        keys = [self.drawn.keys[index].vote for index in signers]
        signatures = tuple(Ed25519Signer(key).sign(message) for key in keys if key is not None)
        certificate = CommitmentCertificate(commitment.epoch, height, commitment.digest, tuple(signers), signatures)
        self.records[height - 1] = BlockRecord(self.records[height - 1].block, certificate)

    def get_development_accounts(self) -> tuple[DevelopmentAccount, ...] | None:
        return self.drawn.accounts


@dataclass(frozen=True)
class Done:
    """What one command did."""

    status: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        """The last JSON line."""
        return dict(json.loads(self.out.splitlines()[-1]))


@dataclass(frozen=True)
class Shell:
    """Types commands against one node."""

    node: EagerNode
    url: str
    folder: Path

    async def run(self, *words: str) -> Done:
        """Run a command in a thread, where it has an event loop of its own."""
        out, err = StringIO(), StringIO()

        def run() -> int:
            with redirect_stdout(out), redirect_stderr(err):
                return main(words)

        with trio.fail_after(60):
            status = await trio.to_thread.run_sync(run)
        return Done(status, out.getvalue(), err.getvalue())

    async def ask(self, *words: str) -> Done:
        """Run a command with --rpc and --json."""
        return await self.run(*words, "--rpc", self.url, "--json")

    def write_genesis(self) -> str:
        """Write the genesis file and return its path."""
        path = self.folder / "genesis.bin"
        path.write_bytes(self.node.genesis.to_bytes())
        return str(path)


@pytest.fixture
async def shell(nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    node = EagerNode(draw(Wish(4, ROLLUPS_DEFAULT, 5, None)))
    port = await nursery.start(serve_rpc, node, RpcAddress())
    return Shell(node, f"http://127.0.0.1:{port}", tmp_path)
