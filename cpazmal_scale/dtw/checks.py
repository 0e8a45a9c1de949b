"""What is asked of arguments, in words: whole numbers, masked values, threads."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from cpazmal_scale.features import filled as filled

_MOST = 2**62


def whole(name: str, value: Any, least: int) -> int:
    """A whole number, NumPy's included.

    Raises:
        ValueError: not whole, below `least`, or beyond what a machine counts.
    """
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        is_whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
        number = int(value) if is_whole else least - 1
    if not least <= number < _MOST:
        raise ValueError(f"{name} must be a whole number, {least} or more, not {value!r}") from None
    return number


def unmasked(name: str, values: Any) -> Any:
    """An argument in which nothing may be missing, such as dates, labels and weights.

    Raises:
        ValueError: some of it is masked.
    """
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must not be masked")
    return values.data if isinstance(values, np.ma.MaskedArray) else values


def equal_lengths(values: Any, name: str) -> Any:
    """An array, if its rows are equally long.

    Raises:
        ValueError: they are not.
    """
    try:
        return np.asarray(filled(values))
    except ValueError:
        raise ValueError(f"{name} must be of equal length; mark missing dates by NaN") from None
