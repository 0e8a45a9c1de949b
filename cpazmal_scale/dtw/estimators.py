"""What the classifiers share: checked input, z-scores, labels of decisions."""

from __future__ import annotations

import io
import json
import numbers
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from cpazmal_scale.dtw.checks import equal_lengths, filled, in_rows
from cpazmal_scale.dtw.decision import REJECTED, Decision

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class SeriesClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of series in which NaN marks missing dates; what it says is its decision."""

    classes_: NDArray[Any]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        return tags

    def decide(self, X: ArrayLike, days: ArrayLike | None = None) -> Decision:
        """The whole decision for series `(N, K, T)`, on other `days` `(T,)` if given."""
        raise NotImplementedError

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Labels `(N,)`; rejected series and those without class get '' (text labels) or -1."""
        return labels_of(self.decide(X).index, self.classes_)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities `(N, C)`; NaN where no feature has enough valid dates."""
        chances = self.decide(X).probability.T.astype(np.float64)
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))

    def state(self) -> tuple[dict[str, NDArray[Any]], str]:
        """Arrays and a JSON text from which `from_state` makes the same classifier."""
        raise NotImplementedError

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]], text: str) -> Self:
        """The classifier whose `state` this is."""
        raise NotImplementedError

    def save(self, path: str | Path) -> None:
        """Write the fitted classifier to one `.npz` file without pickle; replaced at once, or not.

        Raises:
            ValueError: something of it is an object that only pickle could write.
        """
        from cpazmal_scale.storage import disk

        arrays, settings = self.state()
        if any(array.dtype.hasobject for array in arrays.values()):
            raise ValueError("only text and numbers can be saved")
        data = io.BytesIO()
        np.savez(data, kind=type(self).__name__, settings=settings, **arrays)  # type: ignore[arg-type]
        disk.replace(Path(path), data.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The classifier that `save` wrote.

        Raises:
            ValueError: the file holds something else.
        """
        try:
            with np.load(Path(path), allow_pickle=False) as held:
                arrays = {name: held[name] for name in held.files}
        except (EOFError, zipfile.BadZipFile, zlib.error, *_NOT_OURS) as error:
            raise ValueError(f"{path} is not a saved {cls.__name__}") from error
        kind = str(arrays.pop("kind", "something else"))
        if kind != cls.__name__:
            raise ValueError(f"{path} holds {kind}, not a {cls.__name__}")
        return cls.from_state(arrays, str(arrays.pop("settings")))


_NOT_OURS = (ValueError, TypeError, AttributeError)
"""What NumPy raises besides of a file that is no archive of arrays."""
_NO_CLASS = "labels '', None and -1 stand for no class; give that class another one"


def checked_groups(groups: ArrayLike, count: int) -> NDArray[np.intp]:
    """Number of each series' group.

    Raises:
        ValueError: another number of groups than of series, or one that is missing.
    """
    array = in_rows("groups", groups)
    if isinstance(groups, list | tuple) and array.dtype.kind == "U":
        array = np.array(groups, object)  # NaN among text became text
    if array.shape != (count,):
        raise ValueError(f"{count} series, {array.size} groups")
    values = array.tolist()
    if (array.dtype.kind in "mM" and np.isnat(array).any()) or any(map(_is_missing, values)):
        raise ValueError("every series needs a group; some are None or NaN")
    places = {value: place for place, value in enumerate(sorted(set(values), key=_key))}
    return np.array([places[value] for value in values], np.intp)


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT or pandas' NA, which is not even true or false beside itself."""
    same = value == value
    return value is None or not isinstance(same, bool | np.bool_) or not same


def _key(value: Any) -> tuple[str, Any]:
    return (type(value).__name__, value)


def as_json(settings: dict[str, Any]) -> str:
    """Settings as JSON, NumPy's numbers included."""

    def plain(value: Any) -> Any:
        if isinstance(value, numbers.Integral):
            return int(value)
        if isinstance(value, numbers.Real):  # NumPy's longest float is a list of itself
            return float(value)
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        raise TypeError(f"a {type(value).__name__} cannot be saved")

    return json.dumps(settings, default=plain)


class Scaling(NamedTuple):
    """Mean and standard deviation of each feature over the training series and dates."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, series: NDArray[np.float64]) -> Scaling:
        """From `(N, K, T)`, ignoring NaN; a constant or empty feature keeps its scale.

        Raises:
            ValueError: values are so large that their squares are infinite.
        """
        valid = ~np.isnan(series)
        counts = np.maximum(valid.sum(axis=(0, 2)), 1)
        mean = np.where(valid, series, 0.0).sum(axis=(0, 2)) / counts
        away = np.where(valid, series - mean[:, None], 0.0)
        with np.errstate(over="ignore"):
            scale = np.sqrt((away * away).sum(axis=(0, 2)) / counts)
        if not np.isfinite(scale).all():
            raise ValueError("series must hold values below 1e150")
        return cls(mean, np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1e-300), scale, 1.0))

    def apply(self, series: NDArray[Any]) -> NDArray[np.float32]:
        """Float32 z-scores of an array whose second-last axis but for pixels is the feature.

        Float64 in between; an element's result depends on itself only.
        """
        return ((series - self.mean[:, None]) / self.scale[:, None]).astype(np.float32)


def checked_series(estimator: BaseEstimator, X: ArrayLike, *, reset: bool) -> NDArray[np.float64]:
    """`(N, K, T)` float64; `(N, T)` is one feature.

    Raises:
        ValueError: not numeric, infinite, empty, or (if not `reset`) with other features.
    """
    array = validate_data(
        estimator,
        equal_lengths(X, "series") if isinstance(X, list | tuple) else filled(X),
        reset=reset,
        dtype=np.float64,
        allow_nd=True,
        ensure_all_finite="allow-nan",
    )
    if array.ndim == 2:
        array = array[:, None, :]
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"X must have shape (N, T) or (N, K, T), not {array.shape}")
    return np.asarray(array)


def checked_labels(y: ArrayLike, count: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Sorted classes and the position of each label among them.

    Raises:
        ValueError: not class labels, wrong number, fewer than two classes or more than 253, or a
            label that stands for no class.
    """
    labels = _of_one_kind(column_or_1d(in_rows("labels", y), warn=True), y)
    check_classification_targets(labels)
    if len(labels) != count:
        raise ValueError(f"{count} series, {len(labels)} labels")
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("at least 2 classes are needed, y has one class")
    if len(classes) >= REJECTED:
        raise ValueError(f"at most {REJECTED - 1} classes can be told apart, not {len(classes)}")
    if set(classes.tolist()) & {"", None} or (classes.dtype.kind in "if" and -1 in classes):
        raise ValueError(_NO_CLASS)
    return classes, codes


def _of_one_kind(labels: NDArray[Any], given: ArrayLike) -> NDArray[Any]:
    """Labels as text or numbers that can be saved, and that -1 or '' can stand beside."""
    values = labels.tolist()
    if isinstance(given, list | tuple) and not any(isinstance(one, list | tuple) for one in given):
        values = list(given)  # what is missing among text became text
    if labels.dtype.kind != "f" and any(map(_is_missing, values)):
        raise ValueError(_NO_CLASS)
    if labels.dtype.kind == "O":
        labels = np.array(values).reshape(labels.shape)
    texts = {isinstance(one, str) for one in values}
    if labels.dtype.kind not in "USbiuf" or len(texts) > 1:
        raise ValueError("labels must be text, or whole numbers, all of one kind")
    if labels.dtype.kind == "u":
        if labels.size and labels.max() > np.iinfo(np.int64).max:
            raise ValueError(f"labels must be below 2^63, not {labels.max()}")
        labels = labels.astype(np.int64) if labels.dtype.itemsize == 8 else labels
    return labels


def labels_of(index: NDArray[np.uint8], classes: NDArray[Any]) -> NDArray[Any]:
    """Labels of decisions; rejected and undecided ones are '' (text labels) or -1."""
    none = np.array([""] if classes.dtype.kind in "US" else [-1])
    if classes.dtype.kind == "b":
        classes = classes if np.all(index < len(classes)) else classes.astype(np.int8)
    table = np.concatenate([classes, none.astype(np.result_type(classes, none))])
    if np.all(index < len(classes)):
        table = classes
    return np.asarray(table[np.minimum(index, len(table) - 1)])
