"""Flood with what clients and gossip bring: transactions that wait, in every way in which they can wait. # B14 A6"""

from __future__ import annotations

from sequencer.simulation.floods.hall import RICH_ACCOUNTS, Hall

CHANNELS = 16
FAT_OPERATIONS = 60
"""Operations with which a bundle nearly fills an item."""


def submit_at_once(hall: Hall) -> None:
    """Two thousand requests within one moment."""
    item = hall.make_item(0, 0, 5)
    for request in range(1, 2_001):
        hall.victim.submit(request, (item,))
    hall.look()


def submit_successors(hall: Hall) -> None:
    """Twenty-five successors of a transaction that never comes, on each channel of many accounts, twice."""
    request = 0
    for account in range(RICH_ACCOUNTS):
        for channel in range(CHANNELS):
            request += 1
            items = tuple(hall.make_item(account, channel, sequence) for sequence in range(1, 26))
            hall.victim.submit(request, items)
        hall.advance(20)


def submit_requests_that_wait(hall: Hall) -> None:
    """Many requests a second, which are answered when their batch is durable, and batches take their time."""
    for request in range(9_000):
        account, channel = request % RICH_ACCOUNTS, request // RICH_ACCOUNTS % CHANNELS
        hall.victim.submit(request + 1, (hall.make_item(account, channel, request // (RICH_ACCOUNTS * CHANNELS)),))
        if request % 500 == 0:
            hall.advance(20)


def submit_fat_transactions(hall: Hall) -> None:
    """Transactions of the largest size to a validator that hears nobody, so that nothing becomes final."""
    victim = hall.victim.index
    hall.simulation.network.cut([(min(victim, peer), max(victim, peer)) for peer in hall.lanes if peer != victim])
    request = 0
    for sequence in range(2):
        for account in range(RICH_ACCOUNTS):
            for channel in range(CHANNELS):
                request += 1
                hall.victim.submit(request, (hall.make_item(account, channel, sequence, FAT_OPERATIONS),))
            hall.advance(40)


def gossip_at_once(hall: Hall) -> None:
    """A thousand envelopes within one moment."""
    item = hall.make_item(0, 0, 5)
    for _ in range(1_000):
        hall.victim.on_gossip((item,))
    hall.look()
