"""Masked arrays, such as `rasterio.read(masked=True)` gives them: what is masked is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values = TypeVar("Values")


def filled(values: Values) -> Values | NDArray[Any]:
    """Masked values of masked arrays, lists of them included, as NaN; all else as it is."""
    if isinstance(values, (list, tuple)) and any(
        isinstance(one, np.ma.MaskedArray) for one in values
    ):
        values = np.ma.stack(list(values))
    if not isinstance(values, np.ma.MaskedArray):
        return values
    masked: np.ma.MaskedArray[Any, Any] = values
    if not np.ma.is_masked(masked):
        return np.asarray(masked.data)
    kind = masked.dtype if masked.dtype.kind == "f" else np.dtype(np.float64)
    return np.asarray(np.ma.filled(masked.astype(kind), np.nan))
