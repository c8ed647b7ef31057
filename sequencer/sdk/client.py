"""Talk to one node, or to several that stand in for each other; believe only what is proven."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Any

import trio

from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import DecodeError, LocalError, VerificationError
from sequencer.light import (
    EvidenceView,
    FileView,
    ReceiptView,
    StateProofView,
    verify_evidence,
    verify_file,
    verify_receipt,
    verify_state_proof,
)
from sequencer.rpc.errors import Code
from sequencer.rpc.forms import bundle_to_json, make_rollup_namer
from sequencer.rpc.json_values import Members, read_hex, to_hex
from sequencer.sdk.errors import AnswerError, NotFinalError, RejectedError, UnreachableError
from sequencer.sdk.finality import FinalBlock, FinalityTracker
from sequencer.sdk.results import (
    EVIDENCE_PER_ANSWER_MAX,
    AccountAnswer,
    BlocksAnswer,
    CheckAnswer,
    DevelopmentAccountAnswer,
    ReceiptAnswer,
    StatusAnswer,
    SubmissionAnswer,
    read_evidence_bytes,
)
from sequencer.sdk.transport import Endpoint
from sequencer.types.bundle import Bundle
from sequencer.types.genesis import GENESIS_BYTES_MAX, Genesis
from sequencer.types.item import SignedBundle
from sequencer.types.primitives import Address, Digest, Height
from sequencer.types.receipt import PROOF_FILE_BYTES_MAX

RESEND_SECONDS = 3.0
"""A transaction that is not final this long after it was sent goes to the next node, the same bytes."""
POLL_SECONDS = 0.05
"""Between two questions whether something is final."""
WAIT_SECONDS_MAX = 30.0
"""How long `send_and_wait` waits unless told otherwise."""


class Client:
    """Calls one node at a time and moves on to the next when it does not answer."""

    def __init__(self, urls: str | Sequence[str], genesis: Genesis | None = None) -> None:
        """`genesis` is what proofs are checked against; without it, `fetch_genesis` can be asked for one."""
        self._endpoints = [Endpoint(url) for url in ([urls] if isinstance(urls, str) else urls)]
        if not self._endpoints:
            raise LocalError("a client needs at least one URL")
        self._current = 0
        self._genesis = genesis

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        for endpoint in self._endpoints:
            await endpoint.aclose()

    @property
    def endpoint_count(self) -> int:
        """Nodes that stand in for each other."""
        return len(self._endpoints)

    @property
    def genesis(self) -> Genesis:
        """The network that proofs are checked against; raises `LocalError` if none is known."""
        if self._genesis is None:
            raise LocalError("no genesis: give one to the client, or await fetch_genesis(chain_id)")
        return self._genesis

    async def fetch_genesis(self, chain_id: Digest | None = None) -> Genesis:
        """Ask for the genesis and use it; without `chain_id` the node is trusted to name its own network.

        Raises `VerificationError` if it is not the network of `chain_id`.
        """
        read = Members(await self.call("seq_genesis", {}), "$")
        genesis = Genesis.from_bytes(read.read("genesis", lambda text, at: read_hex(text, at, GENESIS_BYTES_MAX)))
        if chain_id is not None and genesis.chain_id != chain_id:
            raise VerificationError(f"genesis: is of chain {genesis.chain_id.hex()}, not {chain_id.hex()}")
        self._genesis = genesis
        return genesis

    async def call(self, method: str, parameters: Mapping[str, object]) -> Any:
        """Return the result of one method from the first node that answers.

        Raises `AnswerError` if a node refuses, `UnreachableError` if none answers. A call may
        reach more than one node: sending a transaction twice is harmless.
        """
        failure = UnreachableError("no endpoint")
        for _ in self._endpoints:
            try:
                return await self._endpoints[self._current].call(method, parameters)
            except UnreachableError as error:
                failure = error
                self.switch()
        raise failure

    def switch(self) -> None:
        """Use the next node from now on."""
        self._current = (self._current + 1) % len(self._endpoints)

    async def get_status(self) -> StatusAnswer:
        """Return how the node stands."""
        return StatusAnswer.from_json(await self.call("seq_status", {}))

    async def get_account(self, address: Address) -> AccountAnswer:
        """Return deposit and next sequences, as the node says."""
        return AccountAnswer.from_json(await self.call("seq_getAccount", {"address": to_hex(address)}))

    async def get_development_accounts(self) -> tuple[DevelopmentAccountAnswer, ...]:
        """Return the accounts of a devnet; raises `AnswerError` on any other network."""
        answer = {"accounts": await self.call("dev_accounts", {})}
        return Members(answer, "$").array("accounts", 1_024, DevelopmentAccountAnswer.from_json)

    async def check(self, bundle: Bundle) -> CheckAnswer:
        """Return what the node foretells of a bundle, signed or not; nothing is sent."""
        draft = bundle_to_json(bundle, make_rollup_namer(self.genesis))
        return CheckAnswer.from_json(await self.call("seq_checkBundle", {"transaction": draft}))

    async def send(self, signed: SignedBundle) -> SubmissionAnswer:
        """Hand a transaction in; raises `RejectedError` if it is not taken."""
        item = {"item": to_hex(signed.item_bytes)}
        return SubmissionAnswer.from_json(await self.call("seq_sendTransaction", {"transaction": item}))

    async def send_many(self, transactions: Sequence[SignedBundle]) -> tuple[SubmissionAnswer, ...]:
        """Hand up to 1,000 transactions in; one answer each, in order."""
        items = [{"item": to_hex(signed.item_bytes)} for signed in transactions]
        read = Members(await self.call("seq_sendTransactions", {"transactions": items}), "$")
        return read.array("results", len(items), SubmissionAnswer.from_json, len(items))

    async def get_receipt(self, bundle_id: Digest) -> ReceiptAnswer:
        """Return what the node says about a transaction; its `proof` is not checked here."""
        answer = await self.call("seq_getTransactionReceipt", {"id": to_hex(bundle_id)})
        return ReceiptAnswer.from_json(answer)

    def verify_receipt(self, proof: bytes, bundle_id: Digest) -> ReceiptView:
        """Return what a receipt proves about this bundle; raises `VerificationError`."""
        view = verify_receipt(proof, self.genesis, verify_ed25519)
        if view.bundle_id != bundle_id:
            raise VerificationError(f"receipt: is about {view.bundle_id.hex()}, not {bundle_id.hex()}")
        return view

    async def get_proof(self, kind: str, **parameters: object) -> StateProofView:
        """Return what a proof of `state`, `sequence` or `deposit` says, verified; raises `VerificationError`.

        The caller compares namespace and key with what it asked for.
        """
        read = Members(await self.call("seq_getProof", {"kind": kind, **parameters}), "$")
        proof = read.read("proof", lambda text, at: read_hex(text, at, PROOF_FILE_BYTES_MAX))
        return verify_state_proof(proof, self.genesis, verify_ed25519)

    async def get_file(self, kind: str, **parameters: object) -> FileView:
        """Return what a proof of any kind proves (`inclusion`, `list`, …), verified; raises `VerificationError`.

        The caller compares what it is about with what it asked for.
        """
        read = Members(await self.call("seq_getProof", {"kind": kind, **parameters}), "$")
        proof = read.read("proof", lambda text, at: read_hex(text, at, PROOF_FILE_BYTES_MAX))
        return verify_file(proof, self.genesis, verify_ed25519)

    async def get_evidence(self, start: int = 0) -> tuple[EvidenceView, ...]:
        """Return what a node holds against validators from a place on, verified; at most 100 pieces, empty at the end.

        Raises `VerificationError` if a piece proves nothing.
        """
        answer = {"evidence": await self.call("seq_getEvidence", {"from": start})}
        pieces = Members(answer, "$").array("evidence", EVIDENCE_PER_ANSWER_MAX, read_evidence_bytes)
        return tuple(verify_evidence(piece, self.genesis, verify_ed25519) for piece in pieces)

    async def send_and_wait(self, signed: SignedBundle, seconds: float = WAIT_SECONDS_MAX) -> ReceiptView:
        """Send until it is final and return the verified outcome, COMMIT or ABORT.

        Not final after 3 s, the same bytes go to the next node, and so on. Raises
        `RejectedError` if a node does not take it in, `UnreachableError` if none answers the
        first time, `NotFinalError` after `seconds`.
        """
        is_sent = False
        with trio.move_on_after(seconds):
            while True:
                with trio.move_on_after(RESEND_SECONDS):
                    await self._send_once(signed, is_sent)
                    is_sent = True
                    return await self._poll_receipt(signed.id)
                self.switch()
        raise NotFinalError(signed.id, seconds)

    async def _send_once(self, signed: SignedBundle, is_sent: bool) -> None:
        """Hand it in; that a node knows it already, or is busy, is no failure."""
        try:
            await self.send(signed)
        except RejectedError as error:
            is_known = error.reason == "DUPLICATE" or (error.reason == "SEQUENCE_USED" and "record" in error.data)
            if not (is_known or is_sent):
                raise
        except UnreachableError:
            if not is_sent:
                raise
        except AnswerError as error:
            if error.code not in (Code.UNAVAILABLE, Code.LIMIT):
                raise
            self.switch()

    async def wait_for_final(self, bundle_id: Digest, seconds: float = WAIT_SECONDS_MAX) -> ReceiptView:
        """Return the verified outcome of what was sent before; raises `NotFinalError` after `seconds`."""
        with trio.move_on_after(seconds):
            while True:
                with trio.move_on_after(RESEND_SECONDS):
                    return await self._poll_receipt(bundle_id)
                self.switch()
        raise NotFinalError(bundle_id, seconds)

    async def _poll_receipt(self, bundle_id: Digest) -> ReceiptView:
        """Ask until there is a proof; a node that lies or does not answer is left for the next."""
        while True:
            try:
                receipt = await self.get_receipt(bundle_id)
                if receipt.proof is not None:
                    return self.verify_receipt(receipt.proof, bundle_id)
            except (VerificationError, DecodeError, UnreachableError):
                self.switch()
            await trio.sleep(POLL_SECONDS)

    async def get_blocks(self, start: Height) -> BlocksAnswer:
        """Return blocks from `start` on, at most 100, with the newest certificate; nothing is checked here."""
        return BlocksAnswer.from_json(await self.call("seq_getBlocks", {"from": start}))

    async def follow_final(self, start: Height, poll_seconds: float = POLL_SECONDS) -> AsyncGenerator[FinalBlock, None]:
        """Yield every block from `start` on once it is proven final, without end; close it after use.

        Raises `AnswerError` if blocks are pruned, `VerificationError` if each node in turn fails to verify.
        """
        follower = Follower(self, start)
        while True:
            final = await follower.poll()
            for block in final:
                yield block
            if not final:
                await trio.sleep(poll_seconds)


class Follower:
    """Asks for the next blocks and proves them; leaves a node that does not help."""

    def __init__(self, client: Client, start: Height) -> None:
        self._client = client
        self._tracker = FinalityTracker(client.genesis, verify_ed25519, start)
        self._failures = 0
        self._deadline = trio.current_time() + RESEND_SECONDS

    async def poll(self) -> tuple[FinalBlock, ...]:
        """Return what has become final since; empty if nothing has.

        A node that does not answer, whose blocks do not verify, or where nothing becomes final for
        3 s is left for the next. Raises as `Client.follow_final` does.
        """
        try:
            final = await self._read()
        except UnreachableError:
            self._leave()
            return ()
        except (VerificationError, DecodeError):
            self._failures += 1
            if self._failures > self._client.endpoint_count:
                raise
            self._leave()
            return ()
        if final:
            self._failures, self._deadline = 0, trio.current_time() + RESEND_SECONDS
        elif trio.current_time() >= self._deadline:
            self._leave()
        return final

    def _leave(self) -> None:
        self._tracker.reset()
        self._client.switch()
        self._deadline = trio.current_time() + RESEND_SECONDS

    async def _read(self) -> tuple[FinalBlock, ...]:
        answer = await self._client.get_blocks(self._tracker.next_height)
        for block in answer.blocks:
            self._tracker.add_block(block)
        own = next((block.certificate for block in reversed(answer.blocks) if block.certificate is not None), None)
        certificates = [certificate for certificate in (own, answer.certificate) if certificate is not None]
        return tuple(block for certificate in certificates for block in self._tracker.add_certificate(certificate))
