"""The paragraphs of a report about the campaign, the map and the run itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale.assess import markdown as md

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.assess.comparison import MapComparison
    from cpazmal_scale.assess.report import Campaign, Performance

_REFERENCE = (
    "Pixels whose true class the map knows; where the map has no data they are left out of the "
    "accuracies, rejected ones are errors. The second row leaves out the training polygons "
    "and every pixel whose window reaches into one."
)


def campaign(facts: Campaign) -> str:
    """Table of what was mapped."""
    rows, columns = facts.shape
    lines = [
        ("Beam", facts.beam),
        ("Dates", f"{facts.dates}, {facts.first_date} to {facts.last_date}"),
        ("Polarisations", ", ".join(facts.polarisations)),
        ("Features", ", ".join(facts.features)),
        ("Grid", f"{md.count(rows)} × {md.count(columns)} pixels of {facts.pixel}, {facts.crs}"),
    ]
    text = md.table(("", ""), [(f"**{name}**", value) for name, value in lines], text_columns=2)
    if facts.simulated:
        text += (
            "\n\nThe scenes are **simulated**: the figures below say how the method does on this "
            "simulation, not on real glaciers."
        )
    return text


def against_reference(own: MapComparison) -> list[str]:
    """The map beside the reference raster."""
    table = own.table()
    header = ["reference", "pixels", "no data", "rejected", "overall accuracy", "macro-F1"]
    header += [f"F1 {name}" for name in own.classes]
    rows = [
        (
            str(name),
            md.count(int(row["pixels"])),
            *(md.per_cent(row[figure]) for figure in ("no_data", "rejected", "oa")),
            *(md.number(row[figure]) for figure in ("macro_f1", *(f"f1_{c}" for c in own.classes))),
        )
        for name, row in table.iterrows()
    ]
    parts = [
        "## Map against the reference",
        _REFERENCE,
        md.table(header, rows),
    ]
    return [*parts, *_foreign(own)]


def _foreign(own: MapComparison) -> list[str]:
    table = own.foreign()
    table = table[table["pixels"] > 0]
    if table.empty:
        return ["The map knows every class of the reference."]
    text = (
        f"**{md.per_cent(own.forced)} of the labelled pixels that the map classifies belong to "
        f"classes it was never shown** ({', '.join(table.index)}). It gives them one of its "
        f"{len(own.classes)} classes all the same, unless it rejects them; they do not enter the "
        "accuracies above:"
    )
    rows = [
        (
            str(name),
            md.count(int(row["pixels"])),
            *(md.per_cent(row[c], 0) for c in table.columns[1:]),
        )
        for name, row in table.iterrows()
    ]
    return [text, md.table(["true class", "pixels", *map(str, table.columns[1:])], rows)]


def areas(table: pd.DataFrame) -> list[str]:
    """Areas as counted on the map."""
    rows = [
        (
            str(code),
            str(row["name"]),
            md.count(int(row["pixels"])),
            md.number(row["km2"]),
            md.per_cent(row["share"]),
        )
        for code, row in table.iterrows()
    ]
    return [
        "## Areas on the map",
        "Counted pixels, not corrected for the map's errors.",
        md.table(("class", "name", "pixels", "km²", "share"), rows, text_columns=2),
    ]


def performance(facts: Performance) -> list[str]:
    """Timings, rate and memory."""
    parts = ["## Time and memory"]
    if facts.stages:
        rows = [(stage.name, stage.detail, md.seconds(stage.seconds)) for stage in facts.stages]
        total = sum(stage.seconds for stage in facts.stages)
        rows.append(("**all**", "", f"**{md.seconds(total)}**"))
        parts.append(md.table(("stage", "", "wall time"), rows, text_columns=2))
    if facts.map_pixels and facts.map_seconds > 0:
        rate = facts.map_pixels / facts.map_seconds
        workers = f"{facts.workers} worker{'s' if facts.workers > 1 else ''}"
        parts.append(
            f"The map: {md.count(facts.map_pixels)} pixels in {md.seconds(facts.map_seconds)} on "
            f"{workers}: **{md.count(round(rate))} pixels per second**, reading and writing "
            f"included ({md.count(round(rate / facts.workers))} per worker)."
        )
    if facts.peak_memory is not None:
        parts.append(f"Peak memory of one worker: {md.memory(facts.peak_memory)}.")
    if facts.machine:
        parts.append(f"Machine: {facts.machine}.")
    return parts
