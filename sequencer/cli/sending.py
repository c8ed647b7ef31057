"""Send one transaction and say what became of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sequencer.cli.ask import get_url
from sequencer.cli.command import ExitStatus
from sequencer.cli.output import print_result

if TYPE_CHECKING:
    from sequencer.cli.drafts import Desk
    from sequencer.sdk.transport import Endpoint

WAIT_MS_MAX = 9_000
SHOWN = ("id", "status", "height", "index", "reason", "fee")


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add --no-wait."""
    parser.add_argument("--no-wait", action="store_true", help="return when it is taken in, not when it is final")


def send_draft(options: argparse.Namespace, draft: Mapping[str, Any], key_names: tuple[str, ...] = ()) -> int:
    """Send a draft, or a transaction that is signed already; print its id, and its outcome unless --no-wait."""
    import trio

    print_result(trio.run(_send, options, draft, key_names), options.json)
    return ExitStatus.OK


async def _send(options: argparse.Namespace, draft: Mapping[str, Any], key_names: tuple[str, ...]) -> dict[str, Any]:
    from sequencer.cli.drafts import sign_draft
    from sequencer.rpc.json_values import to_hex
    from sequencer.sdk.transport import Endpoint

    async with Endpoint(get_url(options)) as node:
        transaction = draft
        if not is_signed(draft):
            desk = await _open_desk(node, key_names)
            transaction = {"item": to_hex((await sign_draft(desk, draft)).item_bytes)}
        wait = {} if options.no_wait else {"wait_ms": WAIT_MS_MAX}
        check = {"check": True} if getattr(options, "check", False) else {}  # only `bundle send` has the option
        answer: Any = await node.call("seq_sendTransaction", {"transaction": transaction, **wait, **check})
    return {name: answer[name] for name in SHOWN if name in answer}


async def check_draft(
    options: argparse.Namespace, draft: Mapping[str, Any], key_names: tuple[str, ...]
) -> dict[str, Any]:
    """Return what a draft, or a signed transaction, would come to."""
    from sequencer.cli.drafts import fill_in
    from sequencer.sdk.transport import Endpoint

    async with Endpoint(get_url(options)) as node:
        transaction = draft
        if not is_signed(draft):
            transaction = await fill_in(await _open_desk(node, key_names), draft)
        answer: dict[str, Any] = await node.call("seq_checkBundle", {"transaction": transaction})  # type: ignore[assignment] # the method's answer is an object
    return answer


def is_signed(draft: Mapping[str, Any]) -> bool:
    """Tell whether it is a transaction already."""
    return "signatures" in draft or "item" in draft


async def _open_desk(node: Endpoint, key_names: tuple[str, ...]) -> Desk:
    from sequencer.cli.drafts import open_desk

    desk = await open_desk(node)
    for name in key_names:
        desk.add_key_file(name)
    return desk
