"""Know every machine by the name that the genesis gives it.

access            what a leg sees of its rollup's state, and what reverts it
arguments         read arguments, or revert
key_value         set, delete, add under kv/ (part of every machine)
guards            read values, demand something of them (part of every machine)
transfer          balances of several assets
sending           amounts that leave for another rollup (part of transfer and amm)
amm               balances and constant-product pools
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from sequencer.errors import LocalError
from sequencer.execution.machines import amm, guards, key_value, sending, transfer
from sequencer.execution.machines.access import LegState, Value

Machine: TypeAlias = Mapping[str, Callable[[LegState, tuple[Value, ...]], None]]
"""Name of an operation → what it does; an operation raises nothing but `Revert`."""

_COMMON: Machine = {**key_value.OPERATIONS, **guards.OPERATIONS}
_TRANSFER: Machine = {**_COMMON, **transfer.OPERATIONS, **sending.OPERATIONS}

MACHINES: Mapping[str, Machine] = {
    "amm": {**_TRANSFER, **amm.OPERATIONS},
    "key_value": _COMMON,
    "transfer": _TRANSFER,
}


def get_machine(name: str) -> Machine:
    """Return the machine registered under `name`; raises `LocalError` if there is none."""
    machine = MACHINES.get(name)
    if machine is None:
        raise LocalError(f"no machine is called {name!r}; there are {', '.join(sorted(MACHINES))}")
    return machine
