"""The tree stays tidy: a known root, short files, nothing of anybody's machine."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from tests.architecture.source import ROOT, get_tracked

ROOT_ENTRIES = frozenset(
    [
        ".ci",
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "p2p",
        "pyproject.toml",
        "scripts",
        "sequencer",
        "specs",
        "tests",
    ]
)
"""Everything that may lie in the root; who adds to it says why here."""

LINES_MAX = 499
"""Lines of one Python file."""

FORBIDDEN_TEXT = {
    "a path of somebody's machine": re.compile(r"(^|[^A-Za-z0-9_.])/(work|farm|root|home|Users)/[A-Za-z0-9_.]"),
    "the address of a package registry": re.compile(
        r"pythonhosted\.org|pypi\.org/simple|index[-_]url\s*=|\[\[tool\.uv\.index\]\]|https?://\S+/simple\b"
    ),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}
LOCK_FILES = frozenset({"uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "package-lock.json", "yarn.lock"})
"""Lock files record where packages were downloaded from."""


def find_strangers(paths: tuple[str, ...]) -> list[str]:
    """Return the root entries that nobody agreed on, and lock files anywhere."""
    entries = {PurePosixPath(path).parts[0] for path in paths}
    return sorted(entries - ROOT_ENTRIES) + [path for path in paths if PurePosixPath(path).name in LOCK_FILES]


def find_forbidden_text(text: str) -> list[str]:
    """Return what `text` holds that belongs to one machine only."""
    return [what for what, pattern in FORBIDDEN_TEXT.items() if pattern.search(text)]


def is_too_long(text: str) -> bool:
    """Tell whether a Python file holds more lines than one thought needs."""
    return text.count("\n") > LINES_MAX


def test_root_holds_only_what_is_agreed() -> None:
    """A newcomer sees the map of the project, not its leftovers."""
    assert find_strangers(get_tracked()) == []


def test_python_files_are_short() -> None:
    """A file of 500 lines holds more than one thought."""
    long = [path for path in get_tracked() if path.endswith(".py") and is_too_long((ROOT / path).read_text())]
    assert long == []


def test_tracked_files_name_no_machine_and_no_registry() -> None:
    """The tree means the same on every machine."""
    found = [
        f"{path}: {what}"
        for path in get_tracked()
        for what in find_forbidden_text((ROOT / path).read_text(errors="replace"))
    ]
    assert found == []


def test_planted_stranger_in_the_root_is_found() -> None:
    """Control: a leftover file and a lock file anywhere are seen."""
    assert find_strangers(("README.md", "notes.txt", "sequencer/uv.lock")) == ["notes.txt", "sequencer/uv.lock"]


@pytest.mark.parametrize(
    "text",
    [
        "see /wo" + "rk/main/x.py",
        "cd /ro" + "ot/project",
        "'/ho" + "me/me/x'",
        "index-ur" + "l = 'https://packages.example'",
        "https://registry.example/sim" + "ple",
        "-----BEGIN PRIV" + "ATE KEY-----",
    ],
)
def test_planted_machine_text_is_found(text: str) -> None:
    """Control: each kind of forbidden text is seen."""
    assert find_forbidden_text(text) != []


def test_planted_long_file_is_found() -> None:
    """Control: 500 lines are too many, 499 are not."""
    assert [is_too_long("x\n" * 500), is_too_long("x\n" * 499)] == [True, False]
