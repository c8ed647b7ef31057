"""Count every asset: balances, reserves, and what is in flight. # A20

Bundles move amounts and messages carry them, so the sum over all rollups never changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sequencer.codec import U64_MAX, decode
from sequencer.errors import LocalError
from sequencer.execution.machines.access import OUTBOX_PREFIX
from sequencer.types.genesis import Genesis
from sequencer.types.message import CrossMessage
from sequencer.types.primitives import StateValue

BALANCE_PREFIX = "balance/"
POOL_PREFIX = "pool/"


def sum_assets(entries: Iterable[tuple[str, StateValue]]) -> Counter[str]:
    """Return the total of each asset in one rollup's state: balances, reserves, and messages in its outbox."""
    totals: Counter[str] = Counter()
    for key, value in entries:
        if isinstance(value, int) and key.startswith((BALANCE_PREFIX, POOL_PREFIX)):
            totals[_read_asset(key)] += value
        elif isinstance(value, bytes) and key.startswith(OUTBOX_PREFIX):
            message = CrossMessage.from_value(decode(value, key), key)
            totals[message.asset] += message.amount
    return totals


def _read_asset(key: str) -> str:
    """Return the asset of balance/<asset>/<address> or pool/<pair>/<asset>."""
    parts = key.split("/")
    return parts[1] if key.startswith(BALANCE_PREFIX) else parts[-1]


def verify_genesis_assets(genesis: Genesis) -> None:
    """Refuse what could make a delivery fail or a message come from nowhere; raises `LocalError` naming it."""
    totals: Counter[str] = Counter()
    for rollup in genesis.rollups:
        for key, value in rollup.state:
            if key.startswith(OUTBOX_PREFIX):
                raise LocalError(f"genesis.rollups.{rollup.name}: {key}: nobody sent a message before height 1")
            if isinstance(value, bytes) and key.startswith((BALANCE_PREFIX, POOL_PREFIX)):
                raise LocalError(f"genesis.rollups.{rollup.name}: {key}: must be an amount")
        totals.update(sum_assets(rollup.state))
    for asset, total in sorted(totals.items()):
        if total > U64_MAX:
            raise LocalError(f"genesis.rollups: {asset} adds up to {total} over all rollups, at most {U64_MAX} may be")
