"""What a person or program learns from an evidence file, with nothing but the genesis."""

from __future__ import annotations

import pytest

from sequencer.errors import VerificationError
from sequencer.light import EvidenceView, verify_file
from sequencer.types.evidence import Evidence, encode_evidence
from tests.unit.core_world import VERIFY
from tests.unit.types.test_evidence import EVERY, GROUP, NAMES, make_false_batch, make_false_proposal, make_pair


def test_evidence_file_is_recognized_and_names_the_offender() -> None:
    """The verifier says who, what, where."""
    view = verify_file(encode_evidence(make_pair()), GROUP.genesis, VERIFY)
    assert isinstance(view, EvidenceView)
    assert (view.rule, view.name, view.place, view.number) == ("X1", "v1", "view", 7)
    assert len(view.digests) == 2


@pytest.mark.parametrize("evidence", EVERY, ids=NAMES)
def test_every_kind_of_evidence_has_its_words(evidence: Evidence) -> None:
    """No kind is left without a description."""
    view = verify_file(encode_evidence(evidence), GROUP.genesis, VERIFY)
    assert isinstance(view, EvidenceView)
    assert view.offence


def test_X7_says_which_object_is_false() -> None:
    """A proposal counts views, a batch positions."""
    views = [
        verify_file(encode_evidence(found), GROUP.genesis, VERIFY)
        for found in (make_false_proposal(), make_false_batch())
    ]
    assert [view.place for view in views if isinstance(view, EvidenceView)] == ["view", "position"]


def test_trailing_byte_of_an_evidence_file_is_refused() -> None:
    """A file is exactly one piece of evidence."""
    with pytest.raises(VerificationError, match="decode"):
        verify_file(encode_evidence(make_pair()) + b"\0", GROUP.genesis, VERIFY)
