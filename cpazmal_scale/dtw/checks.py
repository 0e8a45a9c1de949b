"""Checks of arguments with errors in words: numbers, arrays, masked values, settings."""

from __future__ import annotations

import operator
from collections.abc import Collection
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.features import filled as filled

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST = 2**62
_WHOLE = {
    **dict.fromkeys(("iterations", "n_neighbors", "threads"), 1),
    **dict.fromkeys(("restarts", "min_dates", "seed"), 0),
}
"""Settings of classifiers that are whole numbers, and the least of each."""
ENDS = (None, "begin", "end", "both")
"""What `open_ends` may be."""


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


def real(name: str, value: Any, *, positive: bool = False, endless: bool = False) -> float:
    """A number of 0 or more, NumPy's included; an infinite one if it may be `endless`.

    Raises:
        ValueError: something else, or 0 where it has to be `positive`.
    """
    least = "above 0" if positive else "0 or more"
    number = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    try:
        amount = float(number) if isinstance(number, Real) else float("nan")
    except OverflowError:
        amount = float("nan")
    if not (amount > 0 if positive else amount >= 0) or (amount == np.inf and not endless):
        raise ValueError(f"{name} must be a number, {least}, not {_shown(value)}")
    return amount


def one_of(name: str, value: Any, known: Collection[str | None]) -> Any:
    """One of the values that an argument may have.

    Raises:
        ValueError: it is none of them.
    """
    if not (isinstance(value, str | None) and value in known):
        choice = ", ".join("none" if one is None else str(one) for one in known)
        raise ValueError(f"{name} must be one of {choice}, not {_shown(value)}")
    return value


def settings_of(estimator: Any) -> None:
    """The numbers that a classifier was made with can be used.

    Raises:
        ValueError: naming the first that cannot.
    """
    for name, least in _WHOLE.items():
        if hasattr(estimator, name):
            whole(name, getattr(estimator, name), least)
    one_of("open_ends", getattr(estimator, "open_ends", None), ENDS)
    for name in ("reject", "temperature"):
        if getattr(estimator, name) is not None:
            real(name, getattr(estimator, name), positive=True, endless=name == "reject")


def unmasked(name: str, values: Any) -> Any:
    """An argument in which nothing may be missing, such as dates, labels and weights.

    Raises:
        ValueError: some of it is masked.
    """
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must not be masked")
    return values.data if isinstance(values, np.ma.MaskedArray) else values


def in_rows(name: str, values: Any) -> NDArray[Any]:
    """An array in which nothing is missing, such as dates, groups and weights.

    Raises:
        ValueError: some of it is masked, or its rows are of different lengths.
    """
    plain = unmasked(name, values)
    try:
        return np.asarray(plain)
    except ValueError:
        raise ValueError(f"{name} must be plain values in rows of equal length") from None


def numbers(name: str, values: Any) -> NDArray[np.float64]:
    """Real numbers in which nothing is missing, as float64.

    Raises:
        ValueError: some of it is masked, no number, or in rows of different lengths.
    """
    array = in_rows(name, values)
    if array.dtype.kind == "O" and all(isinstance(one, Real) for one in array.ravel()):
        array = array.astype(np.float64)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be real numbers, not {array.dtype}")
    return array.astype(np.float64)


def equal_lengths(values: Any, name: str) -> Any:
    """An array, if its rows are equally long.

    Raises:
        ValueError: they are not.
    """
    try:
        return np.asarray(filled(values))
    except ValueError:
        raise ValueError(f"{name} must be of equal length; mark missing dates by NaN") from None


def measured(values: Any, name: str) -> Any:
    """Real numbers, NaN missing, in rows of equal length.

    Raises:
        ValueError: they are not.
    """
    array = equal_lengths(values, name)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must hold real numbers, not {array.dtype}")
    return array


def _shown(value: Any) -> str:
    """What was given, short."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"
