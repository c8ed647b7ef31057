"""The simulated network keeps the promises that the protocol relies on, and no more. # G4"""

from __future__ import annotations

from sequencer.simulation.network import DelayProfile, Network
from sequencer.simulation.scheduler import SECOND, Scheduler
from sequencer.types.messages import GetBlocks, Message, Sync


class RecordingEndpoint:
    """A node that only remembers what happened to it."""

    def __init__(self) -> None:
        self.is_running = True
        self.seen: list[object] = []

    def on_connected(self, peer: int) -> None:
        self.seen.append(("connected", peer))

    def on_disconnected(self, peer: int) -> None:
        self.seen.append(("disconnected", peer))

    def on_message(self, peer: int, message: Message) -> None:
        self.seen.append(message)

    def get_messages(self) -> list[object]:
        return [entry for entry in self.seen if not isinstance(entry, tuple)]


def make_network(seed: int, size: int = 2) -> tuple[Scheduler, Network, list[RecordingEndpoint]]:
    scheduler = Scheduler()
    network = Network(scheduler, str(seed), size, DelayProfile(1_000, 20_000, 200_000))
    endpoints = [RecordingEndpoint() for _ in range(size)]
    network.attach(list(endpoints))
    run(scheduler, 1)
    return scheduler, network, endpoints


def run(scheduler: Scheduler, seconds: float) -> None:
    scheduler.run_until(scheduler.now_us + int(seconds * SECOND))


def make_vote_message(number: int) -> GetBlocks:
    return GetBlocks(bytes(32), number)


def make_data_message(number: int) -> Sync:
    return Sync(number, 1)


def test_network_living_connection_loses_and_reorders_nothing() -> None:
    """Each channel delivers everything in order; neither waits for the other."""
    scheduler, network, endpoints = make_network(1)
    for number in range(40):
        network.send(0, 1, make_vote_message(number))
        network.send(0, 1, make_data_message(number))
    run(scheduler, 2)
    messages = endpoints[1].get_messages()
    assert [m.count for m in messages if isinstance(m, GetBlocks)] == list(range(40))
    assert [m.from_height for m in messages if isinstance(m, Sync)] == list(range(40))
    alternating = [
        message for number in range(40) for message in (make_vote_message(number), make_data_message(number))
    ]
    assert messages != alternating


def test_network_break_loses_a_suffix_per_channel() -> None:
    """What arrives of a broken connection is a prefix; both sides notice and connect again."""
    lengths = set()
    for seed in range(30):
        scheduler, network, endpoints = make_network(seed)
        for number in range(30):
            network.send(0, 1, make_vote_message(number))
            run(scheduler, 0.001)
        network.break_connection(0, 1)
        run(scheduler, 5)
        arrived = [m.count for m in endpoints[1].get_messages() if isinstance(m, GetBlocks)]
        assert arrived == list(range(len(arrived)))
        lengths.add(len(arrived))
        for endpoint, peer in zip(endpoints, (1, 0), strict=True):
            assert endpoint.seen.count(("disconnected", peer)) == 1
            assert endpoint.seen.count(("connected", peer)) == 2
    assert len(lengths) > 5


def test_network_message_sent_before_the_break_is_noticed_is_lost_and_counted() -> None:
    """A sender that has not noticed yet believes that it sends."""
    scheduler, network, endpoints = make_network(3)
    lost = list[tuple[int, ...]]()
    network.break_connection(0, 1, lambda *nodes: lost.append(nodes))
    network.send(0, 1, make_vote_message(1))
    run(scheduler, 5)
    assert endpoints[1].get_messages() == []
    assert lost == [(0, 1)]


def test_network_nothing_arrives_before_the_receiver_knows_of_the_connection() -> None:
    """A message never overtakes the PeerConnected of its own connection."""
    for seed in range(30):
        scheduler, network, endpoints = make_network(seed)
        network.break_connection(0, 1)
        for number in range(400):
            network.send(0, 1, make_vote_message(number))
            run(scheduler, 0.01)
        run(scheduler, 1)
        first = next(place for place, entry in enumerate(endpoints[1].seen) if not isinstance(entry, tuple))
        assert endpoints[1].seen[first - 1] == ("connected", 0)


def test_network_partition_stops_messages_until_it_heals() -> None:
    """Across the cut nothing arrives, inside a group everything does, and afterwards all is well."""
    scheduler, network, endpoints = make_network(4, size=3)
    cut = network.cut([(0, 1), (0, 2)])
    run(scheduler, 5)
    network.send(0, 1, make_vote_message(1))
    network.send(2, 1, make_vote_message(2))
    run(scheduler, 2)
    assert endpoints[1].get_messages() == [make_vote_message(2)]
    network.mend(cut)
    run(scheduler, 5)
    network.send(0, 1, make_vote_message(3))
    run(scheduler, 1)
    assert endpoints[1].get_messages()[-1] == make_vote_message(3)
