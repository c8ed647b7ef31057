"""Send bundles that are built to break the rules: has each its documented reason, fee and sequence effect?

    python -m scripts.fault_injection.hostile_bundles

After each a good transaction of the same payer must be untouched. Ends with one line of JSON.
Exit status: 0 all claims hold, 1 one is broken, 2 it could not run.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.markers import Marker, MarkerWallet
from scripts.fault_injection.report import Report, run
from sequencer.sdk.building import Account, BundleBuilder, operation, sign_bundle
from sequencer.types.bundle import AccessMode, Bundle, Leg, Operation
from sequencer.types.item import SignedBundle
from sequencer.types.parameters import Parameters

SPLIT = "gamma"
ROLLUPS = f"alpha,beta:transfer,{SPLIT}:transfer:split=3"
VALID_UNTIL = 100_000
DECIDE_WITHIN = 64
LONG = 256
"""Heights to the timeout of what fills the table: it must still be open when one more comes."""
ORDERED_SECONDS_MAX = 60.0
ASK_SECONDS_MAX = 30.0
TRIES_MAX = 10
"""Pairs of bundles of one sequence that are sent until both are on their way."""
REFUSED = -32003
NOTHING = (0, 0)
"""No fee, no sequence."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a payer has left."""

    deposit: int
    sequence: int


class Scene:
    """One devnet, and a payer who tries everything."""

    def __init__(self, cluster: Cluster, folder: Path, report: Report) -> None:
        self.cluster = cluster
        self.report = report
        self.markers = MarkerWallet(cluster, folder / "markers.jsonl")
        self.genesis = self.markers.genesis
        self.parameters: Parameters = self.genesis.parameters
        entry = next(entry for entry in cluster.ready["accounts"] if entry["name"] == "alice")
        self.payer = Account(bytes.fromhex(Path(entry["key_file"]).read_text().strip()), "alice")
        self.count = 0
        self.figures: dict[str, str] = {}

    # --- building -----------------------------------------------------------------------

    def build(
        self,
        rollups: Sequence[str],
        sequence: int,
        decide_within: int | None = None,
        operations: Sequence[Sequence[Operation]] = (),
        deps: Sequence[bytes] = (),
    ) -> Bundle:
        """Return a bundle that leaves a marker of its own on each rollup, or does what is asked for."""
        self.count += 1
        key = f"kv/hostile/{self.count}"
        builder = BundleBuilder(self.genesis)
        for index, rollup in enumerate(rollups):
            done = operations[index] if operations else (operation("set", key, 1),)
            keys = [key, f"balance/gold/{self.payer.address.hex()}"]
            access = tuple((one, AccessMode.WRITE) for one in sorted(keys))
            builder.add_leg(rollup, self.payer, done, (), access)
        for dep in deps:
            builder.after(dep)
        return builder.build(self.payer, sequence, 0, valid_until=VALID_UNTIL, decide_within=decide_within)

    def sign(self, bundle: Bundle) -> SignedBundle:
        return sign_bundle(bundle, [self.payer])

    # --- asking -------------------------------------------------------------------------

    def look(self) -> Standing:
        """Return what the payer has left."""
        account = self.cluster.call("val0", "seq_getAccount", address="0x" + self.payer.address.hex())
        return Standing(int(account["deposit"]), account["sequences"][0])

    def send(self, signed: SignedBundle, name: str = "val0") -> tuple[int, str]:
        """Return code and reason of a refusal, or 0 and the status."""
        answer = self.cluster.call(
            name, "seq_sendTransactions", transactions=[{"item": "0x" + signed.item_bytes.hex()}]
        )
        (result,) = answer["results"]
        return (REFUSED, result["reason"]) if result["status"] == "rejected" else (0, result["status"])

    def get_receipt(self, signed: SignedBundle, name: str = "val0") -> dict[str, Any]:
        return dict(self.cluster.call(name, "seq_getBundleReceipt", id="0x" + signed.id.hex()))

    def wait_for(self, signed: SignedBundle, name: str = "val0") -> dict[str, Any]:
        """Return the receipt once the bundle is ordered and not pending."""

        def is_done() -> bool:
            receipt = self.get_receipt(signed, name)
            return receipt["ordered_at"] is not None and receipt["status"] != "pending"

        wait_until(is_done, ORDERED_SECONDS_MAX, f"{signed.id.hex()[:8]} is ordered and decided")
        return self.get_receipt(signed, name)

    # --- judging ------------------------------------------------------------------------

    def judge(self, what: str, told: str, expected: str, before: Standing, effect: tuple[int, int]) -> None:
        """Claim the reason and what it cost: (fee, sequences)."""
        after = self.look()
        spent = (before.deposit - after.deposit, after.sequence - before.sequence)
        is_right = told == expected and spent == effect
        self.figures[what] = told
        self.report.claim(is_right, f"{what}: {told}; fee {spent[0]}, sequences {spent[1]}")

    def play_next(self, what: str) -> None:
        """A good transaction of the same payer right after it takes effect, for its own fee and sequence."""
        before = self.look()
        signed = self.sign(self.build(("alpha",), before.sequence))
        self.send(signed)
        receipt = self.wait_for(signed)
        after = self.look()
        spent = (before.deposit - after.deposit, after.sequence - before.sequence)
        is_right = receipt["status"] == "committed" and spent == (self.fee(1), 1)
        self.report.claim(is_right, f"  the next after {what}: {receipt['status']}, fee {spent[0]}")

    def fee(self, operations: int) -> int:
        """Return what a bundle on native rollups burns."""
        return self.parameters.fee_base + self.parameters.fee_per_operation * operations


def main() -> int:
    """Try everything on one devnet."""
    return run("Send hostile bundles: has each its documented reason, fee and sequence effect?", attack)


def attack(report: Report) -> None:
    """Refused at the door first, then refused by the log, then a full table."""
    with tempfile.TemporaryDirectory(prefix="hostile-bundles-") as name, Cluster("--rollups", ROLLUPS) as cluster:
        scene = Scene(cluster, Path(name), report)
        scene.play_next("nothing")
        for what, expected, signed in make_refused(scene):
            before = scene.look()
            code, reason = scene.send(signed)
            scene.judge(what, f"{code} {reason}", f"{REFUSED} {expected}", before, NOTHING)
            scene.play_next(what)
        use_sequence_twice(scene)
        depend_on_the_future(scene)
        fill_the_table(scene)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")
    report.tell(scene.figures)


def make_refused(scene: Scene) -> Iterator[tuple[str, str, SignedBundle]]:
    """Yield what no node takes in: name, reason, bundle; each is wrong in one thing only."""

    def build(rollups: Sequence[str], decide_within: int | None, *legs: Operation) -> SignedBundle:
        return scene.sign(scene.build(rollups, scene.look().sequence, decide_within, [[leg] for leg in legs]))

    def alter(pick: Callable[[tuple[Leg, ...]], tuple[Leg, ...]]) -> SignedBundle:
        two = build(("alpha", "beta"), 0)
        return replace(two, bundle=replace(two.bundle, legs=pick(two.bundle.legs)))

    mint, burn = operation("mint", "gold", scene.payer.address, 5), operation("burn", "gold", 4)
    yield "leg stripped", "BAD_SIGNATURE", alter(lambda legs: legs[:1])
    yield "legs reordered", "BAD_SIGNATURE", alter(lambda legs: legs[::-1])
    yield "leg doubled", "BAD_SIGNATURE", alter(lambda legs: (*legs, legs[0]))
    yield "decide_within 0", "BAD_DECIDE_WITHIN", build(("alpha", SPLIT), 0)
    yield "decide_within 2", "BAD_DECIDE_WITHIN", build(("alpha", SPLIT), 2)
    yield "decide_within on native", "BAD_DECIDE_WITHIN", build(("alpha",), DECIDE_WITHIN)
    yield "mint without burn", "UNBALANCED", build(("alpha",), 0, mint)
    yield "mint more than burned", "UNBALANCED", build(("alpha", "beta"), 0, burn, mint)


def send_rivals(scene: Scene) -> tuple[Standing, tuple[tuple[SignedBundle, str], ...]]:
    """Hand two bundles of one sequence to two validators at once, until both are taken in before one is executed."""
    for _ in range(TRIES_MAX):
        before = scene.look()
        rivals = [scene.sign(scene.build((rollup,), before.sequence)) for rollup in ("alpha", "beta")]
        held_by = tuple(zip(rivals, ("val0", "val1"), strict=True))
        with ThreadPoolExecutor(len(held_by)) as pool:
            codes = [code for code, _ in pool.map(lambda pair: scene.send(*pair), held_by)]
        if not any(codes):
            return before, held_by
        wait_until(partial(has_moved, scene, before), ORDERED_SECONDS_MAX, "one of two rivals is executed")
    raise RuntimeError(f"of {TRIES_MAX} pairs of rivals none was taken in together")


def has_moved(scene: Scene, before: Standing) -> bool:
    """Tell whether the payer has spent anything since."""
    return scene.look() != before


def use_sequence_twice(scene: Scene) -> None:
    """Two bundles of one sequence at two validators: one takes effect, the other none; sent again it is refused."""
    before, held_by = send_rivals(scene)
    rivals = [one for one, _ in held_by]

    def get_receipts() -> list[dict[str, Any]]:
        return [scene.get_receipt(one, name) for one, name in held_by]

    wait_until(
        lambda: not {"pending", "unknown"} & {one["status"] for one in get_receipts()},
        ORDERED_SECONDS_MAX,
        "both rivals are over",
    )
    receipts = get_receipts()
    told = " and ".join(sorted(receipt["status"] for receipt in receipts))
    scene.judge("sequence used twice", told, "committed and replaced", before, (scene.fee(1), 1))
    lost = next(receipt for receipt in receipts if receipt["status"] == "replaced")
    won = next(receipt for receipt in receipts if receipt["status"] == "committed")
    scene.report.claim(lost["replaced_by"] == won["id"], "  the replaced one names the one that took its place")
    for what, signed in (("sequence used again", rivals[0]), ("sequence used by another", rivals[1])):
        middle = scene.look()
        code, reason = scene.send(signed)
        scene.judge(what, f"{code} {reason}", f"{REFUSED} SEQUENCE_USED", middle, NOTHING)
    scene.play_next("sequence used twice")


def depend_on_the_future(scene: Scene) -> None:
    """A bundle that depends on its own successor aborts at its position; the successor is untouched."""
    before = scene.look()
    later = scene.sign(scene.build(("alpha",), before.sequence + 1))
    forward = scene.sign(scene.build(("beta",), before.sequence, deps=[later.id]))
    scene.send(forward)
    scene.send(later)
    told = scene.wait_for(forward)["reason"]
    followed = scene.wait_for(later)["status"]
    scene.judge("forward dep", told, f"DEP:{later.id.hex()}", before, (2 * scene.fee(1), 2))
    scene.report.claim(followed == "committed", f"  the bundle that it depends on: {followed}")
    scene.play_next("forward dep")


def fill_the_table(scene: Scene) -> None:
    """With the executors stopped as many bundles wait as may; one more is refused, and comes in once there is room."""
    cap = scene.parameters.pending_per_rollup_max
    for name in scene.cluster.executor_names:
        scene.cluster.kill(name, signal.SIGSTOP)
    filling = [scene.markers.sign(("alpha", SPLIT), decide_within=LONG) for _ in range(cap)]
    scene.markers.send(filling)
    wait_until(partial(is_all_open, scene, filling), ORDERED_SECONDS_MAX, f"{cap} bundles are open")
    before = scene.look()
    extra = scene.sign(scene.build(("alpha", SPLIT), before.sequence, LONG))
    scene.send(extra)
    receipt = scene.wait_for(extra)
    scene.judge(
        f"{cap} + 1 pending", f"{receipt['status']} {receipt['reason']}", "inadmissible PENDING_FULL", before, NOTHING
    )
    scene.play_next("one too many")
    for name in scene.cluster.executor_names:
        scene.cluster.kill(name, signal.SIGCONT)
    wait_until(partial(is_all_committed, scene, filling), ORDERED_SECONDS_MAX, f"all {cap} are committed")
    scene.report.claim(True, f"the executors go on: all {cap} commit")
    late = scene.sign(scene.build(("alpha", SPLIT), scene.look().sequence, DECIDE_WITHIN))
    scene.send(late)
    status = scene.wait_for(late)["status"]
    scene.report.claim(status == "committed", f"control: with room again a bundle of the same kind: {status}")


def ask_all(scene: Scene, markers: Sequence[Marker]) -> list[dict[str, Any]]:
    """Return what val0 says of each."""
    pages = [[{"id": one.id} for one in markers[start : start + 100]] for start in range(0, len(markers), 100)]
    answers = (scene.cluster.call_many("val0", "seq_getTransactionReceipt", page, ASK_SECONDS_MAX) for page in pages)
    return [one for answer in answers for one in answer]


def is_all_open(scene: Scene, markers: Sequence[Marker]) -> bool:
    """Tell whether all are ordered and undecided."""
    return all(one["height"] is not None and one["status"] == "pending" for one in ask_all(scene, markers))


def is_all_committed(scene: Scene, markers: Sequence[Marker]) -> bool:
    """Tell whether all took effect."""
    return all(one["status"] == "committed" for one in ask_all(scene, markers))


if __name__ == "__main__":
    sys.exit(main())
