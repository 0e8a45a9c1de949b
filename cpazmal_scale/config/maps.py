"""The parts of the configuration that lead from a model to maps and figures of merit."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cpazmal_scale.config.methods import BEST, CANDIDATES, COMPARED, MethodChoice, MethodName
from cpazmal_scale.config.section import ODD, ONCE, Address, Section, never_both, together


class Classify(Section):
    """Distances to classes (method §5)."""

    method: MethodChoice = BEST
    """Classifier of the map: the `best` of `candidates` by cross-validation of whole polygons, or
    one by name. DTW barycenters with a decision by the `sum` of scaled distances, the
    `soft` mean of each feature's probabilities, or a `vote` of the features; nearest `neighbors`;
    the same without warping (`euclid-…`); barycenters of all features together by `soft-dtw`, or by
    the Wasserstein distance of laws, `wasserstein` and `wasps`; linear `discriminant`, `logistic`
    regression, `minirocket`, random `forest`, gradient `boosting`; or a `network` of your own,
    `onnx`."""
    candidates: tuple[MethodName, ...] = Field(CANDIDATES, min_length=1, json_schema_extra=ONCE)
    """Methods that `best` chooses among; the cheapest of those that are level."""
    network: Address | None = None
    """ONNX file of the method `onnx`: one float input (N, K, T), a number for each class as output,
    their names in its metadata."""
    reject: float | None = Field(None, gt=0)
    """Pixels farther from every class than this multiple of the within-class distance are rejected
    (254)."""
    outlines: Address | None = None
    """Vector file of glacier outlines: only what is inside is mapped, and only blocks that hold
    some of it are computed; none: every pixel."""
    exclude: Address | None = None
    """Vector file, or raster of one band: what its polygons cover, or where it is valid and not 0,
    such as settlements, is not mapped (no data); none: nothing is left out."""
    block: int | None = Field(None, ge=16)
    """Edge of a block in pixels, rounded up to whole chunks; none: as large as fits a worker.
    The map does not depend on it."""

    @model_validator(mode="before")
    @classmethod
    def _decision(cls, values: Any) -> Any:
        """`decision` is the name that `method` had while only barycenters could be mapped."""
        if isinstance(values, dict) and "decision" in values:
            if "method" in values:
                raise ValueError("classify.decision is classify.method; give one of them")
            values = {**values, "method": values["decision"]}
            del values["decision"]
        return values


class After(Section):
    """Maps to maps: what is done to a map once it has classes (method §7)."""

    pool: int | None = Field(None, ge=3, le=63, json_schema_extra=ODD)
    """Edge of the window over which probabilities are averaged in pixels, odd, such as 5: a pixel
    then has the mean of the windows around it; none: that of its own alone."""
    window: int | None = Field(None, ge=3, le=63, json_schema_extra=ODD)
    """Edge of the window of Bayesian smoothing in pixels, odd, such as 15; none: no smoothing."""
    strength: float = Field(20.0, gt=0)
    """Variance of a pixel's own log-odds in the smoothing; the larger it is, the more the pixel
    follows its neighbours."""
    modal: int | None = Field(None, ge=3, le=63, json_schema_extra=ODD)
    """Edge of a modal filter's window in pixels, odd; none: no modal filter."""
    min_area: float | None = Field(None, gt=0)
    """Smallest patch of a class in m²; smaller ones join a neighbour; none: all stay."""
    outlines: Address | None = None
    """Vector file of glacier outlines: the map keeps what is inside; none: all of it."""
    zone: str | None = None
    """Column of `outlines` that names a glacier; none: `rgi_id`, `glims_id`, `name`, `id` or
    `group`, the first that is there, or else its number."""

    @model_validator(mode="after")
    def _odd(self) -> Self:
        for name in ("pool", "window", "modal"):
            if (getattr(self, name) or 1) % 2 == 0:
                raise ValueError(f"after.{name} must be odd, so that a window has a centre pixel")
        return self


class Assess(Section):
    """Figures of merit by group-wise cross-validation (method §6)."""

    model_config = never_both("split", {"not": {"const": "geometry"}}, "test_beam", "string")

    split: Literal["stratified", "cyclic", "leave-one-group-out", "temporal", "geometry"] = (
        "stratified"
    )
    """How polygons are divided into folds; no polygon is cut: `stratified` folds, `cyclic` ones
    with the same number of polygons of every class, one polygon at a time, or stratified folds that
    are tested on later dates (`temporal`) or on another beam (`geometry`)."""
    folds: int = Field(3, ge=2)
    """Folds of the stratified, temporal and geometry splits."""
    repeats: int = Field(5, ge=1)
    """Seeds of the split; the talk used 20."""
    groups_per_class: int = Field(1, ge=1)
    """Polygons of each class on the test side of a cyclic fold."""
    train_until: date | None = None
    """Last date trained on in a temporal split; later ones are tested; none: the first year's."""
    test_beam: str | None = None
    """Beam that is tested in a geometry split; its samples must have been drawn."""
    methods: tuple[MethodName, ...] = Field(COMPARED, json_schema_extra=ONCE)
    """Methods to compare, as `classify.method` calls them."""
    neighbors: int = Field(25, ge=1)
    """Neighbours that vote in the nearest-neighbour methods."""
    report: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    """Name of the report's files; none: `report`, with the split's name unless `stratified`."""
    truth: Address | None = None
    """Reference raster (uint8 from 1, in the order of its `classes` tag) to compare the map to."""

    @together
    def _geometry(self) -> Self:
        if (self.split == "geometry") != (self.test_beam is not None):
            raise ValueError("assess.test_beam goes with assess.split: geometry, and only with it")
        return self
