"""Turn what a person writes into a signed transaction: names become addresses, what is left out is filled in.

A draft is the object form of `seq_sendTransaction` without signatures, in which an address may be
the name of a devnet account, an argument may be `{"account": "bob"}` or `{"rollup": "beta"}`, and these may be missing:
chain_id, channel (0), sequence (the next), valid_from (now), valid_until (1,000 heights on),
decide_within (0, or 64 if a split rollup is touched), deps, a leg's conditions and access. A leg may have a
`conditional` in the words of ERC-7796; the accounts in it may be names too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequencer.cli.command import CommandError
from sequencer.errors import LocalError
from sequencer.rpc.forms import make_rollup_reader, read_bundle
from sequencer.rpc.json_values import Members, to_hex
from sequencer.sdk.building import DECIDE_WITHIN, VALID_HEIGHTS, Account, sign_bundle
from sequencer.sdk.errors import AnswerError
from sequencer.sdk.results import AccountAnswer, StatusAnswer
from sequencer.sdk.transport import Endpoint
from sequencer.types.genesis import Genesis, RollupKind
from sequencer.types.item import SignedBundle

ADDRESS = re.compile(r"0x[0-9a-f]{64}")


@dataclass(slots=True)
class Desk:
    """What is needed to fill in and sign a draft: the network and the keys at hand."""

    node: Endpoint
    genesis: Genesis
    accounts: dict[str, Account]
    """By name: the devnet's, and those read from files."""

    def get_address(self, text: object) -> str:
        """Return `0x…` for a name or an address; raises `CommandError` for an unknown name."""
        if isinstance(text, str) and text in self.accounts:
            return to_hex(self.accounts[text].address)
        if isinstance(text, str) and ADDRESS.fullmatch(text):
            return text
        if isinstance(text, str) and text.startswith("0x"):
            raise CommandError(f"{text!r} is no address: 0x and 64 lower-case hex digits", "usage")
        known = ", ".join(self.accounts) or "none"
        raise CommandError(f"{text!r} is no 0x… address and no account known here ({known})", "usage")

    def add_key_file(self, name: str) -> None:
        """Make the key in the file `name` usable under that name; a name that is known already stays."""
        if name in self.accounts or name.startswith("0x"):
            return
        try:
            self.accounts[name] = Account(bytes.fromhex(Path(name).read_text().strip()), name)
        except (OSError, ValueError, LocalError):
            known = ", ".join(self.accounts) or "none"
            raise CommandError(f"{name!r} is neither a key file nor an account known here ({known})", "usage") from None


async def open_desk(node: Endpoint) -> Desk:
    """Ask for the genesis, and on a devnet for the accounts."""
    answer: Any = await node.call("seq_genesis", {})
    genesis = Genesis.from_bytes(bytes.fromhex(answer["genesis"][2:]))
    try:
        listed: Any = await node.call("dev_accounts", {})
    except AnswerError:
        listed = []
    accounts = {entry["name"]: Account(bytes.fromhex(entry["seed"][2:]), entry["name"]) for entry in listed}
    return Desk(node, genesis, accounts)


async def sign_draft(desk: Desk, draft: Mapping[str, Any]) -> SignedBundle:
    """Return the signed transaction; raises `DecodeError` naming a wrong field, `LocalError` for a missing key."""
    filled = await fill_in(desk, draft)
    read = Members(filled, "$")
    bundle = read_bundle(read, make_rollup_reader(desk.genesis))
    read.finish()
    return sign_bundle(bundle, tuple(desk.accounts.values()))


async def fill_in(desk: Desk, draft: Mapping[str, Any]) -> dict[str, Any]:
    """Return the draft with every member that `seq_sendTransaction` wants but the signatures."""
    if not isinstance(draft, dict) or "payer" not in draft or not isinstance(draft.get("legs"), list):
        raise CommandError("a bundle is a JSON object with at least payer and legs", "usage")
    payer, channel = desk.get_address(draft["payer"]), draft.get("channel", 0)
    height = StatusAnswer.from_json(await desk.node.call("seq_status", {})).height
    filled = {
        "chain_id": to_hex(desk.genesis.chain_id),
        "channel": channel,
        "valid_from": height,
        "valid_until": height + VALID_HEIGHTS,
        "decide_within": _choose_decide_within(desk, draft["legs"]),
        "deps": [],
        **draft,
        "payer": payer,
        "legs": [_fill_in_leg(desk, leg) for leg in draft["legs"]],
    }
    if "sequence" not in filled:
        account = AccountAnswer.from_json(await desk.node.call("seq_getAccount", {"address": payer}))
        filled["sequence"] = account.sequences[channel if channel in range(16) else 0]
    return filled


def _choose_decide_within(desk: Desk, legs: list[object]) -> int:
    split = {rollup.name for rollup in desk.genesis.rollups if rollup.kind is RollupKind.SPLIT}
    return DECIDE_WITHIN if any(isinstance(leg, dict) and str(leg.get("rollup")) in split for leg in legs) else 0


def _fill_in_leg(desk: Desk, leg: object) -> object:
    if not isinstance(leg, dict):
        return leg  # the reader names the path
    operations = leg.get("operations")
    if isinstance(operations, list):
        operations = [_fill_in_operation(desk, operation) for operation in operations]
    signer = {"signer": desk.get_address(leg["signer"])} if "signer" in leg else {}
    conditional = {"conditional": _fill_in_conditional(desk, leg["conditional"])} if "conditional" in leg else {}
    return {"conditions": [], "access": None, **leg, **signer, **conditional, "operations": operations}


def _fill_in_conditional(desk: Desk, conditional: object) -> object:
    if not isinstance(conditional, dict) or not isinstance(conditional.get("knownAccounts"), dict):
        return conditional
    accounts = {desk.get_address(name): state for name, state in conditional["knownAccounts"].items()}
    return {**conditional, "knownAccounts": accounts}


def _fill_in_operation(desk: Desk, operation: object) -> object:
    if not isinstance(operation, dict) or not isinstance(operation.get("arguments"), list):
        return operation
    return {**operation, "arguments": [_fill_in_argument(desk, argument) for argument in operation["arguments"]]}


def _fill_in_argument(desk: Desk, argument: object) -> object:
    """Replace the name of an account by its address, that of a rollup by its id."""
    match argument:
        case {"account": name, **rest} if not rest:
            return desk.get_address(name)
        case {"rollup": str(name), **rest} if not rest:
            return str(desk.genesis.get_rollup_by_name(name).id)
        case _:
            return argument
