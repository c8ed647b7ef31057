"""The protocol comes through situations that random runs hardly ever meet; with the rule removed it does not."""

from __future__ import annotations

import pytest

from tests.simulation.directed import COMES_THROUGH, Play, perform
from tests.simulation.planted.bugs import BUGS
from tests.simulation.planted.plant import PlantedBug, hunt_by_play
from tests.simulation.plays import (
    play_fork_above_finality,
    play_forwarding_deadlock,
    play_gap_below_tip,
    play_late_notarization,
    play_log_of_another_epoch,
    play_long_absence,
    play_lost_push,
    play_relayed_vote,
    play_restart_alone,
    play_restart_with_finalize,
    play_restart_with_own_batch,
    play_sequence_gap,
    play_skipped_view,
    play_store_behind_the_log,
)


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(play_forwarding_deadlock, id="F-certificate-held-by-one-reaches-those-who-wait"),
        pytest.param(play_lost_push, id="L2b-batch-lost-with-a-connection-is-pushed-again-while-one-is-dead"),
        pytest.param(play_sequence_gap, id="A6-sequence-gap-through-two-lanes-is-closed-in-order"),
        pytest.param(play_gap_below_tip, id="L4-have-never-covers-a-gap-below-the-tip"),
        pytest.param(play_fork_above_finality, id="L4-have-of-one-batch-per-position-whatever-a-restart-forgets"),
        pytest.param(play_late_notarization, id="V12-finalize-is-not-derived-again-after-a-restart"),
        pytest.param(play_restart_with_finalize, id="F5-own-votes-are-offered-again-after-a-restart"),
        pytest.param(play_restart_alone, id="V11-logged-finalize-forbids-nullify-after-a-restart"),
        pytest.param(play_relayed_vote, id="G4-vote-counts-for-the-peer-it-came-from-only"),
        pytest.param(play_skipped_view, id="V3-nobody-follows-a-leader-that-skips-a-view"),
        pytest.param(play_log_of_another_epoch, id="R1-records-of-another-epoch-are-ignored"),
        pytest.param(play_store_behind_the_log, id="D1-store-behind-the-vote-log-is-filled-again"),
        pytest.param(play_long_absence, id="R2-validator-that-was-away-for-long-catches-up"),
        pytest.param(play_restart_with_own_batch, id="L1-own-lane-goes-on-above-what-was-signed-before-a-restart"),
    ],
)
def test_directed(play: Play) -> None:
    """The play ends well and no checker reports anything."""
    assert perform(play) == COMES_THROUGH


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.play is not None], ids=lambda bug: bug.name)
def test_directed_bug_is_caught_by_its_play(bug: PlantedBug) -> None:
    """Control: with the rule removed the same play fails, and the right rule is reported."""
    assert bug.play is not None
    assert hunt_by_play(bug, bug.play).is_caught
