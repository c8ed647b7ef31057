"""A rule id means the same in specifications, code and tests: what is cited is stated, what is stated is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, get_sources
from tests.unit.specs.markdown import read_document, split_sections

FAMILIES = "GLPVCFTODREXAI"
"""First letters of rule ids; `specs/README.md` says what each stands for."""

_ID = re.compile(rf"(?<![\w-])[{FAMILIES}]\d{{1,2}}b?(?![\w-])")
_COMMENT = re.compile(r"#(?!!)(.*)")
_HEADING_ID = re.compile(rf"([{FAMILIES}]\d{{1,2}}b?) · ")
_NAMED_ID = re.compile(rf"(?<=_)[{FAMILIES}]\d{{1,2}}b?(?=_|\b)")

CITING_FOLDERS = ("sequencer", "p2p", "tests", "scripts")


def find_cited_ids(source: str) -> set[str]:
    """Return the ids after a `#` in Python text (comments, and docstrings that end with `# V12`)."""
    return {found for comment in _COMMENT.findall(source) for found in _ID.findall(comment)}


def find_mentioned_ids(source: str) -> set[str]:
    """Return the ids that a test names anywhere: in comments, claims or function names."""
    return {*_ID.findall(source), *_NAMED_ID.findall(source)}


def find_stated_ids(text: str) -> list[str]:
    """Return the ids that open a heading of a document, in order."""
    found = [_HEADING_ID.match(section.title) for section in split_sections(text)]
    return [match[1] for match in found if match]


def get_documents() -> list[Path]:
    """Return every document of the specification."""
    return sorted((ROOT / "specs").glob("*.md"))


def get_stated_ids() -> list[str]:
    """Return the ids that all documents state."""
    return [rule for path in get_documents() for rule in find_stated_ids(path.read_text())]


def find_unknown_citations(sources: Iterable[tuple[str, str]], stated: Iterable[str]) -> list[str]:
    """Return `file: id` for each id that a source cites and no document states."""
    known = set(stated)
    return [f"{name}: {rule}" for name, text in sources for rule in sorted(find_cited_ids(text) - known)]


def get_code() -> list[tuple[str, str]]:
    """Return (path, text) of every Python file that may cite a rule, but for this file's own examples."""
    paths = [path for folder in CITING_FOLDERS for path in get_sources(folder)]
    return [(str(path.relative_to(ROOT)), path.read_text()) for path in paths if path != Path(__file__)]


def test_every_cited_rule_is_stated() -> None:
    """Whoever meets `# V12` in the code finds V12 in the specification."""
    assert find_unknown_citations(get_code(), get_stated_ids()) == []


def test_every_rule_is_stated_once() -> None:
    """One id, one rule."""
    stated = get_stated_ids()
    assert len(stated) == len(set(stated))


def find_unkept_rules(stated: Iterable[str], sources: Iterable[tuple[str, str]]) -> list[str]:
    """Return the rules that neither code cites nor a test names."""
    kept: set[str] = set()
    for name, text in sources:
        kept |= find_mentioned_ids(text) if name.startswith("tests") else find_cited_ids(text)
    return [rule for rule in stated if rule not in kept]


def test_every_ordering_rule_is_cited_by_code_or_test() -> None:
    """A rule that nothing cites is a rule that nobody keeps."""
    assert find_unkept_rules(find_stated_ids(read_document("specs/ordering.md")), get_code()) == []


@pytest.mark.parametrize(
    "source",
    ["x = 1  # V99", '"""Do it. # L2 A77"""', "# after D1, see R88.", "def f():\n    # (I55) holds\n    pass"],
)
def test_planted_citation_of_an_unknown_rule_is_found(source: str) -> None:
    """Control: a wrong id is seen wherever a comment or docstring can hold it."""
    assert find_unknown_citations([("planted.py", source)], get_stated_ids()) != []


@pytest.mark.parametrize("source", ["x = 1  # noqa: E501", "D1 = 'V99'", "# a 64-KB V8-like frame, SHA256, U64"])
def test_text_that_is_no_citation_is_left_alone(source: str) -> None:
    """Control: ids of other worlds and ids outside comments do not count as citations."""
    assert find_cited_ids(source) == set()


def test_planted_rule_that_nobody_keeps_is_found() -> None:
    """Control: a stated rule without any citation is seen."""
    assert find_unkept_rules(["V12", "V99"], [("sequencer/a.py", "# V12"), ("tests/b.py", "def test_V1_x(): ...")]) == [
        "V99"
    ]
