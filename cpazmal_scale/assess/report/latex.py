"""Tables as LaTeX, to be input where the package booktabs is loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpazmal_scale.assess.report.parts import Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "κ": r"$\kappa$",
    "γ": r"$\gamma$",
    "σ": r"$\sigma$",
    "β": r"$\beta$",
    "°": r"\textdegree{}",
    "×": r"$\times$",
    "²": r"\textsuperscript{2}",
    "\u202f": r"\,",
}
_STRONG = re.compile(r"\*\*(.+?)\*\*")


def latex(table: Table) -> str:
    """A `table` float with its caption and the label `tab:` and the table's name."""
    columns = "l" * table.text_columns + "r" * (len(table.header) - table.text_columns)
    if table.text_columns == len(table.header):  # the last one holds sentences
        columns = f"{columns[:-1]}p{{0.7\\linewidth}}"
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_cell(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _row(table.header),
        r"\midrule",
        *map(_row, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(_cell(cell) for cell in cells) + r" \\"


def _cell(text: str) -> str:
    """Text with what LaTeX would read as commands escaped, and `**strong**` in bold."""
    parts = _STRONG.split(text)
    escaped = ["".join(_SPECIAL.get(sign, sign) for sign in part) for part in parts]
    return "".join(rf"\textbf{{{p}}}" if i % 2 else p for i, p in enumerate(escaped))
