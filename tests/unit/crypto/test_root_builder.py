"""A root built element by element is the root of the list."""

from __future__ import annotations

from sequencer.crypto.merkle import RootBuilder, compute_root


def test_root_builder_agrees_with_the_whole_list_at_every_size() -> None:
    """From the empty list through every shape of tree up to 70 elements."""
    builder = RootBuilder()
    elements = [b"element %d" % index for index in range(70)]
    for count, element in enumerate(elements):
        assert builder.compute_root() == compute_root(elements[:count])
        builder.append(element)
    assert builder.compute_root() == compute_root(elements)
