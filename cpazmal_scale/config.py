"""One frozen model of a run: YAML file, CLI flags, Prefect parameters and the run's identity."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from cpazmal_scale.cluster import Cluster as Cluster
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.section import Section as Section

GLACIER_CLASSES = ("ABL", "ACC", "HAG", "ICA")
"""Ablation, accumulation, hanging glacier, ice apron: the four surfaces of the talk."""

CLASS_NAMES = {
    "ABL": "ablation area",
    "ACC": "accumulation area",
    "HAG": "hanging glacier",
    "ICA": "ice apron",
    "FOR": "forest",
    "CIT": "city",
    "LAC": "lake",
    "ROC": "rock",
    "PLA": "plain",
}
"""Class codes of the CPAZMAL dataset, in the sense of the talk (`CIT` or, later, `LAC`)."""


MASK_BITS = {
    "layover": 1,
    "shadow": 2,
    "no_dem": 4,
    "outside_swath": 8,
    "noise_limited": 16,
    "not_valid": 32,
}
"""Flags of a cube's `mask`, by name, whatever the codes of its sources."""
NOT_VALID = MASK_BITS["not_valid"]
"""Flag of pixels without data."""


_PASSWORD = re.compile(r"[a-z0-9+]+://[^/@\s\"]*:[^/@\s\"]+@")
"""An address with user and password."""

Statistic = Literal[
    "k1", "k2", "k3", "k4", "mean", "std", "cv", "skewness", "kurtosis", "entropy", "histogram"
]  # fmt: skip
"""Statistics of a window."""


class Naming(Section):
    """How scene files are recognised and described when their names do not tell all."""

    pattern: str | None = None
    """Regular expression on the file's path with named groups among sensor, start, stop, beam,
    pass_direction, polarisation, id; none: the CPAZMAL authors' names."""
    sensor: str | None = None
    """Sensor when the pattern has no such group."""
    beam: str | None = None
    """Viewing geometry when the pattern has no such group."""
    pass_direction: Literal["ASC", "DSC"] | None = None
    """Flight direction when the pattern has no such group."""
    incidence_angle: float | None = Field(None, ge=0, lt=90)
    """Incidence angle at scene centre in degrees when no acquisition table tells."""
    bands: tuple[str, ...] | None = None
    """What each raster band holds: a polarisation such as HH, `mask`, or `-` for the polarisation
    in the file's name; none: the authors' order (polarisations of the product, mask last)."""
    mask_codes: Literal["snap", "isce3"] = "snap"
    """Meaning of the mask band: SNAP (1 layover, 2 shadow) or ISCE3 (1 shadow, 2 layover)."""
    radiometry: Literal["beta0", "sigma0", "gamma0", "gamma0_T"] = "gamma0_T"
    """Backscatter coefficient of the values; `gamma0_T` is terrain-flattened."""
    scale: Literal["linear", "dB"] = "linear"
    """Whether the values are linear power or decibels."""


class Level1b(Section):
    """Level-1b products (SSC, MGD, GEC, EEC): how they are calibrated and geocoded."""

    radiometry: Literal["beta0", "sigma0", "gamma0"] = "gamma0"
    """Backscatter coefficient, with the ellipsoid's incidence angle."""
    noise: Literal["auto", "subtract", "keep"] = "auto"
    """Whether the annotated noise power is subtracted; `auto`: unless the processor did."""
    height: float = Field(0.0, ge=-500, le=9000)
    """Height above the WGS84 ellipsoid in metres on which SSC and MGD are geocoded: the mean of the
    area, the same for all dates."""
    resampling: Literal["average", "nearest"] = "average"
    """Image samples of a pixel: the mean of their power, or the one at its centre, which keeps
    single-look statistics."""


class Ingest(Section):
    """Scenes to cubes."""

    scenes: str | None = None
    """Folder, file or glob (any fsspec URL) with the scenes."""
    naming: Naming = Naming()
    level1b: Level1b = Level1b()
    table: str | None = None
    """CSV of acquisitions (sensor, start, beam, pass_direction, incidence_angle, …);
    none: `acquisitions.csv` beside the scenes, if there."""
    resample: bool = False
    """Bring scenes of another CRS, pixel size or lattice onto the cube's grid (power as the mean
    over area, masks by nearest) instead of refusing them."""
    grid: Literal["utm32n-3m", "cpazmal"] | None = None
    """Grid of a new cube: UTM zone 32 at 3 m, or the WGS84 pixels of the published dataset; none:
    that of its first scene."""
    chunk: int = Field(512, ge=16, le=8192)
    """Edge of a square chunk in pixels; one chunk holds one date."""


class Flags(Section):
    """Largest share of a window's pixels that may carry a mask flag; none: any share."""

    layover: float | None = Field(None, ge=0, le=1)
    """Layover."""
    shadow: float | None = Field(None, ge=0, le=1)
    """Shadow."""
    no_dem: float | None = Field(None, ge=0, le=1)
    """No elevation was known."""
    outside_swath: float | None = Field(None, ge=0, le=1)
    """Outside the swath."""
    noise_limited: float | None = Field(None, ge=0, le=1)
    """Backscatter near the noise floor."""


class Samples(Section):
    """Labelled polygons to windows."""

    polygons: str | None = None
    """Vector file with columns `class` and `group`; none: the map is unsupervised."""
    classes: tuple[str, ...] = GLACIER_CLASSES
    """Classes to learn; a map counts them from 1 in alphabetical order."""
    stride: int | None = Field(None, ge=1)
    """Step between windows in pixels; none: the window's size, so that windows do not overlap."""
    offset: Literal["corner", "best"] = "corner"
    """Where the grid of a polygon's windows begins: at its top-left pixel, or where most usable
    windows fit."""
    max_masked: float = Field(0.10, ge=0, le=1)
    """Largest share of layover or shadow pixels in a window."""
    min_valid: float = Field(0.60, ge=0, le=1)
    """Smallest share of valid pixels in a window."""
    flags: Flags = Flags()
    across: Literal["typical", "every", "stack"] = "typical"
    """How shares are taken across dates: of the `typical` date (valid: median, flagged: mean); of
    the worst, so that `every` date is good enough; or of the `stack`, where a pixel is valid if it
    is on all dates and flagged if it is on any (the authors' rule)."""
    dem: str | None = None
    """Elevation raster in metres, any CRS, that gives windows elevation, slope and aspect."""
    where: str | None = None
    """SQL condition on the windows, such as `incidence_angle < 40 AND elevation > 2500`."""
    max_per_group: int | None = Field(60, ge=1)
    """Windows drawn at most from one polygon, so that large polygons do not rule their class."""
    balance: bool = False
    """Give every class as many windows, evenly from its groups, and leave small groups out."""
    min_per_group: int | None = Field(None, ge=1)
    """Windows a group needs to count when classes are balanced; none: what keeps most windows."""
    clusters: int = Field(4, ge=2, le=32)
    """Number of classes of an unsupervised map."""


class Features(Section):
    """Windows to log-cumulant series (method §2)."""

    window: int = Field(7, ge=3, le=63)
    """Edge of the square window in pixels, odd."""
    xpol: Literal["logratio", "fraction", "code", "talk", "none"] = "logratio"
    """Third channel made of the cross-polarised and co-polarised ones."""
    statistics: tuple[Statistic, ...] = ("k1", "k2", "k3")
    """Statistics of every channel: log-cumulants k1 to k4; mean, std, cv (std / mean), skewness and
    kurtosis of the amplitude; entropy and histogram of its levels of 3 dB (16 series)."""
    unbiased: bool = False
    """Use unbiased k-statistics instead of the authors' biased cumulants."""
    floor_db: float = -31.0
    """Backscatter below this is set to it before the logarithm: 10 dB under the noise floor."""
    min_valid: float = Field(0.60, gt=0, le=1)
    """Smallest share of valid pixels in a window; fewer give NaN."""
    masked: tuple[Literal["layover", "shadow", "no_dem", "outside_swath", "noise_limited"], ...] = (
        "layover",
        "shadow",
        "no_dem",
        "outside_swath",
    )
    """Mask flags whose pixels are left out."""

    @property
    def excluded(self) -> int:
        """Mask bits whose pixels are left out; no-data always is."""
        return sum(MASK_BITS[flag] for flag in {*self.masked, "not_valid"})

    @property
    def floor(self) -> float:
        """`floor_db` as linear power."""
        return float(10.0 ** (self.floor_db / 10.0))

    @property
    def kernel(self) -> dict[str, Any]:
        """Keywords of the kernels in `features.blocks` and `features.windows`, but the window."""
        names = ("xpol", "statistics", "unbiased", "min_valid")
        return {"floor": self.floor, **{name: getattr(self, name) for name in names}}

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.window % 2 == 0:
            raise ValueError("features.window must be odd, so that a window has a centre pixel")
        if not self.statistics or len(set(self.statistics)) < len(self.statistics):
            raise ValueError("features.statistics names each statistic once, and at least one")
        return self


class Dtw(Section):
    """Distances between series (method §3)."""

    band_days: float | None = Field(33.0, ge=0)
    """Sakoe-Chiba band in days, from the dates of both series; none: `radius` is used."""
    radius: int | None = Field(None, ge=0)
    """Sakoe-Chiba band in samples, instead of `band_days`; 0 is the Euclidean distance."""
    min_dates: int = Field(6, ge=2)
    """Pixels with fewer valid dates get no class."""

    @model_validator(mode="after")
    def _one_band(self) -> Self:
        if self.radius is not None and self.band_days is not None:
            if "band_days" in self.model_fields_set:
                raise ValueError("give dtw.band_days or dtw.radius, not both")
            object.__setattr__(self, "band_days", None)
        return self


class Train(Section):
    """Windows to barycenters (method §4)."""

    barycenters: int = Field(1, ge=1, le=64)
    """Barycenters per class and feature."""
    iterations: int = Field(30, ge=1)
    """Largest number of DBA iterations."""
    restarts: int = Field(2, ge=1)
    """DBA starts per barycenter; the best is kept."""


class Classify(Section):
    """Distances to classes (method §5)."""

    decision: Literal["soft", "vote", "sum"] = "sum"
    """How the features' distances become one class: by the `sum` of scaled distances (best
    calibrated), the `soft` mean of each feature's probabilities, or a `vote` of the features."""
    reject: float | None = Field(None, gt=0)
    """Pixels farther from every class than this multiple of the within-class distance are rejected
    (254)."""
    outlines: str | None = None
    """Vector file of glacier outlines: only what is inside is mapped, and only blocks that hold
    some of it are computed; none: every pixel."""
    block: int | None = Field(None, ge=16)
    """Edge of a block in pixels, rounded up to whole chunks; none: as large as fits a worker.
    The map does not depend on it."""


class After(Section):
    """Maps to maps: what is done to a map once it has classes (method §7)."""

    window: int | None = Field(None, ge=3, le=63)
    """Edge of the window of Bayesian smoothing in pixels, odd, such as 15; none: no smoothing."""
    strength: float = Field(20.0, gt=0)
    """How far a pixel yields to its neighbours: the variance of its own log-odds."""
    modal: int | None = Field(None, ge=3, le=63)
    """Edge of a modal filter's window in pixels, odd; none: no modal filter."""
    min_area: float | None = Field(None, gt=0)
    """Smallest patch of a class in m²; smaller ones join a neighbour; none: all stay."""
    outlines: str | None = None
    """Vector file of glacier outlines: the map keeps what is inside; none: all of it."""
    zone: str | None = None
    """Column of `outlines` that names a glacier; none: `rgi_id`, `glims_id`, `name`, `id` or
    `group`, the first that is there, or else its number."""

    @model_validator(mode="after")
    def _odd(self) -> Self:
        for name in ("window", "modal"):
            if (getattr(self, name) or 1) % 2 == 0:
                raise ValueError(f"after.{name} must be odd, so that a window has a centre pixel")
        return self


class Assess(Section):
    """Figures of merit by group-wise cross-validation (method §6)."""

    split: Literal["stratified", "cyclic", "leave-one-group-out", "temporal", "geometry"] = (
        "stratified"
    )
    """How polygons are divided, never through one: `stratified` folds, `cyclic` ones with the same
    number of polygons of every class, one polygon at a time, or stratified folds that are tested on
    later dates (`temporal`) or on another beam (`geometry`)."""
    folds: int = Field(3, ge=2)
    """Folds of the stratified, temporal and geometry splits."""
    repeats: int = Field(20, ge=1)
    """Seeds of the split."""
    groups_per_class: int = Field(1, ge=1)
    """Polygons of each class on the test side of a cyclic fold."""
    train_until: date | None = None
    """Last date trained on in a temporal split; later ones are tested; none: the first year's."""
    test_beam: str | None = None
    """Beam that is tested in a geometry split; its samples must have been drawn."""
    methods: tuple[
        Literal[
            "sum",
            "soft",
            "vote",
            "neighbors",
            "euclid-sum",
            "euclid-soft",
            "euclid-vote",
            "euclid-neighbors",
            "forest",
        ],
        ...,
    ] = (
        "sum",
        "soft",
        "vote",
        "neighbors",
        "euclid-sum",
        "euclid-soft",
        "euclid-vote",
        "euclid-neighbors",
        "forest",
    )
    """Methods to compare: DTW barycenters by decision, DTW nearest neighbours, the same four
    without warping, and a random forest."""
    neighbors: int = Field(25, ge=1)
    """Neighbours that vote in the nearest-neighbour methods."""
    report: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the report's files; none: `report`, with the split's name unless `stratified`."""
    truth: str | None = None
    """Reference raster (uint8 from 1, in the order of its `classes` tag) to compare the map to."""

    @model_validator(mode="after")
    def _geometry(self) -> Self:
        if (self.split == "geometry") != (self.test_beam is not None):
            raise ValueError("assess.test_beam goes with assess.split: geometry, and only with it")
        return self


class RunConfig(Section):
    """A whole run, from scenes to map."""

    workspace: str = "build/run"
    """Folder or bucket URL that holds cubes, samples, models, maps and the catalog."""
    beam: str | None = None
    """Viewing geometry to train on and map; none: the only one there is."""
    start: date | None = None
    """First date used for training and mapping."""
    end: date | None = None
    """Last date used for training and mapping."""
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] | None = None
    """Months used for training and mapping, such as 12, 1, 2; none: all."""
    dates: tuple[date, ...] | None = None
    """Days used for training and mapping; none: all from `start` to `end`."""
    polarisations: tuple[str, ...] | None = Field(None, min_length=1, max_length=2)
    """Co-polarised, then cross-polarised channel, such as HH, HV; none: those of the cube."""
    seed: int = 42
    """Seed of every random choice."""
    ingest: Ingest = Ingest()
    samples: Samples = Samples()
    features: Features = Features()
    dtw: Dtw = Dtw()
    train: Train = Train()
    classify: Classify = Classify()
    after: After = After()
    assess: Assess = Assess()
    cluster: Cluster = Cluster()

    @model_validator(mode="after")
    def _period(self) -> Self:
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start {self.start} is after end {self.end}")
        return self

    @model_validator(mode="after")
    def _no_password(self) -> Self:
        if _PASSWORD.search(self.model_dump_json()):
            raise ValueError(
                "an address holds a password; leave it out and set the store's environment, such "
                "as AWS_ACCESS_KEY_ID"
            )
        return self

    @property
    def period(self) -> dict[str, Any]:
        """Keywords that open a cube on the dates of this run."""
        return {name: getattr(self, name) for name in ("start", "end", "months", "dates")}

    def commented_yaml(self) -> str:
        """This configuration as YAML, every setting under a comment that says what it does."""
        return "\n".join(_commented(self, 0)) + "\n"

    @classmethod
    def load(cls, path: str | Path, **overrides: Any) -> RunConfig:
        """Read a YAML run configuration; its relative paths stay relative to the working directory.

        Raises:
            ConfigError: the file is missing, is not YAML, or a setting is unknown or invalid.
        """
        import yaml

        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                "the run configuration cannot be read",
                where=path,
                remedy=f"check the path ({error.strerror})",
            ) from None
        try:
            values = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise ConfigError(
                f"not valid YAML: {str(error).splitlines()[0]}",
                where=path,
                remedy="`cpazmal config` prints a commented example",
            ) from None
        if not isinstance(values, dict):
            raise ConfigError(
                "not a mapping of settings",
                where=path,
                remedy="write `setting: value` lines; `cpazmal config` prints an example",
            )
        return cls.parse({**values, **overrides}, where=str(path))

    def with_values(self, values: Mapping[str, Any]) -> RunConfig:
        """This configuration with some settings replaced; nested mappings replace one by one.

        Raises:
            ConfigError: the result contradicts itself.
        """
        return self.parse(_merged(self.model_dump(exclude_unset=True), values))

    @classmethod
    def parse(cls, values: dict[str, Any], *, where: str = "configuration") -> RunConfig:
        """Validate plain values.

        Raises:
            ConfigError: naming the first offending setting and what it may be.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            setting = ".".join(str(part) for part in first["loc"]) or "settings"
            raise ConfigError(
                f"{setting}: {first['msg'].removeprefix('Value error, ')}",
                where=where,
                remedy="`cpazmal config` prints every setting with its meaning and default",
            ) from None


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    nested = {
        name: _merged(old[name], value)
        for name, value in new.items()
        if isinstance(value, Mapping) and isinstance(old.get(name), Mapping)
    }
    return {**old, **new, **nested}


def _commented(section: BaseModel, depth: int) -> Iterator[str]:
    import yaml

    margin = "  " * depth
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            summary = (type(value).__doc__ or "").splitlines()[0]
            yield from ("", f"{margin}# {summary}", f"{margin}{name}:")
            yield from _commented(value, depth + 1)
        else:
            plain = section.model_dump(mode="json", include={name})[name]
            text = yaml.safe_dump(plain, default_flow_style=True, width=1000).splitlines()[0]
            yield f"{margin}# {' '.join((field.description or '').split())}"
            yield f"{margin}{name}: {text}"


def identity(*parts: object) -> str:
    """Sixteen hexadecimal digits naming the given settings and inputs; equal parts, equal name."""
    plain = [
        part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts
    ]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
