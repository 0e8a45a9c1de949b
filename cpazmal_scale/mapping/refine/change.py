"""Change between two maps of the same classes and grid, such as those of two years."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.errors import ModelMismatch
from cpazmal_scale.execute import PLAIN, Execution
from cpazmal_scale.kernels.posterior import decide_again
from cpazmal_scale.mapping.classify.acquired import acquired_by, unlike
from cpazmal_scale.mapping.classify.store import open_map
from cpazmal_scale.mapping.refine import periods
from cpazmal_scale.mapping.refine.derived import Derivation, DerivedMap, Made, derive
from cpazmal_scale.mapping.refine.fusion import joined
from cpazmal_scale.mapping.refine.rates import transition_rates
from cpazmal_scale.mapping.refine.source import (
    Source,
    check_alike,
    check_probabilities,
    open_source,
)
from cpazmal_scale.palette import transitions
from cpazmal_scale.vocabulary import NO_DATA, NOTHING, REJECTED

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.grid.blocks import Block

MOST_CLASSES = 15
"""Every pair of classes needs a code of its own below 254."""


@dataclass(frozen=True)
class Change:
    """A finished map of change, and how much area went from which class to which.

    `mapped` and `expected` have a row per class of the earlier map and a column per class of the
    later one, in km²: by the two classes of each pixel, and by the probabilities of both maps
    together.
    `doubts` are sentences: the maps have a channel on so different dates that they differ by that
    alone, they share scenes, or they differ more or less than their probabilities bear out
    (`Rates.doubt`).
    """

    map: DerivedMap
    mapped: pd.DataFrame
    expected: pd.DataFrame
    doubts: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.map}\nfrom (row) to (column), km²\n{_whole(self.mapped)}\n"
            f"expected from the probabilities, km²\n{_whole(self.expected)}"
        )


def compare_maps(
    config: RunConfig, earlier_url: str, later_url: str, how: Execution = PLAIN
) -> Change:
    """Map what changed between two maps.

    `class` is `(a − 1)·C + b` for a pixel of class a in the earlier and b in the later map; its
    meanings are `a` where they are the same and `a-b` where not. It is 254 where one of the maps
    rejects the pixel and 255 where one has no data.

    A pixel goes from a to b with probability ∝ w(a, b) p₁(a) p₂(b), where w is how much more often
    the pair is on the ground than the shares of classes that the probabilities suppose; it is
    estimated from both maps by `rates.estimated`, which supposes that they err independently:
    errors that both maps share hide change. `change` is the probability that a and b differ: where
    the maps know nothing it is about the mean of the ground, and 0 between a map and itself.
    `margin` and `entropy` are those of the question changed or not; `n_valid_dates` is the smaller
    of both.

    Args:
        config: sections `workspace` and `cluster` are used.
        earlier_url: a finished map.
        later_url: a finished map of the same grid and classes.
        how: executor, block size and progress.

    Raises:
        ConfigError: the later map is of an earlier period.
        GridMismatch: the maps have different grids.
        ModelMismatch: they have different classes, more than 15, or names that make two changes
            alike, or one has no probabilities.
        StoreError: one is not finished, or the workspace cannot be written.
    """
    earlier, later = open_source(earlier_url), open_source(later_url)
    check_alike([earlier, later])
    check_probabilities([earlier, later])
    dates = earlier.recipe.dates, later.recipe.dates
    periods.require_order(*dates, where=later_url)
    classes = earlier.recipe.classes
    if len(classes) > MOST_CLASSES:
        raise ModelMismatch(
            f"change between {len(classes)} classes has no room in 8 bits",
            where=earlier_url,
            remedy=f"map at most {MOST_CLASSES} classes",
        )
    try:
        codes = transitions(classes)
    except ValueError as error:
        raise ModelMismatch(
            str(error), where=earlier_url, remedy="rename classes that contain `->`"
        ) from None
    recipe = joined([earlier.recipe, later.recipe])
    rates = transition_rates(earlier, later)
    made = Derivation(
        kind="change",
        sources=(earlier_url, later_url),
        settings={"weighed_by": "class_shares"},
        recipe=recipe.model_copy(update={"classes": codes}),
        blank=_blank(1, 1),
        compute=functools.partial(change_block, weights=rates.weights),
        attributes=periods.told(*dates),
    )
    found = derive(config, made, how)
    return Change(
        found,
        _table(found.blocks, "mapped", classes),
        _table(found.blocks, "expected", classes),
        tuple(filter(None, (unlike_data([earlier, later]), periods.shared(*dates), rates.doubt))),
    )


def unlike_data(sources: Sequence[Source]) -> str | None:
    """One sentence where two maps have a channel on very different numbers of dates."""
    dates = [acquired_by(open_map(source.url), source.recipe) for source in sources]
    channels = unlike(*dates)
    if not channels:
        return None
    told = [
        f"map {source.id} has "
        + ", ".join(f"{name} on {count}" for name, count in held.items())
        + f" of {len(source.recipe.dates)} dates"
        for source, held in zip(sources, dates, strict=True)
    ]
    shared = [name for name in dates[0] if name in dates[1] and name not in channels]
    remedy = f"train and map both with --polarisations {' '.join(shared)}" if shared else ""
    return "; ".join(
        [*told, "what changes between them may be that alone", *([remedy] if remedy else [])]
    )


def change_block(sources: Sequence[Source], block: Block, *, weights: NDArray[np.float64]) -> Made:
    """The products of one block, and its `mapped` and `expected` transitions in m².

    `weights` (C, C) are those of the pairs of classes.
    """
    names = ("class", "probability", "n_valid_dates")
    earlier, later = ({name: source.read(name, block) for name in names} for source in sources)
    both = weighed(earlier, later, weights)
    areas, products = sources[0].areas, changed(earlier, later, both)
    count = len(sources[0].recipe.classes)
    mapped = areas.of(products["class"], block, range(1, count**2 + 1))
    ground = np.where(products["class"] < REJECTED, areas.within(block), 0)
    facts = {
        "mapped": np.reshape(mapped, (count, count)).tolist(),
        "expected": _expected(both, ground).tolist(),
    }
    return Made(products, facts)


class Weighed(NamedTuple):
    """The probabilities of a block's pixels in two maps, in any unit, and of pairs of classes."""

    p: NDArray[np.float64]
    """`(C, h, w)` in the earlier map."""
    q: NDArray[np.float64]
    """`(C, h, w)` in the later one."""
    weights: NDArray[np.float64]
    """`(C, C)` of the pairs."""
    whole: NDArray[np.float64]
    """`(h, w)` the sum of w(a, b) p(a) q(b) over all pairs, above 0."""


def weighed(
    earlier: dict[str, NDArray[Any]],
    later: dict[str, NDArray[Any]],
    weights: NDArray[np.float64],
) -> Weighed:
    """What is told of the pairs of classes; `weights` (C, C) are theirs."""
    p, q = (part["probability"].astype(np.float64) for part in (earlier, later))
    return Weighed(p, q, weights, np.maximum(_total(p, _beside(weights, q)), 1e-300))


def changed(
    earlier: dict[str, NDArray[Any]], later: dict[str, NDArray[Any]], told: Weighed
) -> dict[str, NDArray[Any]]:
    """Products of one block: class (h, w) uint8, change, entropy, margin uint16, n_valid_dates."""
    count, height, width = earlier["probability"].shape
    out = _blank(height, width)
    a, b = earlier["class"], later["class"]
    rejected, lost = (a == REJECTED) | (b == REJECTED), (a == NO_DATA) | (b == NO_DATA)
    code = (a.astype(np.int64) - 1) * count + b
    known = ~lost
    alike = _total(told.p * np.diag(told.weights)[:, None, None], told.q)
    same = np.rint(10_000 * alike / told.whole).astype(np.int64)
    both: dict[str, NDArray[Any]] = {
        "probability": np.where(known, [same, 10_000 - same], NOTHING).astype(np.uint16),
        "class": np.full((height, width), NO_DATA, np.uint8),
        "entropy": out["entropy"],
        "margin": out["margin"],
    }
    decide_again(both)
    out["change"] = both["probability"][1]
    out["class"] = np.where(lost, NO_DATA, np.where(rejected, REJECTED, code)).astype(np.uint8)
    out["n_valid_dates"] = np.minimum(earlier["n_valid_dates"], later["n_valid_dates"])
    return out


def _expected(told: Weighed, areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, C) m² of each pair of classes by its probability, of pixels of some `areas` (h, w)."""
    share = told.p * (areas / told.whole)
    return np.asarray(np.einsum("ahw,bhw->ab", share, told.q) * told.weights)


def _beside(weights: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, h, w) of Σ_b w(a, b) q(b), pixel by pixel in one order: the same bits in any block."""
    return np.stack([_total(row[:, None, None], q) for row in weights])


def _total(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """(h, w) of Σ_a p(a) q(a), in the order of a."""
    total = np.zeros(q.shape[1:])
    for one, other in zip(p, q, strict=True):
        total += one * other
    return total


def _blank(height: int, width: int) -> dict[str, NDArray[Any]]:
    fixed = {
        name: np.full((height, width), NOTHING, np.uint16)
        for name in ("change", "entropy", "margin")
    }
    return {
        "class": np.full((height, width), NO_DATA, np.uint8),
        **fixed,
        "n_valid_dates": np.zeros((height, width), np.uint8),
    }


def _whole(table: pd.DataFrame) -> str:
    """A table of km² as text, with all its columns."""
    return table.round(4).to_string()


def _table(blocks: list[dict[str, Any]], name: str, classes: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    total = np.sum([block[name] for block in blocks], axis=0) / 1e6
    return pd.DataFrame(
        total, index=pd.Index(classes, name="from"), columns=pd.Index(classes, name="to")
    )
