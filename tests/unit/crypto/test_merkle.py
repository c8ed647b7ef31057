"""A list's root binds every element, its place and the count."""

from __future__ import annotations

import pytest

from sequencer.crypto.merkle import PATH_LENGTH_MAX, compute_path, compute_root, compute_root_from_path


def make_elements(count: int) -> list[bytes]:
    return [b"element %d" % index for index in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31, 33])
def test_path_of_every_element_leads_to_the_root(count: int) -> None:
    """Each element of each shape of tree has a path that verifies."""
    elements = make_elements(count)
    roots = {compute_root_from_path(e, i, count, compute_path(elements, i)) for i, e in enumerate(elements)}
    assert roots == {compute_root(elements)}


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_path_never_verifies_under_another_count(count: int) -> None:
    """The root binds the count, so no list can pose as a longer or shorter one."""
    elements = make_elements(count)
    path, root = compute_path(elements, 0), compute_root(elements)
    wrong = [compute_root_from_path(elements[0], 0, other, path) for other in range(20) if other != count]
    assert root not in wrong


def test_path_never_verifies_at_another_index() -> None:
    """An element is proved at its own place only."""
    elements = make_elements(6)
    path, root = compute_path(elements, 2), compute_root(elements)
    assert root not in [compute_root_from_path(elements[2], other, 6, path) for other in (-1, 0, 1, 3, 4, 5, 6)]


def test_path_with_a_step_too_many_or_too_few_is_refused() -> None:
    """Only a path of exactly the length that index and count demand is looked at."""
    elements = make_elements(5)
    path = compute_path(elements, 1)
    results = [compute_root_from_path(elements[1], 1, 5, p) for p in (path[:-1], (*path, bytes(32)))]
    assert results == [None, None]


def test_path_longer_than_the_bound_is_refused() -> None:
    """A verifier looks at no more than 40 steps."""
    assert compute_root_from_path(b"", 0, 2**60, (bytes(32),) * (PATH_LENGTH_MAX + 1)) is None


def test_empty_list_has_a_root_of_its_own() -> None:
    """Nothing is not the same as one empty element."""
    assert compute_root([]) != compute_root([b""])


def test_last_element_doubled_gives_another_root() -> None:
    """An odd last node is promoted, never doubled."""
    assert compute_root([b"a", b"b", b"c"]) != compute_root([b"a", b"b", b"c", b"c"])


def test_node_cannot_pose_as_an_element() -> None:
    """Leaves and nodes are hashed in different domains."""
    two = compute_path([b"a", b"b"], 0) + compute_path([b"a", b"b"], 1)
    assert compute_root([b"".join(two)]) != compute_root([b"a", b"b"])
