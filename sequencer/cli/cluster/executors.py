"""Seat the executors of split rollups: what they are called, where they listen, and which keys are theirs.

An executor is a full node with one more key, whose public half the genesis lists under its rollup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sequencer.cli.cluster.ports import HOST
from sequencer.cli.cluster.rollups import RollupWish
from sequencer.crypto.signatures import Ed25519Signer
from sequencer.errors import LocalError
from sequencer.node.home import BEHAVIOURS, NodeKeys
from sequencer.types.genesis import NAME, Genesis, GenesisExecutor


@dataclass(frozen=True, slots=True)
class ExecutorSeat:
    """One executor before it has keys."""

    rollup: str
    name: str
    open: str = f"{HOST}:0"
    """HOST:PORT where its open host listens."""


@dataclass(frozen=True, slots=True)
class DrawnExecutor:
    """One executor on paper."""

    seat: ExecutorSeat
    keys: NodeKeys

    @property
    def member(self) -> GenesisExecutor:
        """What the genesis says of it."""
        assert self.keys.executor is not None
        return GenesisExecutor(self.seat.name, Ed25519Signer(self.keys.executor).public_key)


def name_executors(rollup: RollupWish) -> tuple[ExecutorSeat, ...]:
    """Return seats `gamma-0`, `gamma-1`, …; no validator or full node bears a name with a hyphen and a number."""
    seats = tuple(ExecutorSeat(rollup.name, f"{rollup.name}-{number}") for number in range(rollup.executors))
    for seat in seats:
        if not NAME.match(seat.name):
            raise LocalError(f"--rollups {rollup.name}: too long for the names of its executors ({seat.name})")
    return seats


def draw_executors(seats: Sequence[ExecutorSeat], derive: Callable[[str], bytes]) -> tuple[DrawnExecutor, ...]:
    """Give every seat its keys, ascending by name as the genesis wants them; `derive` gives 32 bytes for a label."""
    return tuple(
        DrawnExecutor(
            seat,
            NodeKeys(None, None, None, derive(f"{seat.name} open"), derive(f"{seat.name} executor")),
        )
        for seat in sorted(seats, key=lambda seat: seat.name)
    )


def list_executors(genesis: Genesis) -> dict[str, str]:
    """Return the rollup of every executor that the genesis names, in its order."""
    return {executor.name: rollup.name for rollup in genesis.rollups for executor in rollup.executors}


def parse_behaviours(entries: Sequence[str], executors: Sequence[str]) -> dict[str, str]:
    """Read `NAME=BEHAVIOUR`; raises `LocalError` naming the entry that cannot be met."""
    behaviours = {}
    for entry in entries:
        name, _, behaviour = entry.partition("=")
        if behaviour not in BEHAVIOURS:
            raise LocalError(f"--behave {entry}: must be NAME=BEHAVIOUR with one of {', '.join(BEHAVIOURS)}")
        if name not in executors:
            raise LocalError(f"--behave {entry}: there is no such executor ({', '.join(executors) or 'none at all'})")
        behaviours[name] = behaviour
    return behaviours
