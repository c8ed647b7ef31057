"""Read markdown as data: headings, tables under a heading, and fenced blocks by their label."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.architecture.source import ROOT

_HEADING = re.compile(r"(#{1,6}) +(.+?) *\Z")
_CELL_BREAK = re.compile(r"(?<!\\)\|")


class Section(NamedTuple):
    """The text between one heading and the next, of whatever level."""

    level: int
    title: str
    lines: tuple[str, ...]


def read_document(name: str) -> str:
    """Return the text of a document, by its path from the root."""
    return (ROOT / name).read_text()


def split_sections(text: str) -> list[Section]:
    """Return the sections of a document in order; a `#` inside a fenced block is no heading."""
    sections: list[Section] = []
    lines: list[str] = []
    level, title, is_fenced = 0, "", False
    for line in text.splitlines():
        is_fenced ^= line.startswith("```")
        found = None if is_fenced else _HEADING.match(line)
        if found:
            sections.append(Section(level, title, tuple(lines)))
            level, title, lines = len(found[1]), found[2], []
        else:
            lines.append(line)
    return [*sections, Section(level, title, tuple(lines))]


def get_section(text: str, title: str) -> Section:
    """Return the one section with this title."""
    (section,) = [section for section in split_sections(text) if section.title == title]
    return section


def read_tables(section: Section) -> list[list[list[str]]]:
    """Return the tables of a section, each as rows of cells without the head."""
    tables: list[list[list[str]]] = []
    rows: list[list[str]] = []
    for line in (*section.lines, ""):
        if line.startswith("|"):
            rows.append([cell.strip() for cell in _CELL_BREAK.split(line)[1:-1]])
        elif rows:
            tables.append(rows[2:])
            rows = []
    return tables


def read_fenced(text: str, label: str) -> list[str]:
    """Return the contents of all fenced blocks whose info string is `label`."""
    return re.findall(rf"^```{re.escape(label)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def read_hex(text: str, label: str) -> bytes:
    """Return the bytes of the one block ```hex `label`; white space is for people."""
    (block,) = read_fenced(text, f"hex {label}")
    return bytes.fromhex("".join(block.split()))


def strip_code(cell: str) -> str:
    """Return a table cell without its backticks."""
    return cell.strip("`")
