"""The contents of a report, independent of the format it is written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpazmal_scale.assess.report.parts import Picture
from cpazmal_scale.assess.validate.methods import SUM

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.assess.against.comparison import MapComparison
    from cpazmal_scale.assess.report.backscatter import Backscatter, Floored
    from cpazmal_scale.assess.report.pairs import Pair
    from cpazmal_scale.assess.validate.validation import CrossValidation


@dataclass(frozen=True)
class Campaign:
    """What was mapped, in the words of the report's first table."""

    beam: str
    channels: str
    first_date: str
    last_date: str
    dates: int
    shape: tuple[int, int]
    """Rows and columns of the map."""
    pixel: str
    """Pixel size with its unit."""
    crs: str
    features: tuple[str, ...]
    window: str = ""
    """What a feature looks at, such as `7 × 7 pixels (21 m)`; empty for series of a table."""
    simulated: bool = False
    floor_db: float = -31.0
    floored: Mapping[str, float] = field(default_factory=dict)
    """Share of the labelled windows' pixels below the floor, by channel."""
    mapped_floored: Mapping[str, float] = field(default_factory=dict)
    """The same of the mapped area."""
    processing: Mapping[str, str] = field(default_factory=dict)
    """How data and map were made, in the words of a methods section, by what is said."""
    floored_classes: tuple[Floored, ...] = ()
    """The same of the windows by channel and class."""


@dataclass(frozen=True)
class Stage:
    """One stage of the run and its wall time."""

    name: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Performance:
    """How fast the run was, measured by itself."""

    stages: tuple[Stage, ...] = ()
    map_pixels: int = 0
    map_seconds: float = 0.0
    """Wall time of the map stage, reading and writing included."""
    workers: int = 1
    peak_memory: float | None = None
    """Largest resident memory of one worker in bytes; none: not measured."""
    machine: str = ""


@dataclass(frozen=True, eq=False)
class Portraits:
    """What the labelled windows look like."""

    colours: Mapping[str, str]
    """Colour of each class."""
    backscatter: Backscatter | None = None
    pairs: tuple[Pair, ...] = ()
    barycenters: Picture | None = None
    """Of the trained model, made by its stage."""


@dataclass(frozen=True, eq=False)
class Report:
    """The contents of a report; parts that are None are left out."""

    title: str
    campaign: Campaign
    validation: CrossValidation | None = None
    comparison: MapComparison | None = None
    boundary: float = float("nan")
    """Share of the map's classified pixels whose window has several of its classes; NaN: no map,
    or one without probabilities."""
    areas: pd.DataFrame | None = None
    """One row per class (index) with name, pixels, km2 and share."""
    acquisitions: pd.DataFrame | None = None
    """One row per date."""
    performance: Performance = field(default_factory=Performance)
    portraits: Portraits | None = None
    pictures: tuple[Picture, ...] = ()
    """Made by other stages."""
    opening: str = ""
    """Python lines that open the map."""
    remarks: tuple[str, ...] = ()
    choice: Mapping[str, Any] | None = None
    """How `best` chose the method, `Choice.plain`."""
    map_method: str = SUM
    """The compared method that made the map."""
