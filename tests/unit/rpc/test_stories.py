"""What became of a bundle has one word, whatever happened to it; "partial" is none of them."""

from __future__ import annotations

import pytest

from sequencer.mempool.departures import Departure, Fate
from sequencer.rpc.stories import BundleStatus, BundleStory
from sequencer.types.outcome import ItemResult, Reason, Status
from tests.integration.rpc.chain import make_genesis, make_transfer

ID, OTHER = bytes(32), bytes(31) + b"\x01"
BUNDLE = make_transfer(make_genesis(), 0).bundle


def make_result(status: Status, reason: str = "") -> ItemResult:
    return ItemResult(0, ID, status, reason, 0)


@pytest.mark.parametrize(
    ("story", "status"),
    [
        (BundleStory(ID), BundleStatus.UNKNOWN),
        (BundleStory(ID, BUNDLE), BundleStatus.PENDING),
        (BundleStory(ID, departure=Departure(Fate.REPLACED, 3, OTHER)), BundleStatus.REPLACED),
        (BundleStory(ID, departure=Departure(Fate.EXPIRED, 3, None)), BundleStatus.EXPIRED),
        (BundleStory(ID, BUNDLE, 4, make_result(Status.PENDING)), BundleStatus.PENDING),
        (BundleStory(ID, BUNDLE, 4, make_result(Status.COMMIT)), BundleStatus.COMMITTED),
        (BundleStory(ID, BUNDLE, 4, make_result(Status.ABORT, "TIMEOUT:gamma")), BundleStatus.ABORTED),
        (BundleStory(ID, None, 4, make_result(Status.INADMISSIBLE, "SEQUENCE_USED")), BundleStatus.REPLACED),
        (BundleStory(ID, None, 4, make_result(Status.INADMISSIBLE, "EXPIRED")), BundleStatus.EXPIRED),
        (BundleStory(ID, None, 4, make_result(Status.INADMISSIBLE, "SEQUENCE_GAP")), BundleStatus.INADMISSIBLE),
    ],
)
def test_status_is_the_word_for_what_happened(story: BundleStory, status: BundleStatus) -> None:
    """One row per way in which a bundle can stand."""
    assert story.status is status


@pytest.mark.parametrize("reason", [reason.value for reason in Reason])
@pytest.mark.parametrize("status", Status)
def test_no_bundle_is_ever_partial(status: Status, reason: str) -> None:
    """A8: every result has one of the stated words."""
    told = BundleStory(ID, BUNDLE, 1, make_result(status, reason)).status.value
    assert told in {"pending", "committed", "aborted", "expired", "replaced", "inadmissible"}
