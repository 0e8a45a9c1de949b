"""The parts of a report (headings, text, tables, pictures), whatever format it is written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """A section (level 2) or a part of one (level 3)."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph; `**strong**` and `` `code` `` mean what they do in Markdown."""

    text: str
    quoted: bool = False
    """Set apart, as a remark on the whole report."""


@dataclass(frozen=True)
class Table:
    """Cells as they are read."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1
    """Leading columns that hold words; the others hold numbers."""
    name: str = ""
    """Of its LaTeX file; empty: it has none."""
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture beside the report."""

    path: str
    """Relative to the report."""
    caption: str


@dataclass(frozen=True)
class Code:
    """Python lines."""

    text: str


@dataclass(frozen=True)
class Files:
    """Links to files beside the report."""

    paths: Sequence[str]
    """Relative to the report."""


Block = Heading | Text | Table | Picture | Code | Files
