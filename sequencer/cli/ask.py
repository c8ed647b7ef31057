"""Ask one node one question, as most commands do."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from sequencer.cli.command import RPC_DEFAULT


def get_url(options: argparse.Namespace) -> str:
    """Return --rpc, else the newest devnet of this user, else the usual address."""
    from sequencer.cli.cluster.ready import read_published

    return str(options.rpc or (read_published() or {}).get("rpc") or RPC_DEFAULT)


def ask(options: argparse.Namespace, method: str, parameters: Mapping[str, object]) -> Any:
    """Return the result of one RPC method; raises the SDK's error if there is none."""
    import trio

    from sequencer.sdk.transport import Endpoint

    async def call() -> Any:
        async with Endpoint(get_url(options)) as node:
            return await node.call(method, parameters)

    return trio.run(call)
