"""Sign transactions for a devnet's accounts, hand them in over raw JSON-RPC and remember the promises."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.fault_injection.cluster import Cluster
from sequencer.sdk.building import Account, BundleBuilder, operation, sign_bundle
from sequencer.types.bundle import Condition
from sequencer.types.genesis import Genesis

CHANNELS = 16
CALLS_PER_REQUEST = 100
DECIDED = ("committed", "aborted", "inadmissible")
VALID_UNTIL = 100_000
"""Height above anything that a script reaches."""


class Wallet:
    """The load accounts of a devnet with their next sequences."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.genesis = Genesis.from_bytes(Path(cluster.ready["genesis"]).read_bytes())
        self.accounts = {
            entry["name"]: Account(bytes.fromhex(Path(entry["key_file"]).read_text().strip()), entry["name"])
            for entry in cluster.ready["accounts"]
        }
        self._load = [account for name, account in self.accounts.items() if name.startswith("load")]
        self._slots = [(account, channel) for channel in range(CHANNELS) for account in self._load]
        self._sequences = {(account.address, channel): 0 for account, channel in self._slots}
        self._turn = 0
        self._lock = threading.Lock()
        self.acknowledged: dict[str, str] = {}
        """Id → validator that answered `accepted`."""

    def sign_transfer(
        self, name: str = "", *, amount: int = 1, conditions: Iterable[Condition] = ()
    ) -> tuple[str, str]:
        """Return id and item bytes, both in hex, of the next transfer on alpha; `name` picks the payer."""
        with self._lock:
            payer, channel = self._next_slot(name)
            sequence = self._sequences[(payer.address, channel)]
            self._sequences[(payer.address, channel)] = sequence + 1
        receiver = self.accounts["dave"].address
        bundle = (
            BundleBuilder(self.genesis)
            .add_leg("alpha", payer, [operation("transfer", "gold", receiver, amount)], conditions)
            .build(payer, sequence, 0, channel=channel, valid_until=VALID_UNTIL)
        )
        signed = sign_bundle(bundle, [payer])
        return "0x" + signed.id.hex(), "0x" + signed.item_bytes.hex()

    def send(self, validator: str, items: list[tuple[str, str]]) -> list[str]:
        """Hand items in and return the status of each; remember what was accepted."""
        transactions = [{"item": item} for _, item in items]
        answer = self._cluster.call(validator, "seq_sendTransactions", transactions=transactions)
        statuses = [str(result["status"]) for result in answer["results"]]
        for (item_id, _), status in zip(items, statuses, strict=True):
            if status == "accepted":
                self.acknowledged[item_id] = validator
        return statuses

    def get_receipt(self, validator: str, item_id: str) -> dict[str, Any]:
        """Return the receipt as the validator tells it."""
        receipt: dict[str, Any] = self._cluster.call(validator, "seq_getTransactionReceipt", id=item_id)
        return receipt

    def find_pending(self, validator: str, item_ids: Sequence[str]) -> list[str]:
        """Return which of the ids the validator has not executed."""
        return [item_id for page in self._iterate_pending(validator, item_ids) for item_id in page]

    def is_all_final(self, validator: str, item_ids: Sequence[str]) -> bool:
        """Tell whether the validator has executed all of them; asks no further than the first that is missing."""
        return not any(self._iterate_pending(validator, item_ids))

    def _iterate_pending(self, validator: str, item_ids: Sequence[str]) -> Iterator[list[str]]:
        for start in range(0, len(item_ids), CALLS_PER_REQUEST):
            page = [{"id": item_id} for item_id in item_ids[start : start + CALLS_PER_REQUEST]]
            receipts = self._cluster.call_many(validator, "seq_getTransactionReceipt", page)
            yield [receipt["id"] for receipt in receipts if receipt["status"] not in DECIDED]

    def _next_slot(self, name: str) -> tuple[Account, int]:
        if name:
            account = self.accounts[name]
            self._sequences.setdefault((account.address, 0), 0)
            return account, 0
        self._turn += 1
        return self._slots[(self._turn - 1) % len(self._slots)]
