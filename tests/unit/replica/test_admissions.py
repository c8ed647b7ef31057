"""What the items of a block tell of the lanes that brought them. # L9"""

from __future__ import annotations

from sequencer.lanes.spam import ItemMark
from sequencer.replica.admissions import list_admissions
from sequencer.types.bundle import Operation
from sequencer.types.item import check_item
from sequencer.types.message import Delivery
from tests.execution_world import ALICE, ALPHA, BETA, BOB, GENESIS, World, make_leg, transfer, verify_token


def test_L9_late_copies_are_told_from_refused_items_and_from_those_that_took_effect() -> None:
    """A delivery, its copy, one without proof; a bundle, the same again, bytes that are no item."""
    world = World()
    world.execute(world.make_bundle(make_leg(ALPHA, Operation("send", (BETA, "USD", BOB, 5)))))
    ((message_id,),) = world.executor.mail.get_undelivered().values()
    good = world.executor.mail.prove_message(ALPHA, message_id)
    assert good is not None
    bad = Delivery(good.message, 99, good.path)
    bundle = world.check(world.make_bundle(make_leg(ALPHA, transfer(BOB, 1), signer=ALICE)))
    items = [bad.item_bytes, good.item_bytes, good.item_bytes, bundle[0], bundle[0], b"junk"]
    checked = [(item, check_item(item, GENESIS.item_rules, verify_token)) for item in items]
    block = world.execute_items(checked)
    marks = [mark for _, mark in list_admissions([(0, 4), (2, 2)], block)]
    assert marks == [
        ItemMark.REFUSED,
        ItemMark.SHARED,
        ItemMark.LATE,
        ItemMark.FINE,
        ItemMark.REFUSED,
        ItemMark.REFUSED,
    ]
    assert [lane for lane, _ in list_admissions([(0, 4), (2, 2)], block)] == [0, 0, 0, 0, 2, 2]
