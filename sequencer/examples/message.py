"""Send gold from one rollup to another, where it arrives later, once, and without anybody's doing.

Alice sends Bob gold from alpha to beta. It leaves alpha with her transaction; validators prove it by alpha's outbox and
deliver it on beta at a later position. No lock, no relayer to pay, and nothing is lost in between.

Run: `sequencer example message`, or `python -m sequencer.examples.message http://127.0.0.1:8600`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from sequencer.examples.stage import Stage, play, play_alone
from sequencer.execution.machines.access import make_outbox_key
from sequencer.sdk.building import operation
from sequencer.types.message import compute_message_id
from sequencer.types.outcome import Status
from sequencer.types.primitives import Height

GOLD = 40
HEIGHTS_AFTER = 8
"""Heights that pass before the last look: a second delivery would show."""


async def run(stage: Stage) -> dict[str, object]:
    """Send, wait for the arrival, and look again later."""
    source = stage.find_rollup("send")
    destination = stage.find_rollup("send", besides=(source,))
    origin, target = (stage.client.genesis.get_rollup_by_name(name).id for name in (source, destination))
    bob_before = await stage.get_balance(destination, "gold", stage.bob)
    stage.say(f"Alice sends {GOLD} gold from {source} to Bob on {destination}.")
    send = operation("send", target, "gold", stage.bob.address, GOLD)
    sent = await stage.send(stage.make_builder().add_leg(source, stage.alice, [send]))
    stage.tell(sent)
    message_id = compute_message_id(origin, sent.receipt.bundle_id, 0, 0)
    arrived = await wait_for_arrival(stage, destination, bob_before + GOLD)
    stage.say(f"  message {message_id.hex()[:16]}… arrived by height {arrived}, sent at {sent.receipt.height}")
    await wait_for_height(stage, arrived + HEIGHTS_AFTER)
    is_once = await stage.get_balance(destination, "gold", stage.bob) == bob_before + GOLD
    is_gone = await stage.get_value(source, make_outbox_key(message_id)) is None
    is_kept = sent.receipt.status is Status.COMMIT and is_once and is_gone
    stage.say(f"\n{HEIGHTS_AFTER} heights later Bob has it once: {'kept' if is_kept else 'BROKEN'}.")
    return {"kept": is_kept, "message": "0x" + message_id.hex(), "sent": sent.receipt.height, "arrived": arrived}


async def wait_for_arrival(stage: Stage, rollup: str, balance: int) -> Height:
    """Return a height by which Bob has as much gold."""

    async def has_arrived() -> bool:
        return await stage.get_balance(rollup, "gold", stage.bob) >= balance

    await stage.wait_until(has_arrived)
    return (await stage.client.get_status()).height


async def wait_for_height(stage: Stage, height: Height) -> None:
    """Return when the node has executed `height`."""

    async def is_executed() -> bool:
        return (await stage.client.get_status()).height >= height

    await stage.wait_until(is_executed)


def main(url: str, is_json: bool = False, executors: Mapping[str, str] | None = None) -> int:
    """Run the example; return 1 if the network did not keep its promise."""
    return play(run, url, is_json, executors)


if __name__ == "__main__":
    sys.exit(play_alone(run))
