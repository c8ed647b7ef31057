"""A snapshot is believed only as far as it is proven, and every lie about it names a liar. # R2"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest

from sequencer.errors import PeerError
from sequencer.sync.snapshot_round import CHUNK_MS_MAX, CHUNK_TRIES_MAX, REQUESTS_OPEN_MAX, ROUND_MS_MIN
from sequencer.sync.state_sync import (
    GATHER_MS_MAX,
    LIAR_REST_MS_MIN,
    OFFERS_MS_MAX,
    ROUND_PAUSE_MS_MAX,
    ROUND_PAUSE_MS_MIN,
    FetchedSnapshot,
    Need,
    StateSync,
)
from sequencer.types.effects import Send
from sequencer.types.snapshot import SNAPSHOT_CHUNK_BYTES, SnapshotClaim, compute_manifest, split_snapshot
from sequencer.types.snapshot_messages import GetSnapshot, GetSnapshotChunk, SnapshotChunk, SnapshotOffer
from tests.unit.core_world import VERIFY, Group, at, make_genesis, name_digest
from tests.unit.snapshot_world import make_chain, make_claim, make_header

GROUP = Group()
DATA = bytes(range(256)) * 4_096
"""A snapshot of four chunks."""
CLAIM = make_claim(GROUP, DATA)
ALTERED = DATA[:-1] + b"?"
RETAIN = 100


class Served:
    """State sync of validator 0, and what peers 1.. serve; answers come at once."""

    def __init__(self, snapshots: Mapping[int, tuple[SnapshotClaim | None, bytes]], need: Need = Need.STUCK) -> None:
        self.snapshots = dict(snapshots)
        self.need = need
        self.sync = StateSync(GROUP.chain_id, GROUP.committee, VERIFY, RETAIN, 0)
        self.now_ms = 0
        self.asked: list[Send] = []
        self.errors: dict[int, str] = {}
        for peer in sorted(snapshots):
            self.sync.on_connected(peer)

    def run(self, until_ms: int = GATHER_MS_MAX) -> FetchedSnapshot | None:
        """Let peers answer until a snapshot is complete or nothing is due before `until_ms`."""
        while True:
            sends = self.sync.poll(0, self.need, at(self.now_ms))
            self.asked.extend(sends)
            for send in sends:
                self.answer(send)
            fetched = self.sync.take_fetched()
            if fetched is not None:
                return fetched
            if not sends:
                due = self.sync.get_timer(self.need)
                if due is None or due > until_ms:
                    return None
                self.now_ms = max(self.now_ms, due)

    def answer(self, send: Send) -> None:
        claim, data = self.snapshots[send.peer]
        try:
            match send.message:
                case GetSnapshot():
                    self.sync.on_offer(send.peer, SnapshotOffer(5, 9, claim), at(self.now_ms))
                case GetSnapshotChunk(height, index):
                    chunks = split_snapshot(data) if data else []
                    chunk = chunks[index] if index < len(chunks) else b""
                    self.sync.on_chunk(send.peer, SnapshotChunk(height, index, chunk), at(self.now_ms))
        except PeerError as error:
            self.errors[send.peer] = str(error)
            self.sync.on_disconnected(send.peer)


def serve(*peers: bytes, need: Need = Need.STUCK) -> Served:
    """Return peers 1.. of which each claims `CLAIM` and serves these bytes."""
    return Served({peer: (CLAIM, data) for peer, data in enumerate(peers, 1)}, need)


# --- the good case ----------------------------------------------------------------------


def test_R2_snapshot_is_fetched_from_all_who_offer_it() -> None:
    """The control of all refusals: three peers share four chunks, and the whole is what they claim."""
    served = serve(DATA, DATA, DATA)
    fetched = served.run()
    assert fetched == FetchedSnapshot(CLAIM, DATA, (1, 2, 3))
    chunks = [send.peer for send in served.asked if isinstance(send.message, GetSnapshotChunk)]
    assert (len(chunks), set(chunks)) == (4, {1, 2, 3})


def test_R2_peer_has_one_open_request_and_all_have_few() -> None:
    """Nobody is flooded: one request per peer, eight in all."""
    group = Group(make_genesis(powers=(1,) * 16))
    data = bytes(SNAPSHOT_CHUNK_BYTES * 20)
    claim = make_claim(group, data, signers=range(16))
    sync = StateSync(group.chain_id, group.committee, VERIFY, RETAIN, 0)
    for peer in range(1, 16):
        sync.on_connected(peer)
    sync.poll(0, Need.STUCK, at(0))
    for peer in range(1, 16):
        sync.on_offer(peer, SnapshotOffer(5, 9, claim), at(0))
    sends = sync.poll(0, Need.STUCK, at(0))
    assert len({send.peer for send in sends}) == len(sends) == REQUESTS_OPEN_MAX


@pytest.mark.parametrize(("need", "is_fetched"), [(Need.STUCK, True), (Need.FAR, False), (Need.NONE, False)])
def test_R2_near_snapshot_is_taken_only_when_blocks_lead_no_further(need: Need, is_fetched: bool) -> None:
    """Height 8 is less than RETAIN above: blocks will do, unless nobody keeps them."""
    assert (serve(DATA, need=need).run() is not None) is is_fetched


def test_R2_far_snapshot_is_taken_before_any_block_is_asked_for() -> None:
    """A certified height more than RETAIN above shows that peers have let go of the next block."""
    claim = make_claim(GROUP, DATA, height=RETAIN)
    assert Served({1: (claim, DATA)}, Need.FAR).run() is not None


def test_R2_highest_of_equal_offers_is_taken() -> None:
    """Of claims with the same power the newest saves most blocks."""
    newer = make_claim(GROUP, DATA, height=9)
    fetched = Served({1: (CLAIM, DATA), 2: (newer, DATA)}).run()
    assert fetched is not None
    assert fetched.claim == newer


def test_R2_silent_peer_delays_the_choice_only_so_long() -> None:
    """Offers that do not come are not waited for."""
    served = serve(DATA, DATA, DATA)
    answer = served.answer

    def answer_unless_silent(send: Send) -> None:
        if send.peer != 3:
            answer(send)

    served.answer = answer_unless_silent  # type: ignore[method-assign] # silence
    assert served.run(OFFERS_MS_MAX) is not None
    assert served.now_ms == OFFERS_MS_MAX


# --- claims -----------------------------------------------------------------------------


def change_chain(**changes: object) -> SnapshotClaim:
    return replace(CLAIM, chain=replace(CLAIM.chain, **changes))  # type: ignore[arg-type] # any field


FOREIGN = Group(make_genesis(powers=(1, 1, 1, 2)))
WRONG_CLAIMS = {
    "weak_certificate": replace(CLAIM, chain=make_chain(GROUP, CLAIM.header, 3, signers=(0, 1))),
    "wrong_signature": change_chain(
        certificate=replace(CLAIM.chain.certificate, signatures=(bytes(64), *CLAIM.chain.certificate.signatures[1:]))
    ),
    "another_network": make_claim(FOREIGN, DATA),
    "gap_in_the_chain": change_chain(commitments=CLAIM.chain.commitments[::2]),
    "chain_of_another_block": replace(CLAIM, header=make_header(GROUP, 9)),
    "certificate_of_another_height": change_chain(commitments=CLAIM.chain.commitments[:2]),
    "broken_parent_link": change_chain(
        commitments=(replace(CLAIM.commitment, exec_root=name_digest("x")), *CLAIM.chain.commitments[1:])
    ),
    "too_few_chunks": replace(CLAIM, chunks=CLAIM.chunks[:-1]),
    "wrong_size": replace(CLAIM, size=CLAIM.size + 1),
}


@pytest.mark.parametrize("claim", WRONG_CLAIMS.values(), ids=list(WRONG_CLAIMS))
def test_R2_claim_that_proves_nothing_is_the_peers_error(claim: SnapshotClaim) -> None:
    """Signatures, power, parent links, network and sizes are checked before a single chunk is asked for."""
    served = Served({1: (claim, DATA), 2: (CLAIM, DATA)})
    fetched = served.run()
    assert fetched is not None
    assert fetched.vouchers == (2,)
    assert set(served.errors) == set(served.sync.get_liars()) == {1}


def test_R2_offer_nobody_asked_for_is_not_looked_at() -> None:
    """Checking signatures costs; only who was asked makes us pay."""
    sync = StateSync(GROUP.chain_id, GROUP.committee, VERIFY, RETAIN, 0)
    sync.on_connected(1)
    sync.on_offer(1, SnapshotOffer(5, 9, WRONG_CLAIMS["weak_certificate"]), at(0))
    assert sync.get_liars() == {}


# --- chunks -----------------------------------------------------------------------------


def test_R2_wrong_chunk_of_one_names_it_and_others_serve() -> None:
    """One altered byte on one peer: it is named, and the snapshot comes from the others."""
    served = serve(ALTERED, ALTERED, DATA)
    fetched = served.run()
    assert fetched is not None
    assert fetched.data == DATA
    assert set(served.errors) <= {1, 2}
    assert served.errors == served.sync.get_liars()
    assert served.sync.counters.chunks_wrong == len(served.errors) >= 1


def test_R2_wrong_chunks_of_all_are_refused_and_all_are_named() -> None:
    """Nothing is believed, nobody is asked again before its rest is over."""
    served = serve(*[bytes(len(DATA))] * 3)
    assert served.run(LIAR_REST_MS_MIN - 1) is None
    assert set(served.sync.get_liars()) == {1, 2, 3}
    for peer in (1, 2, 3):
        served.sync.on_connected(peer)
    before = len(served.asked)
    assert served.run(LIAR_REST_MS_MIN - 1) is None
    assert len(served.asked) == before
    assert "lost the snapshot" in (served.sync.describe() or "")


def test_R2_false_manifest_names_all_who_made_it_and_spares_the_others() -> None:
    """Two liars agree on another snapshot under a true commitment: the whole does not hash to it."""
    lie = replace(CLAIM, chunks=compute_manifest(ALTERED))
    served = Served({1: (lie, ALTERED), 2: (lie, ALTERED), 3: (CLAIM, DATA)})
    first = served.run()
    assert first is not None
    assert first.vouchers == (1, 2)
    served.sync.on_wrong(first, "has a state that is not under its root", at(served.now_ms))
    assert [ban.peer for ban in served.sync.take_bans()] == [1, 2]
    for peer in (1, 2):
        served.sync.on_connected(peer)

    second = served.run(ROUND_PAUSE_MS_MIN)

    assert second is not None
    assert (second.vouchers, second.data) == ((3,), DATA)
    assert set(served.sync.get_liars()) == {1, 2}


def test_R2_claim_of_more_power_goes_first() -> None:
    """A single liar with a manifest of its own costs nothing while two others agree."""
    lie = replace(CLAIM, chunks=compute_manifest(ALTERED))
    fetched = Served({1: (lie, ALTERED), 2: (CLAIM, DATA), 3: (CLAIM, DATA)}).run()
    assert fetched is not None
    assert fetched.vouchers == (2, 3)


def test_R2_lies_make_the_rest_of_a_liar_longer() -> None:
    """A liar cannot sell its snapshot again and again."""
    lie = replace(CLAIM, chunks=compute_manifest(ALTERED))
    served = Served({1: (lie, ALTERED)})
    times = []
    for _ in range(3):
        fetched = served.run(10**9)
        assert fetched is not None
        times.append(served.now_ms)
        served.sync.on_wrong(fetched, "wrong", at(served.now_ms))
        served.sync.on_connected(1)
        served.now_ms += LIAR_REST_MS_MIN << len(times) - 1
    assert [later - sooner >= LIAR_REST_MS_MIN for sooner, later in itertools.pairwise(times)] == [True, True]
    assert times[2] - times[1] >= 2 * LIAR_REST_MS_MIN


# --- slow and gone ----------------------------------------------------------------------


def test_R2_snapshot_that_vanished_starts_a_round_with_a_newer_one() -> None:
    """Peers prune while we fetch: start over, after a pause."""
    served = serve(b"", b"")
    assert served.run(0) is None
    newer = make_claim(GROUP, DATA, height=16)
    served.snapshots = {1: (newer, DATA), 2: (newer, DATA)}

    fetched = served.run(ROUND_PAUSE_MS_MIN)

    assert fetched is not None
    assert fetched.claim.height == 16
    assert served.sync.get_liars() == {}


def test_R2_peer_without_answers_is_left_after_three_tries() -> None:
    """Its chunks come from another; it is no liar, only slow."""
    served = serve(DATA, DATA)
    answer = served.answer
    served.answer = lambda send: None if send.peer == 1 and isinstance(send.message, GetSnapshotChunk) else answer(send)  # type: ignore[method-assign] # silence
    assert served.run(CHUNK_MS_MAX * (CHUNK_TRIES_MAX + 1)) is not None
    late = [send for send in served.asked if send.peer == 1 and isinstance(send.message, GetSnapshotChunk)]
    assert 1 <= len(late) <= CHUNK_TRIES_MAX


def test_R2_slow_peer_cannot_hold_the_node_for_ever() -> None:
    """Answers just in time, one after the other, end at the deadline of the round."""
    data = bytes(SNAPSHOT_CHUNK_BYTES * 100)
    claim = make_claim(GROUP, data)
    sync = StateSync(GROUP.chain_id, GROUP.committee, VERIFY, RETAIN, 0)
    sync.on_connected(1)
    sync.poll(0, Need.STUCK, at(0))
    now_ms = started_ms = GATHER_MS_MAX
    sync.poll(0, Need.STUCK, at(now_ms))
    sync.on_offer(1, SnapshotOffer(5, 9, claim), at(now_ms))
    chunk = data[:SNAPSHOT_CHUNK_BYTES]
    while sync.is_busy(Need.STUCK):
        for send in sync.poll(0, Need.STUCK, at(now_ms)):
            assert isinstance(send.message, GetSnapshotChunk)
            now_ms += CHUNK_MS_MAX - 1
            sync.on_chunk(1, SnapshotChunk(8, send.message.index, chunk), at(now_ms))
    assert now_ms - started_ms <= ROUND_MS_MIN + 100 * 500 + CHUNK_MS_MAX
    assert "too slow" in (sync.describe() or "")


def test_R2_claim_that_nobody_serves_goes_first_once_only() -> None:
    """A Byzantine peer with as much power and a newer snapshot would else end every round before it begins."""
    newer = make_claim(GROUP, DATA, height=9)
    fetched = Served({1: (newer, b""), 2: (CLAIM, DATA)}).run(10 * ROUND_PAUSE_MS_MAX)
    assert fetched is not None
    assert fetched.claim == CLAIM


def test_R2_rounds_that_give_nothing_come_later_and_later() -> None:
    """Peers without a snapshot are not asked all the time."""
    served = Served({1: (None, b"")})
    served.run(10 * ROUND_PAUSE_MS_MAX)
    # At 1 s (nobody else came), then after 1, 2, 4, 4, … s.
    assert len(served.asked) == 3 + 9


def test_R2_disconnected_peer_gives_its_chunk_back() -> None:
    """What it was asked for is asked of another."""
    served = serve(DATA, DATA)
    answer = served.answer

    def break_first(send: Send) -> None:
        if send.peer == 1 and isinstance(send.message, GetSnapshotChunk):
            served.sync.on_disconnected(1)
        else:
            answer(send)

    served.answer = break_first  # type: ignore[method-assign] # a break
    fetched = served.run()
    assert fetched is not None
    assert fetched.data == DATA


def test_R2_chunk_nobody_asked_for_changes_nothing() -> None:
    """Neither before a round, nor of another height or place."""
    served = serve(DATA)
    served.sync.on_chunk(1, SnapshotChunk(8, 0, DATA[:10]), at(0))
    served.sync.poll(0, Need.STUCK, at(0))
    for send in served.sync.poll(0, Need.STUCK, at(GATHER_MS_MAX)):
        served.answer(send)
    (asked,) = served.sync.poll(0, Need.STUCK, at(GATHER_MS_MAX))
    assert isinstance(asked.message, GetSnapshotChunk)
    served.sync.on_chunk(1, SnapshotChunk(9, asked.message.index, b"x"), at(0))
    served.sync.on_chunk(1, SnapshotChunk(8, asked.message.index + 1, b"x"), at(0))
    served.sync.on_chunk(2, SnapshotChunk(8, asked.message.index, b"x"), at(0))
    assert served.sync.counters.chunks_received == 0
