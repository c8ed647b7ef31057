"""Send an amount to an account on another rollup, where it is delivered later. # A19

send(destination, asset, to, amount)     from the leg's signer; exports `amount`
What was sent is in flight until a DELIVER item brings it: exactly once, at no fixed time.
"""

from __future__ import annotations

from sequencer.execution.machines.access import LegState, Revert, Value
from sequencer.execution.machines.arguments import expect_count, take, take_address, take_amount, take_asset
from sequencer.execution.machines.transfer import debit
from sequencer.types.message import CrossMessage
from sequencer.types.primitives import RollupId

SEND = "send"


def send(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Take an amount of at least 1 from the signer and put a message into the outbox."""
    expect_count(arguments, 4)
    destination = _take_destination(state, arguments)
    asset, to, amount = take_asset(arguments, 1), take_address(arguments, 2), take_amount(arguments, 3)
    debit(state, asset, amount)
    origin = state.origin
    place = (origin.bundle_id, origin.leg, state.operation)
    state.send(CrossMessage(origin.rollup, destination, asset, state.signer, to, amount, *place))
    state.outputs["amount"] = amount


def _take_destination(state: LegState, arguments: tuple[Value, ...]) -> RollupId:
    """Return the first argument; reverts unless it is another rollup whose machine could send the amount on."""
    destination = take(arguments, 0, int)
    if destination == state.origin.rollup or SEND not in state.origin.operations_by_rollup.get(destination, ()):
        raise Revert("BAD_DESTINATION", "the id of another rollup that has balances", str(destination))
    return destination


OPERATIONS = {SEND: send}
