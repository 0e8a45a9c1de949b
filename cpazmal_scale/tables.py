"""Tables as CSV whose cells stay text when a spreadsheet opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


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
    """A cell; text that begins like a formula, blanks and tabs aside, with a quote before it."""
    if isinstance(cell, str) and cell.lstrip().startswith(_FORMULAS):
        return f"'{cell}"
    return cell
