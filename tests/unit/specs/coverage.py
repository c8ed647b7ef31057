"""Tie each rule to the monitor that reports it, the bugs that break it and the tests that name it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.architecture.source import ROOT, get_sources
from tests.simulation.planted.bugs import BUGS
from tests.unit.specs.markdown import read_document, split_sections

CHECKERS = "sequencer/simulation/checkers"
WATCHES = "tests/properties/split"
"""What watches random logs over split rollups, which the simulator has none of."""
TESTS_SHOWN_MAX = 2

NOT_WATCHED = {
    "G3": "the simulator signs with tokens; the acceptance set of Ed25519 is pinned by vectors",
    "G5": "the caller's duty: D1, L1 and L4 watch the simulated caller, tests the real one",
    "L5": "a local notion; V6 and P2 watch what is done with it",
    "L7": "watched by O2 and R2: what was let go too early cannot be delivered or served",
    "L9": "a local limit on what a leader orders; less is never wrong",
    "P6": "silence of a leader shows as T2 of the others; the rule only makes it shorter",
    "V8": "a vote that is withheld cannot be told from one that is late; tests of the rule alone",
    "V9": "this version knows no flags, so no replica can make a block with one; tests of the rule alone",
    "F2": "knowledge from proposals is part of the model of every monitor; P3 watches the sending",
    "T6": "patience is local and may only lengthen T; T1 watches the lower bound",
    "O5": "a promise to clients: I13 and the clients of each run watch it",
    "D2": "a property of the disk, not of a message; tests of the store",
    "R3": "part of what R2 and I12 demand of who is behind",
    "A2": "leaves and receipts show it; tests of them",
    "A4": "an exception stops any run; arbitrary bundles and logs in tests",
    "A5": "blocks are voted on before they are executed: nothing could show it",
    "A10": "part of what A8 compares with the judge",
    "A14": "guesses never enter an outcome; tests of the speculation",
    "A15": "part of what A8 and A9 compare with the judge",
    "A18": "a promise of what is not there; tests of the mempool",
    "A21": "stateless; A8 watches that everything is decided by its deadline",
    "I15": "two runs are compared, not one watched: `scripts/determinism.py`",
}
"""Rules that no monitor can judge from outside, and why; tests keep them."""


def read_rules() -> list[tuple[str, str]]:
    """Return (id, title) of every rule of ordering and atomicity and every invariant, in order."""
    rules = []
    for name in ("specs/ordering.md", "specs/atomicity.md", "specs/invariants.md"):
        for section in split_sections(read_document(name)):
            found = re.match(r"([A-Z]\d{1,2}b?) · (.+)", section.title)
            if found:
                rules.append((found[1], found[2]))
    return rules


def find_monitors(rule: str) -> list[str]:
    """Return the checkers' files in which the rule is reported: the id stands there as a text of its own.

    Evidence reports under the rule that it is about, X1 to X7, whichever it is.
    """
    if rule.startswith("X"):
        return ["evidence"]
    checkers = [path.stem for path in get_sources(CHECKERS) if rule in _read_texts(path)]
    return checkers + [f"split/{path.stem}" for path in get_sources(WATCHES) if rule in _read_texts(path)]


@cache
def _read_texts(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def find_bugs(rule: str) -> list[str]:
    """Return the planted bugs that break the rule, or that its monitor catches."""
    return [bug.name for bug in BUGS if bug.rule == rule or rule in bug.caught_by[:1]]


def find_tests(rule: str) -> list[str]:
    """Return test files that name the rule in the name or the claim of a test."""
    named = re.compile(rf"def test_(?:\w+_)?{rule}_|\"\"\"(?:[A-Z]\d+b?, )*{rule}[:,]|id=\"{rule}-")
    return [name for name, text in _read_tests() if named.search(text)]


@cache
def _read_tests() -> list[tuple[str, str]]:
    """Return every test file below `tests` with its text, read once."""
    paths = [path for folder in ("tests/unit", "tests/simulation", "tests/properties") for path in get_sources(folder)]
    return [(str(path.relative_to(ROOT / "tests")), path.read_text()) for path in paths]


HEAD = """# Coverage

What ties each rule to the checkers that watch it in every simulated run, to the planted bugs that
prove that they can fail, and to tests of the rule alone. Checkers are files of
`sequencer/simulation/checkers`, or `split/…` of `tests/properties`, which watch random logs over split
rollups; bugs are shown by `scripts/planted_bugs.py --diff`, tests are files below `tests`.
`scripts/rule_coverage.py` writes this table; a test holds it to the code.

"""


def make_document() -> str:
    """Return the whole of `specs/coverage.md`."""
    return f"{HEAD}{make_table()}\n"


def make_table() -> str:
    """Return the table as markdown."""
    lines = ["| rule | monitors | planted bugs | tests, or why no monitor |", "|---|---|---|---|"]
    for rule, title in read_rules():
        monitors = ", ".join(f"`{name}`" for name in find_monitors(rule)) or "—"
        bugs = ", ".join(f"`{name}`" for name in find_bugs(rule)) or "—"
        tests = ", ".join(f"`{name}`" for name in find_tests(rule)[:TESTS_SHOWN_MAX])
        why = NOT_WATCHED.get(rule, "")
        lines.append(f"| {rule} {title} | {monitors} | {bugs} | {'; '.join(filter(None, (why, tests))) or '—'} |")
    return "\n".join(lines)
