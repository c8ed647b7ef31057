"""What documents name exists: checkers, tests, documents and folders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, get_sources, get_tracked
from tests.unit.specs.markdown import read_document, read_tables, split_sections

_LINK = re.compile(r"\[[^\]]*\]\(([^)#:]+)\)")
_TEST = re.compile(r"`(test_\w+)`")
_CHECKER = re.compile(r"`(\w+Checker)`")


def get_definitions(folder: str, keyword: str) -> dict[str, str]:
    """Return name → text of its file, for every top-level `keyword` below a folder."""
    pattern = re.compile(rf"^(?:async )?{keyword} (\w+)", re.MULTILINE)
    return {name: text for path in get_sources(folder) for text in [path.read_text()] for name in pattern.findall(text)}


def find_dead_links(document: Path) -> list[str]:
    """Return the relative links of a document that lead nowhere."""
    return [link for link in _LINK.findall(document.read_text()) if not (document.parent / link).exists()]


@pytest.mark.parametrize("name", [name for name in get_tracked() if name.endswith(".md")])
def test_document_links_lead_somewhere(name: str) -> None:
    """No document sends its reader to a file that is not there."""
    assert find_dead_links(ROOT / name) == []


def test_planted_dead_link_is_found(tmp_path: Path) -> None:
    """Control: a link to a missing file is seen, one with a scheme is not ours."""
    document = tmp_path / "planted.md"
    document.write_text("[a](gone.md) [b](https://example.org) [c](planted.md)")
    assert find_dead_links(document) == ["gone.md"]


def read_watchers(text: str) -> list[tuple[str, str]]:
    """Return (invariant, checker) for every checker that an invariant's text names."""
    sections = [section for section in split_sections(text) if " · " in section.title]
    return [
        (section.title.split(" · ")[0], name)
        for section in sections
        for name in _CHECKER.findall(" ".join(section.lines))
    ]


def test_every_invariant_is_watched_by_the_checker_it_names() -> None:
    """A checker that an invariant names exists and speaks of that invariant."""
    checkers = get_definitions("sequencer/simulation/checkers", "class")
    claims = read_watchers(read_document("specs/invariants.md"))
    assert claims != []
    assert [claim for claim in claims if claim[0] not in checkers.get(claim[1], "")] == []


@pytest.mark.parametrize("name", ["specs/threats.md", "specs/deviations.md"])
def test_every_test_that_a_document_names_exists(name: str) -> None:
    """What is said to be shown is shown by a test of that name."""
    tests = get_definitions("tests", "def")
    assert [test for test in _TEST.findall(read_document(name)) if test not in tests] == []


def test_every_threat_names_a_rule() -> None:
    """No attack is listed without the rule or mechanism that meets it."""
    tables = [table for section in split_sections(read_document("specs/threats.md")) for table in read_tables(section)]
    assert all(row[1] for table in tables for row in table)
