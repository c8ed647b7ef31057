"""specs/coverage.md says of every rule who watches it, what breaks it and what tests it, as it is."""

from __future__ import annotations

import re

from tests.unit.specs.coverage import NOT_WATCHED, find_bugs, find_monitors, find_tests, read_rules
from tests.unit.specs.markdown import get_section, read_document, read_tables


def read_rows() -> dict[str, list[str]]:
    """Return the row of each rule, in order."""
    (rows,) = read_tables(get_section(read_document("specs/coverage.md"), "Coverage"))
    return {row[0].split()[0]: row for row in rows}


def read_names(cell: str) -> list[str]:
    """Return the names between backticks."""
    return re.findall("`([^`]+)`", cell)


def test_coverage_has_every_rule_and_invariant() -> None:
    """No rule is left out, none is invented."""
    assert list(read_rows()) == [rule for rule, _ in read_rules()]


def test_coverage_names_the_monitors_and_bugs_that_are_there() -> None:
    """What is stated equals what the checkers report and what the bugs break: run `scripts/rule_coverage.py`."""
    for rule, row in read_rows().items():
        assert (rule, read_names(row[1])) == (rule, find_monitors(rule))
        assert (rule, read_names(row[2])) == (rule, find_bugs(rule))


def test_every_rule_has_a_monitor_or_a_reason_and_the_stated_tests_name_it() -> None:
    """What nobody can watch from outside says why, and nothing that is watched says so."""
    for rule, row in read_rows().items():
        assert bool(find_monitors(rule)) != (rule in NOT_WATCHED), rule
        assert NOT_WATCHED.get(rule, "") in row[3]
        stated = [name for name in read_names(row[3]) if name.endswith(".py") and not name.startswith("scripts/")]
        assert set(stated) <= set(find_tests(rule))


def test_rule_that_nobody_reports_is_seen() -> None:
    """Control: an id that stands in no checker has no monitor and no bug."""
    assert find_monitors("V99") == find_bugs("V99") == find_tests("V99") == []
