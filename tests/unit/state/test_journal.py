"""The journal: newest writes are read, and everything since a mark can be taken back."""

from __future__ import annotations

import pytest

from sequencer.errors import LocalError
from sequencer.state.journal import Journal
from sequencer.state.state_tree import build_tree


def make_journal() -> Journal:
    return Journal(build_tree([("a", 1), ("b", b"two")]))


def test_get_without_write_reads_the_base() -> None:
    """A key nobody wrote holds what the base holds."""
    assert (make_journal().get("a"), make_journal().get("missing")) == (1, None)


def test_get_after_write_reads_the_newest() -> None:
    """The last write wins."""
    journal = make_journal()
    journal.set("a", 2)
    journal.set("a", 3)
    assert journal.get("a") == 3


@pytest.mark.parametrize("empty", [0, b"", None])
def test_set_of_an_empty_value_makes_the_key_absent(empty: int | bytes | None) -> None:
    """Zero and empty are never stored."""
    journal = make_journal()
    journal.set("a", empty)
    assert journal.get("a") is None
    assert dict(journal.writes) == {"a": None}


def test_revert_takes_back_exactly_what_followed_the_mark() -> None:
    """Writes before the mark stay, the second write to one key is undone to the first."""
    journal = make_journal()
    journal.set("a", 2)
    mark = journal.mark()
    journal.set("a", 3)
    journal.set("b", None)
    journal.set("c", 4)
    journal.revert(mark)
    assert dict(journal.writes) == {"a": 2}
    assert (journal.get("b"), journal.get("c")) == (b"two", None)


def test_revert_to_an_unknown_mark_is_refused() -> None:
    """A mark that is no more cannot be gone back to."""
    with pytest.raises(LocalError, match="no mark 1"):
        make_journal().revert(1)


def test_rebase_starts_an_empty_write_set() -> None:
    """What was folded into the new base is no write any more."""
    journal = make_journal()
    journal.set("a", 2)
    journal.rebase(build_tree([("a", 2)]))
    assert (dict(journal.writes), journal.mark(), journal.get("a")) == ({}, 0, 2)
