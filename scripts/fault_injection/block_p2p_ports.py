"""Block the p2p ports of a running devnet: height stands still while RPC answers, and grows again after.

    python -m scripts.fault_injection.block_p2p_ports        (root; needs nft and unshare)

Runs itself again in a network namespace of its own, so that the rules touch nothing else and
vanish with it. Exit status: 0 all claims hold, 1 one is broken, 2 root or a tool is missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import CANNOT_RUN, Report, find_obstacle, run

INSIDE = "SEQUENCER_SCRIPT_NAMESPACE"
CUT_SECONDS = 8.0
AGAIN_SECONDS_MAX = 10.0
TABLE = "sequencer_script"


def main() -> int:
    """Enter the namespace, or do the work inside it."""
    if os.environ.get(INSIDE):
        return run("Block the p2p ports: does height stand still while RPC answers, and grow again after?", block)
    obstacle = find_obstacle(("nft", "unshare", "ip"), needs_root=True)
    if not obstacle:
        enter_namespace()
    print(f"cannot run: {obstacle}", file=sys.stderr)
    return CANNOT_RUN


def enter_namespace() -> NoReturn:
    """Become this same script in a namespace with nothing but a loopback device."""
    inner = f"ip link set lo up && exec {sys.executable} -m scripts.fault_injection.block_p2p_ports"
    os.execvpe("unshare", ["unshare", "--net", "sh", "-c", inner], {**os.environ, INSIDE: "1"})


def block(report: Report) -> None:
    """Cut all p2p traffic for a while."""
    with Cluster() as cluster:
        ports = check_sockets(cluster, report)
        wait_until(lambda: cluster.get_height("val0") > 5, 30, "some heights")
        set_rules(ports)
        time.sleep(2)
        before = [cluster.get_height(name) for name in cluster.names]
        time.sleep(CUT_SECONDS)
        during = [cluster.get_height(name) for name in cluster.names]
        report.claim(before == during, f"blocked for {CUT_SECONDS:.0f} s: heights {before} -> {during}, RPC answers")
        nft(f"delete table inet {TABLE}")
        seconds = wait_until(
            lambda: min(cluster.get_height(name) for name in cluster.names) > max(during), 30, "height grows"
        )
        report.claim(seconds <= AGAIN_SECONDS_MAX, f"unblocked: every height grew within {seconds:.1f} s")
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")


def check_sockets(cluster: Cluster, report: Report) -> list[int]:
    """Four processes, each with listening sockets of its own; return all p2p ports."""
    ports: list[int] = []
    pids = set()
    for validator in cluster.ready["validators"]:
        expected = sorted(int(address.rsplit("/", 1)[1]) for address in validator["p2p"].values())
        rpc = int(validator["rpc"].rsplit(":", 1)[1])
        is_own = {*expected, rpc} == get_listening_ports(validator["pid"])
        text = f"listens on {expected} for peers, {rpc} for clients, and nothing else"
        report.claim(is_own, f"{validator['name']} pid {validator['pid']} {text}")
        ports += expected
        pids.add(validator["pid"])
    report.claim(len(pids) == len(cluster.names), f"{len(pids)} processes")
    return ports


def get_listening_ports(pid: int) -> set[int]:
    """Return the TCP ports on which a process listens, from /proc."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(entry)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    ports = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports


def set_rules(ports: list[int]) -> None:
    """Drop every packet to or from the ports, in this namespace."""
    listed = ", ".join(map(str, ports))
    nft(f"add table inet {TABLE}")
    nft(f"add chain inet {TABLE} cut {{ type filter hook input priority 0; }}")
    nft(f"add rule inet {TABLE} cut tcp dport {{ {listed} }} drop")
    nft(f"add rule inet {TABLE} cut tcp sport {{ {listed} }} drop")


def nft(command: str) -> None:
    """Run one nft command; raises if it fails."""
    subprocess.run(["nft", *command.split()], check=True, timeout=10)


if __name__ == "__main__":
    sys.exit(main())
