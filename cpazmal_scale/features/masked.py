"""Masked arrays, such as `rasterio.read(masked=True)` gives them: what is masked is missing."""

from __future__ import annotations

from typing import Any

import numpy as np


def filled(values: Any) -> Any:
    """Masked values of masked arrays, lists of them included, as NaN; all else as it is."""
    if isinstance(values, (list, tuple)) and any(
        isinstance(one, np.ma.MaskedArray) for one in values
    ):
        values = np.ma.stack(list(values))
    if not isinstance(values, np.ma.MaskedArray):
        return values
    if not np.ma.is_masked(values):
        return values.data
    kind = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    return np.ma.filled(values.astype(kind), np.nan)
