"""Whatever becomes of a proof file on its way: it is refused, or still proves exactly what it proved."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.errors import VerificationError
from tests.unit.light.proven_world import FILES, verify

GENUINE = {name: make() for name, make in FILES.items()}
EDITS = st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 2), st.binary(max_size=3)), min_size=1, max_size=4)
"""Place, bytes taken out there, bytes put in."""


def edit(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Return the bytes with the edits made, one after the other."""
    for place, taken, given_bytes in edits:
        at = place % len(data) if data else 0
        data = data[:at] + given_bytes + data[at + taken :]
    return data


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(GENUINE)), EDITS)
def test_edited_file_is_refused_or_unchanged(name: str, edits: list[tuple[int, int, bytes]]) -> None:
    """No other error, and no other claim, comes of any bytes."""
    genuine, edited = GENUINE[name], edit(GENUINE[name], edits)
    try:
        view = verify(edited)
    except VerificationError:
        assert edited != genuine
        return
    assert (edited, view) == (genuine, verify(genuine))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(GENUINE)), st.sampled_from(sorted(GENUINE)), st.integers(0, 4_000))
def test_two_files_joined_prove_nothing(name: str, other: str, place: int) -> None:
    """The beginning of one and the end of another."""
    at = place % len(GENUINE[name])
    joined = GENUINE[name][:at] + GENUINE[other][at:]
    try:
        verify(joined)
    except VerificationError:
        return
    assert joined in (GENUINE[name], GENUINE[other])
