"""Catching up trusts no peer: an answer proves all of itself or changes nothing. # R2"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sequencer.errors import PeerError
from sequencer.sync.catch_up import ANSWER_MS_MAX, BEHIND_HEIGHTS_MIN, BLOCKED_MS_MIN, CatchUp
from sequencer.sync.following import Following
from sequencer.sync.state_sync import Need
from sequencer.types.block import FinalizedBlock
from sequencer.types.effects import Send
from sequencer.types.messages import SYNC_BLOCKS_MAX, Sync, SyncBlocks
from sequencer.types.primitives import Tip
from sequencer.types.vote import VoteKind
from tests.unit.core_world import NOBODY, VERIFY, Group, at, set_tip, tip

GROUP = Group()
CHAIN = GROUP.chain(1, 3)


def make_blocks() -> list[FinalizedBlock]:
    """Return three finalized blocks: with two batches, empty, with one."""
    blocks: list[FinalizedBlock] = []
    parent = GROUP.root
    for batches in (CHAIN[:2], [], CHAIN[2:]):
        cut = set_tip(parent.cut, 1, tip(batches[-1])) if batches else parent.cut
        parent = GROUP.child(parent, cut=cut)
        certificate = GROUP.certify(VoteKind.FINALIZE, parent.view, parent.digest)
        blocks.append(FinalizedBlock(parent, certificate, tuple(batches)))
    return blocks


BLOCKS = make_blocks()


def make_catch_up(*heights: int) -> CatchUp:
    """Return a node to which validator i + 1 said height heights[i]."""
    catch_up = CatchUp(GROUP.chain_id, GROUP.committee, VERIFY)
    for index, height in enumerate(heights):
        catch_up.on_peer_height(index + 1, height)
    return catch_up


def ask(catch_up: CatchUp, delivered: int = 0, now_ms: int = 0, blocked: int | None = None) -> int | None:
    """Return whom is asked now."""
    send = catch_up.poll(delivered, blocked, at(now_ms))
    return None if send is None else send.peer


def answer(blocks: list[FinalizedBlock], peer: int = 1) -> tuple[FinalizedBlock, ...]:
    """Return what an answer to an open request to validator 1 proves."""
    catch_up = make_catch_up(100)
    assert ask(catch_up) == 1
    return catch_up.verify_answer(peer, SyncBlocks(tuple(blocks), None), GROUP.root)


# --- answers ----------------------------------------------------------------------------


def test_R2_right_answer_is_taken() -> None:
    """The control of all refusals below."""
    assert answer(BLOCKS) == tuple(BLOCKS)


def test_R2_only_the_last_block_needs_a_finalization() -> None:
    """The chain of parents proves the rest."""
    blocks = [replace(block, finalization=None) for block in BLOCKS[:2]] + [BLOCKS[2]]
    assert answer(blocks) == tuple(blocks)


def change_batch(**changes: object) -> list[FinalizedBlock]:
    batch = replace(CHAIN[2], **changes)  # type: ignore[arg-type] # any field
    return [*BLOCKS[:2], replace(BLOCKS[2], batches=(batch,))]


def change_last(**changes: object) -> list[FinalizedBlock]:
    return [*BLOCKS[:2], replace(BLOCKS[2], **changes)]  # type: ignore[arg-type] # any field


LAST = BLOCKS[2].header


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        pytest.param(BLOCKS[1:], "does not link", id="first missing"),
        pytest.param([BLOCKS[0], BLOCKS[2]], "does not link", id="gap"),
        pytest.param([BLOCKS[1], BLOCKS[0], BLOCKS[2]], "does not link", id="order"),
        pytest.param([BLOCKS[0], *BLOCKS], "does not link", id="block twice"),
        pytest.param(
            [replace(BLOCKS[0], header=replace(BLOCKS[0].header, time_ms=1)), *BLOCKS[1:]], "link", id="header"
        ),
        pytest.param(change_last(finalization=None), "carries no finalization", id="no finalization"),
        pytest.param(
            change_last(finalization=GROUP.certify(VoteKind.NOTARIZE, LAST.view, LAST.digest)),
            "carries no finalization",
            id="only notarized",
        ),
        pytest.param(change_last(finalization=BLOCKS[1].finalization), "of another block", id="another's finalization"),
        pytest.param(
            change_last(finalization=GROUP.certify(VoteKind.FINALIZE, LAST.view, LAST.digest, (0, 1))),
            "below strong",
            id="weak finalization",
        ),
        pytest.param(
            change_last(
                finalization=replace(GROUP.certify(VoteKind.FINALIZE, LAST.view, LAST.digest), signatures=(NOBODY,) * 3)
            ),
            "wrong signature",
            id="forged finalization",
        ),
        pytest.param(change_last(batches=()), "lacks batch 3 of lane 1", id="batch missing"),
        pytest.param(change_last(batches=(CHAIN[2], CHAIN[0])), "does not add", id="batch too many"),
        pytest.param(change_last(batches=(CHAIN[2], CHAIN[2])), "does not add", id="batch twice"),
        pytest.param(change_last(batches=(CHAIN[1],)), "lacks batch", id="another batch"),
        pytest.param(change_batch(payload=b"\x90"), "lacks batch", id="payload"),
        pytest.param(change_batch(header=replace(CHAIN[2].header, item_count=9)), "lacks batch", id="batch header"),
        pytest.param(change_batch(signature=NOBODY), "wrong signature", id="batch without its owner"),
    ],
)
def test_R2_answer_with_one_wrong_thing_is_the_peers_error(blocks: list[FinalizedBlock], reason: str) -> None:
    """Nothing of it is taken."""
    with pytest.raises(PeerError, match=reason):
        answer(blocks)


@pytest.mark.parametrize("change", [lambda h: replace(h, epoch=1), lambda h: replace(h, cut=h.cut[:3])])
def test_R2_block_of_another_committee_is_the_peers_error(change: Callable[..., object]) -> None:
    """It may even be finalized there."""
    header = change(BLOCKS[0].header)
    certificate = GROUP.certify(VoteKind.FINALIZE, 1, header.digest)  # type: ignore[attr-defined] # a header
    with pytest.raises(PeerError, match="of another committee"):
        answer([FinalizedBlock(header, certificate, ())])  # type: ignore[arg-type] # a header


def test_R2_cut_that_goes_back_proves_no_batches() -> None:
    """A finalized chain never has one; the answer cannot make the lanes go back."""
    back = GROUP.child(BLOCKS[0].header, cut=set_tip(GROUP.root.cut, 1, Tip(1, CHAIN[0].digest)))
    last = FinalizedBlock(back, GROUP.certify(VoteKind.FINALIZE, back.view, back.digest), (CHAIN[0],))
    with pytest.raises(PeerError, match="does not add"):
        answer([BLOCKS[0], last])


def test_R2_answer_nobody_asked_for_is_ignored() -> None:
    """Neither from a peer that was not asked, nor twice from the one that was."""
    catch_up = make_catch_up(100)
    ask(catch_up)
    reply = SyncBlocks(tuple(BLOCKS), None)
    assert catch_up.verify_answer(2, reply, GROUP.root) == ()
    assert catch_up.verify_answer(1, reply, GROUP.root) == tuple(BLOCKS)
    assert catch_up.verify_answer(1, reply, GROUP.root) == ()


def test_R2_blocks_that_came_meanwhile_are_left_out() -> None:
    """The ordinary way was faster for the first block."""
    catch_up = make_catch_up(100)
    ask(catch_up)
    blocks = catch_up.verify_answer(1, SyncBlocks(tuple(BLOCKS), None), BLOCKS[0].header)
    assert blocks == tuple(BLOCKS[1:])


# --- when to ask whom -------------------------------------------------------------------


def test_R2_request_names_the_next_height() -> None:
    """One request, of at most 32 blocks."""
    assert make_catch_up(100).poll(5, None, at(0)) == Send(1, Sync(6, SYNC_BLOCKS_MAX))


@pytest.mark.parametrize(("ahead", "peer"), [(BEHIND_HEIGHTS_MIN - 1, None), (BEHIND_HEIGHTS_MIN, 1)])
def test_R2_small_distance_is_left_to_the_ordinary_way(ahead: int, peer: int | None) -> None:
    """Votes and batches usually arrive sooner."""
    assert ask(make_catch_up(50 + ahead), delivered=50) == peer


@pytest.mark.parametrize(("blocked_ms", "peer"), [(BLOCKED_MS_MIN - 1, None), (BLOCKED_MS_MIN, 1)])
def test_R2_delivery_that_waits_too_long_asks(blocked_ms: int, peer: int | None) -> None:
    """Though nobody is known to be ahead."""
    assert ask(make_catch_up(0), now_ms=blocked_ms, blocked=0) == peer


def test_R2_one_request_at_a_time() -> None:
    """The next leaves when the first is answered or given up, to the next peer."""
    catch_up = make_catch_up(100, 100, 100)
    assert [ask(catch_up, now_ms=now) for now in (0, 1, ANSWER_MS_MAX - 1, ANSWER_MS_MAX)] == [1, None, None, 2]


def test_R2_peers_are_asked_in_turn() -> None:
    """A peer that never answers does not hold the others back."""
    catch_up = make_catch_up(100, 100, 100)
    assert [ask(catch_up, now_ms=n * ANSWER_MS_MAX) for n in range(5)] == [1, 2, 3, 1, 2]


def test_R2_peer_that_disconnects_is_no_longer_waited_for() -> None:
    """The next one is asked at once."""
    catch_up = make_catch_up(100, 100)
    ask(catch_up)
    catch_up.on_disconnected(1)
    assert ask(catch_up, now_ms=1) == 2


def test_R2_peer_without_the_blocks_is_not_asked_again_and_again() -> None:
    """An empty answer takes back what the peer said of its height."""
    catch_up = make_catch_up(2**60)
    asked = 0
    for now_ms in range(0, 1_000, 10):
        if ask(catch_up, now_ms=now_ms) == 1:
            asked += 1
            catch_up.verify_answer(1, SyncBlocks((), None), GROUP.root)
    assert asked == 1


def test_I14_peer_whose_answer_is_wrong_is_not_asked_until_it_says_hello_again() -> None:
    """A ban closes the connection a little later; until then request and lie must not chase each other."""
    catch_up = make_catch_up(100)
    assert ask(catch_up) == 1
    with pytest.raises(PeerError):
        catch_up.verify_answer(1, SyncBlocks((replace(BLOCKS[0], finalization=None),), None), GROUP.root)
    assert ask(catch_up) is None
    assert ask(catch_up, now_ms=5_000, blocked=0) is None
    catch_up.on_peer_height(1, 100)
    assert ask(catch_up, now_ms=6_000) == 1


def test_R2_liar_that_stays_silent_is_asked_seldom() -> None:
    """A peer that claims 2^60 and answers nothing costs one request in two seconds."""
    catch_up = make_catch_up(2**60)
    asked = [now for now in range(0, 20_000, 10) if ask(catch_up, now_ms=now) == 1]
    assert len(asked) == 20_000 // ANSWER_MS_MAX


def test_R2_liar_does_not_starve_an_honest_peer() -> None:
    """Whoever is behind the liar in turn is asked next."""
    catch_up = make_catch_up(2**60, 40)
    assert [ask(catch_up, now_ms=n * ANSWER_MS_MAX) for n in range(4)] == [1, 2, 1, 2]


def test_R2_blocked_node_repeats_with_a_pause() -> None:
    """Empty answers to a blocked node are not asked for without end."""
    catch_up = make_catch_up(0, 0, 0)
    asked = 0
    for now_ms in range(BLOCKED_MS_MIN, BLOCKED_MS_MIN + 2_000, 10):
        peer = ask(catch_up, now_ms=now_ms, blocked=0)
        if peer is not None:
            asked += 1
            catch_up.verify_answer(peer, SyncBlocks((), None), GROUP.root)
    assert asked <= 2_000 // (BLOCKED_MS_MIN // 4) + 1


@pytest.mark.parametrize("heights", [(), (0,), (0, 100), (2**60,)])
@pytest.mark.parametrize("blocked", [None, 0, 700])
def test_timers_always_move_forward(heights: tuple[int, ...], blocked: int | None) -> None:
    """With peers or without, blocked or not: after the work of a timer the next is later, or there is none."""
    catch_up = make_catch_up(*heights)
    now_ms = 0
    for _ in range(40):
        ask(catch_up, now_ms=now_ms, blocked=blocked if blocked is not None and blocked <= now_ms else None)
        timer = catch_up.get_timer(blocked)
        if timer is None:
            break
        assert timer > now_ms
        now_ms = timer


# --- when only a snapshot leads further ------------------------------------------------


def get_need(catch_up: CatchUp, delivered: int = 0) -> Need:
    """Return what a validator needs where 100 heights are kept."""
    return catch_up.get_need(delivered, 100, has_asked=True)


def say_pruned(catch_up: CatchUp, *peers: int, oldest: int = 50) -> None:
    """Ask until each of the peers said that it keeps no block below `oldest`."""
    for number, peer in enumerate(peers):
        assert ask(catch_up, now_ms=number * ANSWER_MS_MAX) == peer
        catch_up.verify_answer(peer, SyncBlocks((), None, oldest, 60), GROUP.root)


@pytest.mark.parametrize(("heights", "need"), [((100, 100, 7), Need.FAR), ((100, 99, 99), Need.NONE)])
def test_R2_only_a_weak_set_makes_a_node_far_behind(heights: tuple[int, ...], need: Need) -> None:
    """A single validator may claim any height; of a weak set one is correct."""
    assert get_need(make_catch_up(*heights)) is need


def test_R2_weak_set_that_keeps_no_next_block_makes_a_node_stuck() -> None:
    """One may lie about it while others are left; of two one is correct."""
    catch_up = make_catch_up(60, 60, 60)
    say_pruned(catch_up, 1)
    assert get_need(catch_up) is Need.NONE
    say_pruned(catch_up, 2)
    assert get_need(catch_up) is Need.STUCK


def test_R2_node_whose_only_peer_keeps_no_next_block_is_stuck() -> None:
    """There is nobody else to ask."""
    catch_up = make_catch_up(60)
    say_pruned(catch_up, 1)
    assert get_need(catch_up) is Need.STUCK


def test_R2_block_that_came_ends_being_stuck() -> None:
    """Whatever was said of another height says nothing any more."""
    catch_up = make_catch_up(60)
    say_pruned(catch_up, 1)
    assert get_need(catch_up, delivered=1) is Need.NONE


def test_R2_empty_answer_that_keeps_the_next_block_is_no_pruning() -> None:
    """Control: a peer that has no more blocks than this node leaves it where it is."""
    catch_up = make_catch_up(60, 60)
    say_pruned(catch_up, 1, 2, oldest=1)
    assert get_need(catch_up) is Need.NONE


def test_R2_full_node_asks_for_snapshots_before_any_block() -> None:
    """It hears of no height, so it asks once; afterwards only when it is stuck."""
    catch_up = CatchUp(GROUP.chain_id, GROUP.committee, VERIFY, Following())
    assert catch_up.get_need(0, 100, has_asked=False) is Need.FAR
    assert catch_up.get_need(0, 100, has_asked=True) is Need.NONE


def test_R2_answer_from_before_a_jump_is_ignored() -> None:
    """It belongs to a height that the node has left behind."""
    catch_up = make_catch_up(100)
    assert ask(catch_up) == 1
    catch_up.on_jumped()
    assert catch_up.verify_answer(1, SyncBlocks(tuple(BLOCKS[1:]), None), GROUP.root) == ()
