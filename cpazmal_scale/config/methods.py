"""The table of classifiers: what can be compared, chosen and mapped, and where each is written.

A new classifier is a module with `make(config, days, **options)` and `opened(arrays, text)`, and
one row here. Configuration, training, cross-validation, maps and reports read this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

_HOME = "cpazmal_scale.model.methods"
_JOINT = f"{_HOME}.joint_barycenter"


@dataclass(frozen=True)
class Method:
    """One row: a classifier under the name that settings use."""

    setting: str
    """What `classify.method` and `assess.methods` call it."""
    name: str
    """What reports print."""
    module: str
    """Module with `make` and `opened`; imported when the classifier is needed."""
    cost: int
    """Rank by time per mapped pixel, cheapest first; `best` breaks ties with it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keywords of `make`."""
    twin: str | None = None
    """Setting of the same method without warping; none for methods that do not warp."""
    needs: str | None = None
    """Extra of this package without which it cannot be used."""
    usual: bool = True
    """Whether it is compared unless it is named."""
    learns: bool = True
    """Whether it can be trained, and so compared; one that is brought cannot."""

    @property
    def votes(self) -> bool:
        """Whether it gives shares of votes, which no calibration makes chances."""
        return self.options.get("decision") == "vote"

    @property
    def warps(self) -> bool:
        """Whether it aligns series in time."""
        return self.module == _JOINT or bool(self.options.get("warps"))

    @property
    def aligns_features(self) -> bool:
        """Whether it aligns each feature by itself, with the barycenters of that feature."""
        return self.warps and self.module == f"{_HOME}.barycenters"

    @property
    def typical(self) -> str:
        """What the typical series of its classes are, in the plural."""
        return "barycenters" if self._averages else "class mean series"

    @property
    def aligned(self) -> str:
        """What is to be known of typical series that are averages of warped ones; else nothing."""
        if self.warps and self._averages:
            return "aligned (warped in time): no calendar dates"
        return ""

    @property
    def measure(self) -> str:
        """The kind of distance that maps and pages show, such as `DTW` and `Euclidean`."""
        if self.module == _JOINT:
            return self.name
        return "DTW" if self.warps else "Euclidean"

    @property
    def distance(self) -> str:
        """What a map's `distance` is, with its unit."""
        nearest = "barycenter" if self._averages else "class mean series"
        if self.module == f"{_HOME}.neighbors":
            nearest = "training windows"
        return (
            f"{self.measure} distance to the nearest {nearest}, "
            "in units of the within-class distance"
        )

    @property
    def _averages(self) -> bool:
        return self.module in (f"{_HOME}.barycenters", _JOINT)


def _distance_methods() -> tuple[Method, ...]:
    """Barycenters under each decision and nearest neighbours, and each without warping."""
    rows = []
    for warps in (True, False):
        before, kind = ("", "DTW") if warps else ("euclid-", "Euclidean")
        for decision in ("sum", "soft", "vote", "learned"):
            twin = f"euclid-{decision}" if warps else None
            options = {"decision": decision, "warps": warps}
            name = f"{kind} barycenter ({decision})"
            cost = (40 if warps else 20) + (decision == "learned")
            setting = f"{before}{decision}"
            rows.append(Method(setting, name, f"{_HOME}.barycenters", cost, options, twin))
        twin = "euclid-neighbors" if warps else None
        rows.append(
            Method(
                f"{before}neighbors",
                f"k-NN {kind}",
                f"{_HOME}.neighbors",
                90 if warps else 80,
                {"warps": warps},
                twin,
            )
        )
    return tuple(rows)


METHODS: tuple[Method, ...] = (
    *_distance_methods(),
    Method("discriminant", "linear discriminant", f"{_HOME}.discriminant", 10),
    Method("logistic", "logistic regression", f"{_HOME}.logistic", 11),
    Method("minirocket", "MiniRocket", f"{_HOME}.minirocket", 45),
    Method("forest", "random forest", f"{_HOME}.forest", 50),
    Method("boosting", "gradient boosting", f"{_HOME}.boosting", 60),
    Method("soft-dtw", "soft-DTW", _JOINT, 75, {"cost": "squared"}, usual=False),
    Method("wasserstein", "Wasserstein DTW", _JOINT, 42, {"cost": "wasserstein"}, usual=False),
    Method("wasps", "WaSPS-DTW", _JOINT, 76, {"cost": "weibull"}, usual=False),
    Method("onnx", "ONNX network", f"{_HOME}.network", 70, needs="onnx", learns=False),
)
"""Every classifier there is."""

BEST = "best"
"""Setting that lets cross-validation choose."""

COMPARED = tuple(row.setting for row in METHODS if row.needs is None and row.usual)
"""Settings of the methods that are compared unless others are named."""

CANDIDATES = (*("sum", "learned", "discriminant", "logistic", "minirocket", "forest", "boosting"),)
"""Settings that `best` chooses among unless others are set: none of them is slow on a whole map."""

_BY_SETTING = {row.setting: row for row in METHODS}
_BY_NAME = {row.name: row for row in METHODS}


def method(setting_or_name: str) -> Method:
    """The row of a setting, or of the name that reports print.

    Raises:
        KeyError: there is none.
    """
    return _BY_SETTING.get(setting_or_name) or _BY_NAME[setting_or_name]


def _known(setting: str) -> str:
    if setting not in _BY_SETTING:
        raise ValueError(f"no method is called {setting!r}; there are {', '.join(_BY_SETTING)}")
    return setting


def _learnt(setting: str) -> str:
    if not _BY_SETTING[_known(setting)].learns:
        raise ValueError(f"{setting!r} is brought, not learnt, and cannot be compared on folds")
    return setting


def _known_or_best(setting: str) -> str:
    return setting if setting == BEST else _known(setting)


MethodName = Annotated[
    str,
    AfterValidator(_learnt),
    WithJsonSchema({"type": "string", "enum": [n for n, row in _BY_SETTING.items() if row.learns]}),
]
"""Setting of one classifier that is learnt."""
MethodChoice = Annotated[
    str,
    AfterValidator(_known_or_best),
    WithJsonSchema({"type": "string", "enum": [BEST, *_BY_SETTING]}),
]
"""Setting of one classifier, or `best`."""
