"""Verify receipts with all nodes dead and no network: is the genuine one accepted and every other refused?

    python -m scripts.fault_injection.verify_receipts

The command line is run where no socket can be opened; as root, in a network namespace without any network.
Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from scripts.fault_injection.cluster import Cluster, is_running, wait_until
from scripts.fault_injection.offline import make_offline_command
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.wallet import Wallet
from sequencer.cli.cluster.blueprint import Wish, draw
from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import VerificationError
from sequencer.light import verify_file
from sequencer.types.bundle import AtLeast
from sequencer.types.genesis import Genesis
from sequencer.types.receipt import Receipt

FINAL_SECONDS_MAX = 30.0
FLIPS = (0x01, 0x80, 0xFF)
"""Bits that are turned over in each byte."""
SAMPLE = 40
"""Flipped files that the command line judges."""


def main() -> int:
    """Get receipts, stop everything, verify."""
    return run("Verify receipts with all nodes dead and no network: genuine accepted, all else refused?", verify)


def verify(report: Report) -> None:
    """Judge a committed and an aborted bundle's receipt, by the library and by the command line."""
    genesis, receipts = fetch(report)
    with tempfile.TemporaryDirectory(prefix="sequencer-script-") as name:
        folder = Path(name)
        (folder / "genesis.bin").write_bytes(genesis.to_bytes())
        for status, data in receipts.items():
            (folder / status).write_bytes(data)
            verified, refused, exit_status = run_command(folder, [status], "genesis.bin")
            report.claim((verified, refused, exit_status) == (1, 0, 0), f"{status}: accepted, {len(data)} bytes")
            check_flips(folder, status, data, genesis, report)
        check_strangers(folder, report)
        check_signers(Receipt.from_bytes(receipts["committed"]), genesis, report)


def fetch(report: Report) -> tuple[Genesis, dict[str, bytes]]:
    """Return the genesis and one receipt of each outcome, from a devnet that is dead on return."""
    with Cluster() as cluster:
        wallet = Wallet(cluster)
        never = AtLeast(f"balance/gold/{wallet.accounts['alice'].address.hex()}", 10**15)
        items = [wallet.sign_transfer("alice"), wallet.sign_transfer("alice", conditions=[never])]
        wallet.send("val0", items)
        receipts = {}
        for item_id, _ in items:
            wait_until(partial(is_final, wallet, item_id), FINAL_SECONDS_MAX, "final")
            receipt = wallet.get_receipt("val0", item_id)
            receipts[receipt["status"]] = bytes.fromhex(receipt["proof"][2:])
        pids = [cluster.get_pid(name) for name in cluster.names]
    dead = sum(not is_running(pid) for pid in pids)
    report.claim(dead == len(pids), f"{dead} of {len(pids)} nodes are dead")
    return wallet.genesis, receipts


def is_final(wallet: Wallet, item_id: str) -> bool:
    return bool(wallet.get_receipt("val0", item_id)["is_final"])


def run_command(folder: Path, files: Sequence[str], genesis: str) -> tuple[int, int, int]:
    """Run `sequencer verify` and return how many it accepted and refused, and its exit status."""
    command = [*make_offline_command(), "verify"]
    paths = [str(folder / name) for name in files]
    done = subprocess.run(
        [*command, *paths, "--genesis", str(folder / genesis), "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = json.loads(done.stdout.splitlines()[-1])
    return last["verified"], last["refused"], done.returncode


def check_flips(folder: Path, status: str, data: bytes, genesis: Genesis, report: Report) -> None:
    """Turn over every byte in three ways in this process, and some through the command line."""
    flipped = [flip(data, place, bits) for bits in FLIPS for place in range(len(data))]
    accepted = [place for place, one in enumerate(flipped) if is_accepted(one, genesis)]
    report.claim(not accepted, f"{status}: {len(flipped)} files with one byte flipped, {len(accepted)} accepted")
    sample = []
    for place in range(0, len(data), max(1, len(data) // SAMPLE)):
        sample.append(f"{status}.{place}")
        (folder / sample[-1]).write_bytes(flip(data, place, 0x01))
    verified, refused, exit_status = run_command(folder, sample, "genesis.bin")
    text = f"{status}: {refused} of {len(sample)} flipped files refused by the command line, exit {exit_status}"
    report.claim((verified, refused, exit_status) == (0, len(sample), 1), text)


def check_strangers(folder: Path, report: Report) -> None:
    """Under the genesis of another network with the same shape the receipt proves nothing."""
    (folder / "other.bin").write_bytes(draw(Wish(4, "alpha,beta,gamma", None, None)).genesis.to_bytes())
    verified, refused, exit_status = run_command(folder, ["committed"], "other.bin")
    report.claim(
        (verified, refused, exit_status) == (0, 1, 1), f"another network's genesis: refused, exit {exit_status}"
    )


def check_signers(receipt: Receipt, genesis: Genesis, report: Report) -> None:
    """A set below strong, and a signer who stands for two, are refused; the genuine set is not."""
    report.claim(is_accepted(receipt.to_bytes(), genesis), "control: the receipt written again unchanged is accepted")
    signers, signatures = receipt.chain.certificate.signers, receipt.chain.certificate.signatures
    forged = {
        "a signer missing below strong": change_signers(receipt, signers[:2], signatures[:2]),
        "a signer twice": change_signers(receipt, signers[:2], (*signatures[:2], signatures[0])),
        "a signer in the place of another": change_signers(receipt, signers[:3], (*signatures[:2], signatures[0])),
    }
    for name, data in forged.items():
        reason = get_refusal(data, genesis)
        report.claim(bool(reason), f"{name}: {reason or 'accepted'}")


def change_signers(receipt: Receipt, signers: tuple[int, ...], signatures: tuple[bytes, ...]) -> bytes:
    """Return the receipt under another set of signers."""
    certificate = replace(receipt.chain.certificate, signers=signers, signatures=signatures)
    return replace(receipt, chain=replace(receipt.chain, certificate=certificate)).to_bytes()


def flip(data: bytes, place: int, bits: int) -> bytes:
    """Return the bytes with one of them changed."""
    return data[:place] + bytes([data[place] ^ bits]) + data[place + 1 :]


def is_accepted(data: bytes, genesis: Genesis) -> bool:
    return not get_refusal(data, genesis)


def get_refusal(data: bytes, genesis: Genesis) -> str:
    """Return why a file proves nothing; empty if it is accepted."""
    try:
        verify_file(data, genesis, verify_ed25519)
    except VerificationError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sys.exit(main())
