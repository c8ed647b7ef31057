"""The README and its neighbours describe what is there: folders, commands, scripts."""

from __future__ import annotations

import argparse
import ast
import re
import shlex

import pytest

from sequencer.cli.command import CommandError
from sequencer.cli.main import COMMANDS, build_parser, load_command
from tests.architecture.source import ROOT
from tests.unit.specs.markdown import get_section, read_document, read_fenced, read_tables, strip_code

README = read_document("README.md")
_PROMPT = re.compile(r"^\$ (?:uv run )?sequencer (.+?)(?: +#.*)?$", re.MULTILINE)


def get_first_sentence(path: str) -> str:
    """Return the first line of a Python file's docstring, without its full stop."""
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""
    return docstring.partition("\n")[0].rstrip(".")


def get_packages() -> list[str]:
    """Return the folders of all packages that a newcomer meets: `p2p`, and the parts of `sequencer`."""
    parts = sorted(path.parent for path in (ROOT / "sequencer").glob("*/__init__.py"))
    return ["sequencer", *(str(part.relative_to(ROOT)) for part in parts), "p2p"]


def read_map(text: str) -> dict[str, str]:
    """Return folder → what the map says of it."""
    (rows,) = read_tables(get_section(text, "Map"))
    return {strip_code(row[0]).rstrip("/"): row[1] for row in rows}


def find_map_differences(text: str) -> list[str]:
    """Return the packages of which the map says nothing, or something else than their docstring."""
    described = read_map(text)
    return [
        package for package in get_packages() if described.get(package) != get_first_sentence(f"{package}/__init__.py")
    ]


def test_map_says_of_each_package_what_its_docstring_says() -> None:
    """One sentence per folder, the same in both places."""
    assert find_map_differences(README) == []


def test_map_names_only_folders_that_exist() -> None:
    """Nobody looks for a folder that is gone."""
    assert [folder for folder in read_map(README) if not (ROOT / folder).is_dir()] == []


def test_planted_wrong_sentence_in_the_map_is_found() -> None:
    """Control: a map that says something else is seen."""
    assert find_map_differences(README.replace(get_first_sentence("sequencer/crypto/__init__.py"), "Hash")) == [
        "sequencer/crypto"
    ]


def get_readme_commands(text: str) -> list[str]:
    """Return every `sequencer …` command line that a console block shows."""
    return [command for block in read_fenced(text, "console") for command in _PROMPT.findall(block)]


def parse_command(line: str) -> argparse.Namespace:
    """Parse a command line as `sequencer` would, without running it; `CommandError` if it is wrong."""
    words = shlex.split(line)
    module = load_command(words[0]) if words[0] in COMMANDS else None
    return build_parser(words[0], module).parse_args(words)


@pytest.mark.parametrize("line", get_readme_commands(README))
def test_readme_command_is_one_that_the_program_takes(line: str) -> None:
    """Command and options that the README shows exist."""
    parse_command(line)


def test_planted_wrong_command_in_the_readme_is_found() -> None:
    """Control: an option that does not exist is seen."""
    (line,) = get_readme_commands("```console\n$ uv run sequencer devnet --no-such-option\n```\n")
    with pytest.raises(CommandError):
        parse_command(line)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str) -> None:
    """`--help` of each command answers and ends well."""
    with pytest.raises(SystemExit) as ended:
        parse_command(f"{command} --help")
    assert ended.value.code == 0


def test_every_script_is_listed_with_its_first_sentence() -> None:
    """Whoever opens scripts/ finds each script and what it asks."""
    text = read_document("scripts/README.md")
    listed = {strip_code(row[0]): row[1] for table in read_tables(get_section(text, "What they ask")) for row in table}
    scripts = sorted(path for path in (ROOT / "scripts").rglob("*.py") if path.name != "__init__.py")
    assert listed == {
        str(path.relative_to(ROOT / "scripts")): get_first_sentence(str(path.relative_to(ROOT))) for path in scripts
    }
