"""A full node asks one validator after the other: the failure of one costs one request. # R2"""

from __future__ import annotations

from sequencer.sync.catch_up import ANSWER_MS_MAX, BLOCKED_MS_MIN, CatchUp
from sequencer.sync.following import REQUEST_MS_MIN, STAY_MS_MAX, Following
from sequencer.types.effects import Send
from sequencer.types.messages import SYNC_BLOCKS_MAX, Sync, SyncBlocks
from tests.unit.core_world import VERIFY, Group, at
from tests.unit.sync.test_catch_up import BLOCKS

GROUP = Group()


def make_follower(*peers: int) -> CatchUp:
    """Return a full node that is connected with these validators."""
    catch_up = CatchUp(GROUP.chain_id, GROUP.committee, VERIFY, Following())
    for peer in peers:
        catch_up.on_connected(peer)
    return catch_up


def ask(catch_up: CatchUp, now_ms: int, delivered: int = 0, finalized: int = 0, blocked: int | None = None) -> int:
    """Return whom is asked now; -1 for nobody."""
    send = catch_up.poll(delivered, blocked, at(now_ms), finalized)
    return -1 if send is None else send.peer


def test_R2_full_node_asks_as_soon_as_somebody_is_there() -> None:
    """Nobody has told it a height."""
    assert make_follower().poll(5, None, at(0), 5) is None
    assert make_follower(2).poll(5, None, at(0), 5) == Send(2, Sync(6, SYNC_BLOCKS_MAX))


def test_R2_good_validator_is_followed_on() -> None:
    """One request after the other, at the pace that the channel takes."""
    catch_up = make_follower(0, 1, 2, 3)
    asked = []
    for now_ms in range(0, 10 * REQUEST_MS_MIN, 10):
        asked.append(ask(catch_up, now_ms))
        catch_up.verify_answer(0, SyncBlocks(tuple(BLOCKS), None), GROUP.root)
    assert [peer for peer in asked if peer >= 0] == [0] * 10


def test_R2_empty_answer_sends_it_to_the_next() -> None:
    """Whoever has nothing, or holds it back, is not asked twice."""
    catch_up = make_follower(0, 1, 2, 3)
    assert ask(catch_up, 0) == 0
    catch_up.verify_answer(0, SyncBlocks((), None), GROUP.root)
    assert ask(catch_up, REQUEST_MS_MIN) == 1


def test_R2_silent_validator_is_left_after_two_seconds() -> None:
    """And the turn goes round for ever."""
    catch_up = make_follower(0, 1, 2)
    assert [ask(catch_up, n * ANSWER_MS_MAX) for n in range(5)] == [0, 1, 2, 0, 1]


def test_R2_validator_that_goes_away_is_left_at_once() -> None:
    """Whether it died or was banned for a lie."""
    catch_up = make_follower(0, 1)
    assert ask(catch_up, 0) == 0
    catch_up.on_disconnected(0)
    assert ask(catch_up, REQUEST_MS_MIN) == 1


def test_R2_even_a_good_validator_is_left_in_time() -> None:
    """One that tells everything late is not noticed otherwise."""
    following = Following()
    for peer in (0, 1):
        following.on_connected(peer)
    asked = [following.choose(at(now_ms)) for now_ms in range(0, 3 * STAY_MS_MAX, STAY_MS_MAX // 2)]
    assert asked == [0, 0, 1, 1, 0, 0]


def test_R2_full_node_does_not_ask_on_while_blocks_wait() -> None:
    """What was fetched is executed first, and nothing is fetched twice; when it waits too long it asks."""
    catch_up = make_follower(0)
    assert ask(catch_up, 0, delivered=3, finalized=9, blocked=0) == -1
    assert catch_up.get_timer(0) == BLOCKED_MS_MIN
    assert ask(catch_up, BLOCKED_MS_MIN, delivered=3, finalized=9, blocked=0) == 0


def test_timers_of_a_full_node_always_move_forward() -> None:
    """With validators or without, waiting or not: no timer is due twice."""
    for peers in ((), (0,), (0, 1)):
        for blocked in (None, 0):
            catch_up, now_ms = make_follower(*peers), 0
            for _ in range(20):
                ask(catch_up, now_ms, finalized=0 if blocked is None else 4, blocked=blocked)
                timer = catch_up.get_timer(blocked)
                if timer is None:
                    break
                assert timer > now_ms
                now_ms = timer
