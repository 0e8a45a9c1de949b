"""The report of a run: what was mapped, how well, how fast, and how to open it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cpazmal_scale import storage
from cpazmal_scale.assess.report import mixed, sections, verdicts
from cpazmal_scale.assess.report.choice import choice_text
from cpazmal_scale.assess.report.contents import Report
from cpazmal_scale.assess.report.family import family, rival
from cpazmal_scale.assess.report.latex import latex
from cpazmal_scale.assess.report.markdown import markdown
from cpazmal_scale.assess.report.page import page
from cpazmal_scale.assess.report.parts import Block, Code, Files, Heading, Picture, Table, Text
from cpazmal_scale.assess.validate.methods import NEIGHBORS, TWINS
from cpazmal_scale.pictures import png
from cpazmal_scale.storage import seal
from cpazmal_scale.tables import to_csv

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from cpazmal_scale.assess.validate.validation import CrossValidation


ERRORS = "errors_by_polygon.json"
"""The table of the errors with its digest, for other verbs."""


def write_report(url: str, report: Report) -> tuple[str, ...]:
    """Write a report as Markdown and as a page, its figures and tables beside it.

    `report.md` links to its pictures; `report.html`, of the same stem, holds them. The folder of
    that stem has figures as PNG, all numbers as CSV and the tables as LaTeX.

    Args:
        url: of the Markdown file, any fsspec URL.
        report: what to tell.

    Returns:
        URLs of everything written, the report last.

    Raises:
        StoreError: the store cannot be written.
    """
    base, _, name = url.rpartition("/")
    stem = name.rsplit(".", 1)[0]
    told = blocks(report, stem)
    drawn = {f"{stem}/{file}": png(figure) for file, figure in _figures(report).items()}
    files = {f"{stem}/{file}": data for file, data in tables(report).items()} | drawn
    if report.validation is not None:
        files[f"{stem}/{ERRORS}"] = storage.json_bytes(_errors(report.validation))
    files |= {
        f"{stem}/{block.name}.tex": latex(block).encode()
        for block in told
        if isinstance(block, Table) and block.name
    }
    written = [storage.join(base, path) if base else path for path in files]
    storage.sweep(storage.join(base or ".", stem), deep=False)
    for place, data in zip(written, files.values(), strict=True):
        storage.write_bytes(place, data)
    for picture in _given(report):
        place = storage.join(base or ".", picture.path)
        drawn[picture.path] = seal.whole_png(storage.read_bytes(place), place)
    html = f"{url.removesuffix('.md')}.html"
    storage.write_bytes(html, page(report.title, told, drawn).encode())
    storage.write_bytes(url, markdown(report.title, told).encode())
    return (*written, html, url)


def blocks(report: Report, folder: str = "report") -> list[Block]:
    """What the report says; `folder` is where its figures and tables lie, relative to it."""
    parts: list[Block] = [*sections.campaign(report.campaign)]
    parts += [Text(remark, quoted=True) for remark in report.remarks]
    parts += report.pictures
    parts += sections.processing(report.campaign)
    if report.choice is not None:
        parts += [Heading("The method of the map"), Text(choice_text(report.choice))]
    if report.validation is not None:
        parts += verdicts.accuracy(report.validation, report.map_method, folder=folder)
        if report.campaign.window:
            parts += mixed.windows_across(report.campaign.window, report.boundary)
    if report.comparison is not None:
        parts += sections.against_reference(report.comparison)
        if report.comparison.calibration is not None:
            parts += mixed.believed(report.comparison.calibration)
    if report.areas is not None:
        parts += sections.areas(report.areas)
    if report.portraits is not None:
        parts += sections.portraits(report.portraits, folder)
    if report.performance.stages or report.performance.map_pixels:
        parts += sections.performance(report.performance)
    if report.opening:
        parts += [Heading("Open it"), Code(report.opening)]
    names = sorted(tables(report))
    if names:
        parts += [Heading("Tables"), Text("All figures as CSV, with every digit:")]
        parts.append(Files([f"{folder}/{name}" for name in names]))
    printed = [part.name for part in parts if isinstance(part, Table) and part.name]
    if printed:
        parts.append(Text("The tables above as LaTeX:"))
        parts.append(Files([f"{folder}/{name}.tex" for name in printed]))
    return parts


def tables(report: Report) -> dict[str, bytes]:
    """CSV files of the report by name."""
    found: dict[str, pd.DataFrame] = {}
    if report.validation is not None:
        validation = report.validation
        found["accuracy"] = validation.summary().reset_index()
        found["accuracy_by_class"] = validation.per_class().rename(columns=_of_windows)
        found["accuracy_by_fold"] = validation.folds.rename(columns=_of_windows)
        found["differences_between_methods"] = family(validation, report.map_method)
        found["confusion"] = validation.confusions()
        found["false_alarms_by_polygon"] = validation.false_alarms()
        found["errors_by_polygon"] = validation.errors()
        found["samples"] = validation.samples().reset_index()
        found["folds_lacking_a_class"] = validation.lacking
        found["reliability"] = validation.reliability_bins()
    if report.comparison is not None:
        found["map_against_reference"] = report.comparison.table().reset_index()
        found["unknown_classes"] = report.comparison.foreign().reset_index()
        if report.comparison.calibration is not None:
            found["map_probabilities"] = report.comparison.calibration.table()
    if report.portraits is not None and report.portraits.backscatter is not None:
        found["backscatter_by_date"] = report.portraits.backscatter.by_date()
    if report.areas is not None:
        found["areas"] = report.areas.reset_index()
    if report.acquisitions is not None:
        found["acquisitions"] = report.acquisitions
    return {f"{name}.csv": to_csv(frame).encode() for name, frame in found.items()}


def _errors(validation: CrossValidation) -> dict[str, Any]:
    """The table of errors as a document; what is no number is left out."""
    rows = validation.errors().to_dict("records")
    return seal.sealed({"errors": [{k: v for k, v in row.items() if v == v} for row in rows]})


def read_errors(folder: str) -> list[dict[str, Any]]:
    """The rows of `CrossValidation.errors` in the folder of a report.

    Raises:
        StoreMissing: there is none.
        StoreDamaged: it is not what was written.
    """
    url = storage.join(folder, ERRORS)
    rows = seal.read_document(url, "run `cpazmal assess` again").get("errors")
    return rows if isinstance(rows, list) else []


def _of_windows(column: str) -> str:
    """A column's name without words that belong to areas of a map."""
    return column.replace("producers", "recall").replace("users", "precision")


def _figures(report: Report) -> dict[str, Figure]:
    from cpazmal_scale.assess.report import figures, portraits

    drawn: dict[str, Figure] = {}
    own, seen = report.validation, report.portraits
    if own is not None:
        first = report.map_method if report.map_method in own.methods else own.methods[0]
        shown = {name: own.confusion(name) for name in (first, rival(own, first))}
        colours = {} if seen is None else seen.colours
        drawn["methods.png"] = figures.methods_figure(own)
        drawn["confusion.png"] = figures.confusion_figure(shown, own.classes)
        drawn["polygons.png"] = figures.polygons_figure(own, next(iter(shown)), colours)
        drawn["reliability.png"] = figures.reliability_figure(own, _few(own, *shown))
    if seen is not None and seen.backscatter is not None:
        drawn["histograms.png"] = portraits.histogram_figure(seen.backscatter, seen.colours)
        drawn["evolution.png"] = portraits.evolution_figure(seen.backscatter, seen.colours)
    if seen is not None and seen.pairs:
        drawn["alignments.png"] = portraits.alignment_figure(seen.pairs, seen.colours)
    return drawn


def _given(report: Report) -> Iterator[Picture]:
    """Pictures of other stages, which lie beside the report already."""
    yield from report.pictures
    if report.portraits is not None and report.portraits.barycenters is not None:
        yield report.portraits.barycenters


def _few(own: CrossValidation, *first: str) -> tuple[str, ...]:
    """The methods whose curves stay legible in one picture."""
    wanted = (*first, TWINS.get(first[0], ""), NEIGHBORS)
    return tuple(dict.fromkeys(name for name in wanted if name in own.methods))
