"""The report of a run: what was mapped, how well, how fast, and how to open it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.assess import sections, verdicts
from cpazmal_scale.assess.methods import FOREST, SUM

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.assess.comparison import MapComparison
    from cpazmal_scale.assess.validation import CrossValidation


@dataclass(frozen=True)
class Campaign:
    """What was mapped, in the words of the report's first table."""

    beam: str
    polarisations: tuple[str, ...]
    first_date: str
    last_date: str
    dates: int
    shape: tuple[int, int]
    """Rows and columns of the map."""
    pixel: str
    """Pixel size with its unit."""
    crs: str
    features: tuple[str, ...]
    simulated: bool = False


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


@dataclass(frozen=True)
class Picture:
    """A picture beside the report."""

    path: str
    """Relative to the report."""
    caption: str


@dataclass(frozen=True, eq=False)
class Report:
    """Everything a report tells; parts that are none are left out."""

    title: str
    campaign: Campaign
    validation: CrossValidation | None = None
    comparison: MapComparison | None = None
    areas: pd.DataFrame | None = None
    """One row per class (index) with name, pixels, km2 and share."""
    performance: Performance = field(default_factory=Performance)
    pictures: tuple[Picture, ...] = ()
    opening: str = ""
    """Python lines that open the map."""
    remarks: tuple[str, ...] = ()
    map_method: str = SUM
    """The compared method that made the map."""
    baseline: str = FOREST


def write_report(url: str, report: Report) -> tuple[str, ...]:
    """Write `report.md` at `url`; figures and CSV tables go to a folder of the same stem beside it.

    Args:
        url: of the Markdown file, any fsspec URL.
        report: what to tell.

    Returns:
        URLs of everything written, the report last.

    Raises:
        StoreError: the store cannot be written.
    """
    stem = url.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    folder = storage.join(url.rsplit("/", 1)[0], stem) if "/" in url else stem
    written = []
    for name, content in (tables(report) | _figures(report)).items():
        written.append(storage.join(folder, name))
        storage.write_bytes(written[-1], content)
    storage.write_bytes(url, markdown(report, stem).encode())
    return (*written, url)


def markdown(report: Report, folder: str = "report") -> str:
    """The report's text; `folder` is where its figures and tables lie, relative to it."""
    parts = [f"# {report.title}", sections.campaign(report.campaign)]
    parts += [f"> {remark}" for remark in report.remarks]
    parts += [f"![{picture.caption}]({picture.path})" for picture in report.pictures]
    if report.validation is not None:
        parts += verdicts.accuracy(
            report.validation, report.map_method, report.baseline, folder=folder
        )
    if report.comparison is not None:
        parts += sections.against_reference(report.comparison)
    if report.areas is not None:
        parts += sections.areas(report.areas)
    if report.performance.stages or report.performance.map_pixels:
        parts += sections.performance(report.performance)
    if report.opening:
        parts += ["## Open the map", f"```python\n{report.opening.strip()}\n```"]
    names = sorted(tables(report))
    if names:
        links = ", ".join(f"[{name}]({folder}/{name})" for name in names)
        parts += ["## Tables", f"All figures as CSV, with every digit: {links}."]
    return "\n\n".join(parts) + "\n"


def tables(report: Report) -> dict[str, bytes]:
    """CSV files of the report by name."""
    found: dict[str, pd.DataFrame] = {}
    if report.validation is not None:
        validation = report.validation
        found["accuracy"] = validation.summary().reset_index()
        found["accuracy_by_class"] = validation.per_class()
        found["accuracy_by_fold"] = validation.folds
        found["differences_between_methods"] = validation.differences()
        found["errors_by_polygon"] = validation.errors()
        found["folds_lacking_a_class"] = validation.lacking
        found["reliability"] = validation.reliability_bins()
    if report.comparison is not None:
        found["map_against_reference"] = report.comparison.table().reset_index()
        found["unknown_classes"] = report.comparison.foreign().reset_index()
    if report.areas is not None:
        found["areas"] = report.areas.reset_index()
    return {f"{name}.csv": frame.to_csv(index=False).encode() for name, frame in found.items()}


def _figures(report: Report) -> dict[str, bytes]:
    from cpazmal_scale.assess import figures

    if report.validation is None:
        return {}
    own = report.validation
    compared = [name for name in (report.map_method, report.baseline) if name in own.methods]
    shown = {name: own.confusion(name) for name in compared or own.methods[:2]}
    drawn = {
        "confusion.png": figures.confusion_figure(shown, own.classes),
        "reliability.png": figures.reliability_figure(own),
    }
    return {name: figures.png(figure) for name, figure in drawn.items()}
