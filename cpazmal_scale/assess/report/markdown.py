"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from cpazmal_scale.assess.report.parts import Block, Code, Files, Heading, Picture, Table, Text


def markdown(title: str, blocks: Sequence[Block]) -> str:
    """The whole document."""
    return "\n\n".join([f"# {title}", *map(_block, blocks)]) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_plain(text)}"
        case Text(text, quoted):
            return f"> {_plain(text)}" if quoted else _plain(text)
        case Table():
            return _table(block)
        case Picture(path, caption):
            return f"![{_plain(caption)}]({path})"
        case Code(text):
            return f"```python\n{text.strip()}\n```"
        case Files(paths):
            return ", ".join(f"[{path.rsplit('/', 1)[-1]}]({path})" for path in paths)


def _table(table: Table) -> str:
    """A pipe table; words are left-aligned, numbers to the right."""
    columns = range(len(table.header))
    rule = ["---" if place < table.text_columns else "---:" for place in columns]
    lines = [table.header, rule, *table.rows]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in lines)


def _cell(text: str) -> str:
    """Text that ends no cell and no row."""
    return " ".join(_plain(text).replace("|", "/").splitlines())


def _plain(text: str) -> str:
    """Text in which no tag of HTML begins."""
    return text.replace("<", "&lt;")
