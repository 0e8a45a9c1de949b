"""The paragraphs of a report about windows that show several classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale import words as say
from cpazmal_scale.assess.report.parts import Block, Heading, Table, Text

if TYPE_CHECKING:
    from cpazmal_scale.assess.against.calibration import MapCalibration

_INSIDE = (
    "The figures of the cross-validation, calibration included, are of windows inside polygons, "
    "which show one class each. A window of {} across a boundary mixes the series of several: the "
    "map may put a band of a third class there, and is too sure of it. "
)
_BOUNDARY = (
    "**{} of the classified pixels have another class of the map in their window**; do not take "
    "their probabilities for frequencies."
)
_BESIDE = (
    "Confidence is the largest probability of a pixel. Windows of several mapped classes can be "
    "found without a reference: they are the pixels with another class at most half a window away."
)


def windows_across(window: str, share: float) -> list[Block]:
    """What the accuracy does not say of boundaries; `share` of the pixels, NaN not counted."""
    text = _INSIDE.format(window)
    if share == share:
        text += _BOUNDARY.format(say.per_cent(share))
    return [Heading("Where a window shows several classes", 3), Text(text.strip())]


def believed(own: MapCalibration) -> list[Block]:
    """The map's probabilities beside the reference."""
    rows = [
        (
            str(row["reference"]),
            str(row["windows"]),
            say.per_cent(row["pixels"]),
            *(say.number(row[figure]) for figure in ("confidence", "right", "ece")),
            say.per_cent(row["sure_pixels"]),
            *(say.number(row[figure]) for figure in ("sure_confidence", "sure_right")),
        )
        for row in own.table().to_dict("records")
    ]
    header = "reference|windows|pixels|mean confidence|right|ECE|p > 0.9|mean confidence there"
    caption = (
        "The map's probabilities against the reference, in windows of one class and of several."
    )
    table = Table(
        (*header.split("|"), "right there"),
        rows,
        text_columns=2,
        name="map_probabilities",
        caption=caption,
    )
    return [Heading("The map's probabilities against the reference", 3), Text(_BESIDE), table]
