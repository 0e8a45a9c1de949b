"""Figures of merit of predictions against a reference (method §6).

Confusion counts are `(C, C + 1)`: reference classes in rows, predictions in columns, and a last
column for what was given no class. What has no class is an error, never left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

NO_CLASS = -1
"""Code of a prediction without class."""
SMALLEST = 1e-4
"""Probabilities are raised to this before a log-loss: the step in which maps store them."""
BINS = 10
"""Bins of the reliability diagram, equal in confidence."""
FEWEST = 5
"""Groups with predictions whose calibration error has an interval."""
DRAWS = 1000
"""Of groups, for what is said of calibration errors."""


class Scores(NamedTuple):
    """Figures of confusion counts; leading dimensions are those of the counts."""

    overall_accuracy: NDArray[np.float64]
    kappa: NDArray[np.float64]
    macro_f1: NDArray[np.float64]
    """Mean F1 of the classes the reference has."""
    weighted_f1: NDArray[np.float64]
    producers: NDArray[np.float64]
    """`(…, C)` producer's accuracy (recall); NaN for a class the reference lacks."""
    users: NDArray[np.float64]
    """`(…, C)` user's accuracy (precision); NaN for a class that was never predicted."""
    f1: NDArray[np.float64]
    """`(…, C)`; NaN for a class the reference lacks."""
    support: NDArray[np.float64]
    """`(…, C)` reference members."""


class Figures(NamedTuple):
    """Every figure of one set of predictions."""

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    scores: Scores
    auc: float
    """Mean one-versus-rest area under the ROC curve; NaN without probabilities."""
    log_loss: float
    """Natural logarithm, probabilities not below 1e-4."""
    brier: float
    """Mean squared distance to the one-hot reference, 0 to 2."""
    ece: float
    """Expected calibration error of the largest probability, 10 bins."""


def codes_of(labels: ArrayLike, classes: Sequence[str]) -> NDArray[np.intp]:
    """Position of each label in `classes`; -1 for any other label."""
    known, inverse = np.unique(np.asarray(labels), return_inverse=True)
    places = {name: place for place, name in enumerate(classes)}
    table = np.array([places.get(str(name), NO_CLASS) for name in known], dtype=np.intp)
    return np.asarray(table[inverse.reshape(-1)] if table.size else np.zeros(0, np.intp))


def confusion_counts(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], count: int
) -> NDArray[np.int64]:
    """Counts `(C, C + 1)` of codes; predictions outside 0..C-1 go to the last column.

    Raises:
        ValueError: a reference code outside 0..C-1, or lengths that differ.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape:
        raise ValueError(f"{truth.size} references, {predicted.size} predictions")
    if truth.size and not (truth.min() >= 0 and truth.max() < count):
        raise ValueError(f"reference codes must lie in 0..{count - 1}")
    column = np.where((predicted >= 0) & (predicted < count), predicted, count)
    cells = np.bincount(truth * (count + 1) + column, minlength=count * (count + 1))
    return cells.reshape(count, count + 1).astype(np.int64)


def scores(confusion: ArrayLike) -> Scores:
    """Figures of counts `(…, C, C + 1)`, or of weighted counts; see `Scores`."""
    counts = np.asarray(confusion, dtype=np.float64)
    size = counts.shape[-2]
    if counts.shape[-1] != size + 1:
        raise ValueError(f"confusion counts must be (C, C + 1), not {counts.shape[-2:]}")
    right = np.diagonal(counts[..., :size], axis1=-2, axis2=-1)
    support, predicted = counts.sum(axis=-1), counts[..., :size].sum(axis=-2)
    total = support.sum(axis=-1)
    f1, macro_f1 = f1_scores(right, support, predicted)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = right.sum(axis=-1) / total
        chance = (support * predicted).sum(axis=-1) / total**2
        return Scores(
            accuracy,
            (accuracy - chance) / (1 - chance),
            macro_f1,
            np.nansum(f1 * support, axis=-1) / total,
            right / support,
            right / predicted,
            f1,
            support,
        )


def f1_scores(
    right: NDArray[np.float64], support: NDArray[np.float64], predicted: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """F1 `(…, C)` of each class, NaN without reference, and macro-F1 `(…)`, their mean.

    Args:
        right: predictions of each class that are right `(…, C)`.
        support: references of the class.
        predicted: predictions of the class, right or not.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(support > 0, 2 * right / (support + predicted), np.nan)
        return f1, np.nansum(f1, axis=-1) / (support > 0).sum(axis=-1)


def reliability_counts(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], confidence: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Sums `(10, 3)` per bin of confidence: predictions, their confidence, how many are right.

    Args:
        truth: reference codes `(N,)`.
        predicted: codes `(N,)`.
        confidence: probability of the prediction `(N,)`; NaN is left out. Bins are open below.
    """
    known = np.isfinite(confidence)
    sure = np.asarray(confidence, np.float64)[known]
    place = np.clip(np.ceil(sure * BINS).astype(np.intp) - 1, 0, BINS - 1)
    right = (truth == predicted)[known].astype(np.float64)
    sums = [np.bincount(place, weights, BINS) for weights in (np.ones(sure.size), sure, right)]
    return np.stack(sums, axis=1)


def expected_calibration_error(reliability: NDArray[np.float64]) -> float:
    """Mean gap between confidence and accuracy over the bins of `reliability_counts`."""
    total = reliability[:, 0].sum()
    return float(np.abs(reliability[:, 1] - reliability[:, 2]).sum() / total) if total else np.nan


def debiased_calibration_error(reliability: NDArray[np.float64]) -> float:
    """Root mean squared gap over the bins, less what the chance of finite samples adds to it.

    Squared gaps are too large by the variance of a bin's mean, which is estimated and subtracted
    (Kumar, Liang and Ma 2019, "Verified uncertainty calibration"), here between groups, as
    predictions of one group are not independent. Without chance, the expected calibration error
    with the same bins is never larger.

    Args:
        reliability: `(G, 10, 3)`, `reliability_counts` of each group.

    Returns:
        0 where chance explains the gaps, NaN without predictions.
    """
    count, gap = _gaps(reliability)
    if not len(count):
        return float("nan")
    square = _squared_error(count, gap, np.ones((1, len(count))))[1]
    return float(np.sqrt(np.maximum(square[0], 0.0)))


def calibration_interval(reliability: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """95 % interval of `debiased_calibration_error`, from a bootstrap of the groups.

    A draw's own error is less what chance adds to it; what is left of the draws beside the groups'
    own figure is what chance added to that one, and is subtracted. NaN below five groups.
    """
    count, gap = _gaps(reliability)
    if len(count) < FEWEST:
        return float("nan"), float("nan")
    plain, square = _squared_error(count, gap, np.ones((1, len(count))))
    groups = len(count)
    chosen = np.random.default_rng(seed).integers(groups, size=(DRAWS, groups))
    cells = chosen + groups * np.arange(DRAWS)[:, None]
    drawn = np.bincount(cells.ravel(), minlength=cells.size).reshape(cells.shape)
    found = _squared_error(count, gap, drawn.astype(np.float64))[1] - (plain - square)
    low, high = np.sqrt(np.maximum(np.quantile(found, [0.025, 0.975]), 0.0))
    return float(low), float(high)


def chance_calibration_error(reliability: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """What the expected calibration error of perfect probabilities would be: mean, 95 % quantile.

    Each group keeps how far it lies from its bins' means, and takes it to either side at random,
    so that claims are kept on the average of all groups.

    Args:
        reliability: `(G, 10, 3)`, `reliability_counts` of each group.
        seed: of the draws.
    """
    count, gap = _gaps(reliability)
    if not len(count):
        return float("nan"), float("nan")
    total, groups = count.sum(axis=0), (count > 0).sum(axis=0)
    away = gap - count * gap.sum(axis=0) / np.maximum(total, 1)
    away *= np.sqrt(groups / np.maximum(groups - 1, 1))
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (DRAWS, len(count)))
    found = np.abs(signs @ away).sum(axis=1) / total.sum()
    return float(found.mean()), float(np.quantile(found, 0.95))


def _gaps(
    reliability: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predictions and sums of confidence minus right ones `(G, 10)` of groups that have some."""
    some = reliability[reliability[..., 0].any(axis=1)]
    return some[..., 0], some[..., 1] - some[..., 2]


def _squared_error(
    count: NDArray[np.float64], gap: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean squared gap over the bins `(D,)`, and less chance, of groups by weights `(D, G)`."""
    total, groups = weights @ count, weights @ (count > 0)
    mean = weights @ gap / np.maximum(total, 1)
    spread = (
        weights @ gap**2 - 2 * mean * (weights @ (gap * count)) + mean**2 * (weights @ count**2)
    )
    chance = spread * groups / np.maximum(groups - 1, 1) / np.maximum(total, 1)
    whole = total.sum(axis=1)
    plain = (total * mean**2).sum(axis=1) / whole
    return plain, plain - chance.sum(axis=1) / whole


def probability_figures(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], probability: NDArray[np.floating]
) -> dict[str, float]:
    """`auc, log_loss, brier, ece` of probabilities `(N, C)`; a row of NaN counts as uniform."""
    from scipy.stats import rankdata
    from sklearn.metrics import brier_score_loss, log_loss

    size = probability.shape[1]
    chances = np.where(np.isnan(probability), 1 / size, np.asarray(probability, np.float64))
    raised = np.maximum(chances, SMALLEST)
    raised /= raised.sum(axis=1, keepdims=True)
    names = list(range(size))
    present = [c for c in names if 0 < np.sum(truth == c) < truth.size]
    ranks, counts = rankdata(chances, axis=0), np.bincount(truth, minlength=size)
    areas = [
        (ranks[truth == c, c].mean() - (counts[c] + 1) / 2) / (truth.size - counts[c])
        for c in present
    ]
    sure = np.where(predicted >= 0, chances[np.arange(truth.size), predicted], np.nan)
    return {
        "auc": float(np.mean(areas)) if areas else np.nan,
        "log_loss": float(log_loss(truth, raised, labels=names)),
        "brier": float(brier_score_loss(truth, chances, labels=names, scale_by_half=False)),
        "ece": expected_calibration_error(reliability_counts(truth, predicted, sure)),
    }


def figures(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    probability: ArrayLike | None,
    classes: Sequence[str],
) -> Figures:
    """Every figure of labels `(N,)` and, if given, probabilities `(N, C)` in the order of classes.

    Predicted labels that are not in `classes` count as no class.

    Raises:
        ValueError: a reference label that is not in `classes`, or shapes that do not match.
    """
    truth, predicted = codes_of(y_true, classes), codes_of(y_pred, classes)
    counts = confusion_counts(truth, predicted, len(classes))
    more = dict.fromkeys(("auc", "log_loss", "brier", "ece"), np.nan)
    if probability is not None:
        chances = np.asarray(probability)
        if chances.shape != (truth.size, len(classes)):
            raise ValueError(f"probabilities must be {(truth.size, len(classes))}")
        more = probability_figures(truth, predicted, chances)
    return Figures(tuple(classes), counts, scores(counts), **more)
