"""Sign bundles that leave one marker on each of their rollups, write down what is sent, and hand it in.

Bundle i writes `kv/m/i` on every rollup that it touches, and on request burns an amount on its first rollup and
mints it on its last, or sends an amount from its last to its first. A line of JSON per bundle (`id`, `key`,
`rollups`) is on disk before the bundle leaves, so whoever reads the rollups knows what may stand there.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.fault_injection.cluster import Cluster
from sequencer.sdk.building import Account, BundleBuilder, operation, sign_bundle
from sequencer.types.bundle import AccessMode, AccessSet, Equals, Operation
from sequencer.types.genesis import Genesis

CHANNELS = 16
ITEMS_PER_CALL = 200
VALID_UNTIL = 100_000
"""Height above anything that a script reaches."""
ASSET = "gold"


@dataclass(frozen=True, slots=True)
class Marker:
    """One signed bundle."""

    id: str
    key: str
    rollups: tuple[str, ...]
    item: str
    validator: str
    """Who gets it: a channel keeps its order only at one validator."""


class MarkerWallet:
    """The load accounts of a devnet and the markers that they sent."""

    def __init__(self, cluster: Cluster, log: Path) -> None:
        """`log` gets a line per marker."""
        self.log = log
        self.genesis = Genesis.from_bytes(Path(cluster.ready["genesis"]).read_bytes())
        self._cluster = cluster
        entries = [entry for entry in cluster.ready["accounts"] if entry["name"].startswith("load")]
        accounts = [Account(bytes.fromhex(Path(entry["key_file"]).read_text().strip())) for entry in entries]
        self._slots = [(account, channel) for channel in range(CHANNELS) for account in accounts]
        self._sequences = [0] * len(self._slots)
        self._count = 0
        self._lock = threading.Lock()

    def get_address_hex(self) -> str:
        """Return the address of an account that owns something on every rollup with balances."""
        return self._slots[0][0].address.hex()

    def sign(
        self,
        rollups: Sequence[str],
        *,
        decide_within: int,
        false_on: str | None = None,
        moved: int = 0,
        sent: int = 0,
    ) -> Marker:
        """Return the next marker.

        `false_on` names a rollup whose condition is false; `moved` is burned on the first rollup and minted on the
        last; `sent` leaves the last one as a message to the first.
        """
        with self._lock:
            number, slot = self._count, self._count % len(self._slots)
            self._count += 1
            sequence = self._sequences[slot]
            self._sequences[slot] += 1
        payer, channel = self._slots[slot]
        key = f"kv/m/{number}"
        builder = BundleBuilder(self.genesis)
        for rollup in rollups:
            conditions = (Equals(key, 7),) if rollup == false_on else ()
            operations = [operation("set", key, 1), *make_move(payer, rollups, rollup, moved)]
            if sent and rollup == rollups[-1]:
                home = self.genesis.get_rollup_by_name(rollups[0]).id
                operations.append(operation("send", home, ASSET, payer.address, sent))
            builder.add_leg(rollup, payer, operations, conditions, make_access(key, payer, moved + sent))
        bundle = builder.build(
            payer, sequence, 0, channel=channel, valid_until=VALID_UNTIL, decide_within=decide_within
        )
        signed = sign_bundle(bundle, [payer])
        validator = self._cluster.names[slot % len(self._cluster.names)]
        return Marker("0x" + signed.id.hex(), key, tuple(rollups), "0x" + signed.item_bytes.hex(), validator)

    def send(self, markers: Iterable[Marker]) -> Counter[str]:
        """Write the markers down, hand each to its validator, and return how often each answer came."""
        markers = list(markers)
        with self._lock, self.log.open("a") as file:
            file.writelines(json.dumps({"id": m.id, "key": m.key, "rollups": m.rollups}) + "\n" for m in markers)
        names = self._cluster.names
        own = [[marker for marker in markers if marker.validator == name] for name in names]
        with ThreadPoolExecutor(len(names)) as pool:  # to all validators at once
            return sum(pool.map(self._hand_in, names, own), Counter())

    def _hand_in(self, name: str, markers: Sequence[Marker]) -> Counter[str]:
        statuses: Counter[str] = Counter()
        for start in range(0, len(markers), ITEMS_PER_CALL):
            page = [{"item": marker.item} for marker in markers[start : start + ITEMS_PER_CALL]]
            told = self._cluster.call(name, "seq_sendTransactions", seconds_max=10.0, transactions=page)
            statuses.update(result["status"] for result in told["results"])
        return statuses


def make_move(payer: Account, rollups: Sequence[str], rollup: str, amount: int) -> tuple[Operation, ...]:
    """Return what a leg does to move an amount from the first rollup to the last."""
    if not amount or rollup not in (rollups[0], rollups[-1]):
        return ()
    if rollup == rollups[0]:
        return (operation("burn", ASSET, amount),)
    return (operation("mint", ASSET, payer.address, amount),)


def make_access(key: str, payer: Account, moved: int) -> AccessSet:
    """Return the keys that a leg touches, so that bundles of different payers never meet."""
    keys = [key, *([f"balance/{ASSET}/{payer.address.hex()}"] if moved else [])]
    return tuple((one, AccessMode.WRITE) for one in sorted(keys))
