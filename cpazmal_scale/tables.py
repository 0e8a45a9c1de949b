"""Tables as CSV whose cells stay text when a spreadsheet opens them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(
    r"[\s\x00-\x1f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]*"
    r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
)
"""How a formula begins, behind blanks and signs that are not seen."""


def to_csv(table: pd.DataFrame, float_format: str | None = None) -> str:
    """A table as CSV without its index; text that a spreadsheet would run has a quote before it."""
    from pandas.api.types import is_numeric_dtype

    safe = table.set_axis([plain(name) for name in table.columns], axis=1)
    for place, kind in enumerate(table.dtypes):
        if not is_numeric_dtype(kind):
            safe.isetitem(place, [plain(cell) for cell in table.iloc[:, place]])
    written: str = safe.to_csv(index=False, float_format=float_format)
    return written


def plain(cell: Any) -> Any:
    """A cell; text that begins like a formula has a quote before it."""
    if isinstance(cell, str) and _FORMULA.match(cell):
        return f"'{cell}"
    return cell
