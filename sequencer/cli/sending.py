"""Send one transaction and say what became of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from sequencer.cli.ask import get_url
from sequencer.cli.command import ExitStatus
from sequencer.cli.output import print_result

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
    from sequencer.cli.drafts import open_desk, sign_draft
    from sequencer.rpc.json_values import to_hex
    from sequencer.sdk.transport import Endpoint

    async with Endpoint(get_url(options)) as node:
        transaction = draft
        if not ("signatures" in draft or "item" in draft):
            desk = await open_desk(node)
            for name in key_names:
                desk.add_key_file(name)
            transaction = {"item": to_hex((await sign_draft(desk, draft)).item_bytes)}
        wait = {} if options.no_wait else {"wait_ms": WAIT_MS_MAX}
        answer: Any = await node.call("seq_sendTransaction", {"transaction": transaction, **wait})
    return {name: answer[name] for name in SHOWN if name in answer}
