"""The paragraphs of a report about the campaign, the map and the run itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale import words as say
from cpazmal_scale.assess.report.parts import Block, Heading, Picture, Table, Text
from cpazmal_scale.grid.areas import group_areas

if TYPE_CHECKING:
    import pandas as pd

    from cpazmal_scale.assess.against.comparison import MapComparison
    from cpazmal_scale.assess.report.contents import Campaign, Performance, Portraits

_SIMULATED = (
    "The scenes are **simulated**: the figures below say how the method does on this simulation, "
    "not on real glaciers."
)
_NAMED, _SWALLOWED = 0.05, 0.25
"""Shares of pixels below the floor: from the first the report says what they are, from the second
it warns. Speckle alone brings 25 % of single looks there where the mean is 5 dB above the floor."""
_UNDER = (
    "Pixels under {} dB count as {} dB before the logarithm. In {} they are dark ground, such as "
    "calm water and wet snow, in which speckle and subtracted noise go down to zero: such a window "
    "says that it is dark, and little more. Where noise was not subtracted and the sensor's noise "
    "floor lies lower than {} dB, a lower `features.floor_db` (10 dB under it) tells more of dark "
    "ground."
)
_FLOORED = (
    "**The floor swallows a part of {}**: pixels below it count as the floor, whatever they are. {}"
)
_LOWER = (
    "Lower `features.floor_db` to 10 dB under the sensor's noise floor, or leave the channel out. "
    "That is no remedy where noise was subtracted and many of these pixels are ≤ 0."
)
_NEGATIVE = (
    "Many of them are ≤ 0 (below), because noise was subtracted, and no floor recovers these: a "
    "lower one only moves them away from the others. Keep the noise (`ingest.level1b.noise: keep`, "
    "in a new cube), set `features.floor_db` to the sensor's noise level, or leave the channel out."
)
_MANY = 0.25
"""Share of the pixels below the floor from which those without a level in dB decide the remedy."""
_ALIGNED = (
    "Euclid compares two windows date by date, DTW matches dates inside the band so that the "
    "distance is smallest. A shift in time that separates two classes is lost to DTW as far as the "
    "band reaches; one that does not, within a class, is forgiven."
)
_HISTOGRAMS = (
    "Backscatter of the pixels by class and season: share of all valid pixels per dB. Where noise "
    "was subtracted, pixels of power ≤ 0 have no level in dB; each panel lists their share"
)
_EVOLUTION = (
    "Evolution in time: level of the mean power of a class's windows, negative pixels of "
    "subtracted noise included, and the range of the middle two thirds of the windows. ▼: the mean "
    "is below noise"
)
_REFERENCE = (
    "Pixels whose true class the map knows; where the map has no data they are left out of the "
    "accuracies, rejected ones are errors. The second row leaves out the training polygons "
    "and every pixel whose window reaches into one."
)


def campaign(facts: Campaign) -> list[Block]:
    """Table of what was mapped."""
    rows, columns = facts.shape
    lines = [
        ("Beam", facts.beam),
        ("Dates", f"{facts.dates}, {facts.first_date} to {facts.last_date}"),
        ("Channels", facts.channels),
        ("Features", ", ".join(facts.features)),
        ("Grid", f"{say.count(rows)} × {say.count(columns)} pixels of {facts.pixel}, {facts.crs}"),
    ]
    if facts.window:
        lines.append(("A pixel's class is that of", f"a window of {facts.window}"))
    for whose, floored in (("Windows'", facts.floored), ("Map's", facts.mapped_floored)):
        if floored:
            shares = ", ".join(f"{name} {say.per_cent(share)}" for name, share in floored.items())
            lines.append((f"{whose} pixels under {say.number(facts.floor_db, 0)} dB", shares))
    table = Table(("", ""), [(f"**{name}**", value) for name, value in lines], text_columns=2)
    told: list[Block] = [table, Text(_SIMULATED)] if facts.simulated else [table]
    every = [*facts.floored.items(), *facts.mapped_floored.items()]
    named = list(dict.fromkeys(name for name, share in every if share >= _NAMED))
    swallowed = [name for name, share in every if share >= _SWALLOWED]
    swallowed += [
        f"{one.channel} of {one.label}"
        for one in facts.floored_classes
        if one.share >= _SWALLOWED and one.channel not in swallowed
    ]
    if swallowed:
        remedy = _NEGATIVE if _subtracted(facts) else _LOWER
        named = list(dict.fromkeys(swallowed))
        told.append(Text(_FLOORED.format(", ".join(named), remedy), quoted=True))
    elif named:
        floor, noise = (say.number(level, 0) for level in (facts.floor_db, facts.floor_db + 10))
        told.append(Text(_UNDER.format(floor, floor, " and ".join(named), noise)))
    told += _by_class(facts)
    return told


def _subtracted(facts: Campaign) -> bool:
    """Whether many of the pixels below the floor of a dark class have no level in dB."""
    return any(
        one.negative >= _MANY * one.share for one in facts.floored_classes if one.share >= _NAMED
    )


def _by_class(facts: Campaign) -> list[Block]:
    """The classes of which a date lies below the floor in good part."""
    dark = [one for one in facts.floored_classes if one.worst >= _SWALLOWED]
    if not dark:
        return []
    shares = [
        f"{one.label} in {one.channel} {say.per_cent(one.share, 0)} of all dates "
        f"({say.per_cent(one.negative, 0)} ≤ 0), {say.per_cent(one.worst, 0)} on {one.date}"
        for one in sorted(dark, key=lambda one: -one.worst)
    ]
    floor = say.number(facts.floor_db, 0)
    return [Text(f"Windows' pixels under {floor} dB by class: {'; '.join(shares)}.")]


def processing(facts: Campaign) -> list[Block]:
    """Table of how data and map were made."""
    if not facts.processing:
        return []
    caption = "Data and processing."
    rows = list(facts.processing.items())
    name = "data_and_processing"
    return [
        Heading("Data and processing"),
        Table(("what", "how"), rows, text_columns=2, name=name, caption=caption),
    ]


def against_reference(own: MapComparison) -> list[Block]:
    """The map beside the reference raster."""
    table = own.table()
    header = ["reference", "pixels", "no data", "rejected", "overall accuracy", "macro-F1"]
    header += [f"F1 {name}" for name in own.classes]
    rows = [
        (
            str(name),
            say.count(int(row["pixels"])),
            *(say.per_cent(row[figure]) for figure in ("no_data", "rejected", "oa")),
            *(
                say.number(row[figure])
                for figure in ("macro_f1", *(f"f1_{c}" for c in own.classes))
            ),
        )
        for name, row in table.iterrows()
    ]
    return [
        Heading("Map against the reference"),
        Text(_REFERENCE),
        Table(header, rows, name="map_against_reference", caption="The map against the reference."),
        *_foreign(own),
    ]


def _foreign(own: MapComparison) -> list[Block]:
    table = own.foreign()
    table = table[table["pixels"] > 0]
    if table.empty:
        return [Text("The map knows every class of the reference.")]
    text = (
        f"**{say.per_cent(own.forced)} of the labelled pixels that the map classifies belong to "
        f"classes it was never shown** ({', '.join(table.index)}). It gives them one of its "
        f"{len(own.classes)} classes all the same, unless it rejects them; they do not enter the "
        "accuracies above:"
    )
    rows = [
        (
            str(name),
            say.count(int(row["pixels"])),
            *(say.per_cent(row[c], 0) for c in table.columns[1:]),
        )
        for name, row in table.iterrows()
    ]
    return [Text(text), Table(["true class", "pixels", *map(str, table.columns[1:])], rows)]


def areas(table: pd.DataFrame) -> list[Block]:
    """Areas as counted on the map."""
    rows = [
        (
            str(code),
            str(row["name"]) if row["name"] != code else "",
            say.count(int(row["pixels"])),
            say.number(row["km2"]),
            say.per_cent(row["share"]),
        )
        for code, row in table.iterrows()
    ]
    rows += [
        (
            "",
            f"**{group}**",
            say.count(int(row["pixels"])),
            say.number(row["km2"]),
            say.per_cent(row["share"]),
        )
        for group, row in group_areas(table).iterrows()
    ]
    return [
        Heading("Areas on the map"),
        Text("Counted pixels, not corrected for the map's errors."),
        Table(
            ("class", "name", "pixels", "km²", "share"),
            rows,
            text_columns=2,
            name="areas",
            caption="Areas by class, as counted on the map.",
        ),
    ]


def portraits(facts: Portraits, folder: str) -> list[Block]:
    """Pictures of the labelled windows."""
    parts: list[Block] = [Heading("The labelled windows")]
    if facts.backscatter is not None:
        parts += [
            Picture(f"{folder}/histograms.png", _HISTOGRAMS),
            Picture(f"{folder}/evolution.png", _EVOLUTION),
        ]
    if facts.barycenters is not None:
        parts.append(facts.barycenters)
    if facts.pairs:
        parts.append(Text(_ALIGNED))
        parts.append(
            Picture(f"{folder}/alignments.png", "Typical windows of two classes, what is compared")
        )
    return parts


def performance(facts: Performance) -> list[Block]:
    """Timings, rate and memory."""
    parts: list[Block] = [Heading("Time and memory")]
    if facts.stages:
        rows = [(stage.name, stage.detail, say.seconds(stage.seconds)) for stage in facts.stages]
        total = sum(stage.seconds for stage in facts.stages)
        rows.append(("**all**", "", f"**{say.seconds(total)}**"))
        parts.append(Table(("stage", "", "wall time"), rows, text_columns=2))
    if facts.map_pixels and facts.map_seconds > 0:
        rate = facts.map_pixels / facts.map_seconds
        workers = f"{facts.workers} worker{'s' if facts.workers > 1 else ''}"
        text = (
            f"The map: {say.count(facts.map_pixels)} pixels in {say.seconds(facts.map_seconds)} on "
            f"{workers}: **{say.count(round(rate))} pixels per second**, reading and writing "
            f"included ({say.count(round(rate / facts.workers))} per worker)."
        )
        parts.append(Text(text))
    if facts.peak_memory is not None:
        parts.append(Text(f"Peak memory of one worker: {say.memory(facts.peak_memory)}."))
    if facts.machine:
        parts.append(Text(f"Machine: {facts.machine}."))
    return parts
