"""Tables of acquisitions: what the names of scenes do not tell."""

from __future__ import annotations

import codecs
import csv
import io
import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from cpazmal_scale.errors import SceneUnknown
from cpazmal_scale.scenes.listing import small_file
from cpazmal_scale.scenes.scene import SAME_ACQUISITION
from cpazmal_scale.scenes.spellings import (
    parse_direction,
    parse_polarisations,
    parse_side,
    parse_time,
)
from cpazmal_scale.vocabulary import INCIDENCE

MAX_TABLE_BYTES = 16 * 2**20


SAME_ROW = timedelta(seconds=5)
"""Rows of one sensor that start closer than this are of one acquisition: the shortest takes
longer."""


@dataclass(frozen=True)
class Row:
    """One acquisition of the table."""

    sensor: str
    start: datetime
    beam: str | None
    pass_direction: Literal["ASC", "DSC"] | None
    incidence_angle: float | None
    resolution: tuple[float, float] | None
    polarisations: tuple[str, ...] | None
    look_side: Literal["R", "L"] | None = None


def read_table(url: str) -> list[Row]:
    """Acquisitions from a CSV with at least `sensor` and `start`.

    Commas, semicolons or tabs separate its columns, in UTF-8 or, with a mark, UTF-16.

    Raises:
        SceneUnknown: a column is missing or a cell cannot be read.
        StoreMissing: there is no such file.
    """
    text = _decoded(small_file(url, MAX_TABLE_BYTES))
    first = text.lstrip().partition("\n")[0]
    between = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=between, skipinitialspace=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except csv.Error as error:
        raise SceneUnknown(
            f"not a table ({error})", where=url, remedy="save it as CSV in UTF-8"
        ) from None
    names = [name.lower() for name in lines[0][1]] if lines else []
    missing = {"sensor", "start"} - set(names)
    if missing:
        raise SceneUnknown(
            f"the table has no column {' and '.join(sorted(missing))}",
            where=url,
            remedy="its first line must name the columns",
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise SceneUnknown(
            f"the table has two columns {twice[0]}", where=url, remedy="keep the one that is right"
        )
    for line, cells in lines[1:]:
        if any(cells[len(names) :]):
            raise SceneUnknown(
                f"it has {len(cells)} cells for {len(names)} columns",
                where=f"{url} line {line}",
                remedy="write numbers with a point, and text with commas in quotes",
            )
    rows = [
        (dict(zip(names, cells, strict=False)), f"{url} line {line}")
        for line, cells in lines[1:]
        if any(cells)
    ]
    return [_row(cells, where, comma=between != ",") for cells, where in rows]


def _decoded(data: bytes) -> str:
    utf16 = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return data.decode("utf-16" if utf16 else "utf-8-sig", errors="replace").replace("\0", "")


def _row(cell: dict[str, str], where: str, *, comma: bool) -> Row:
    """One line of the table; with `comma` a decimal comma is a point."""

    def number(name: str, above: float = -math.inf) -> float | None:
        text = cell.get(name)
        if not text:
            return None
        try:
            value = float(text.replace(",", ".") if comma else text)
            if above < value < math.inf:
                return value
            raise ValueError
        except ValueError:
            raise SceneUnknown(
                f"{name} `{text}` is no such number", where=where, remedy="correct the table"
            ) from None

    angle = number("incidence_angle")
    if angle is not None and not INCIDENCE[0] < angle < INCIDENCE[1]:
        raise SceneUnknown(
            f"incidence_angle {angle:g} is not between {INCIDENCE[0]:g} and "
            f"{INCIDENCE[1]:g} degrees",
            where=where,
            remedy="correct the table",
        )
    across, along = number("resolution_range", 0), number("resolution_azimuth", 0)
    direction, channels = cell.get("pass_direction"), cell.get("polarisations")
    side = cell.get("look_side")
    return Row(
        sensor=cell.get("sensor", ""),
        start=parse_time(cell.get("start", ""), where=where),
        beam=cell.get("beam") or None,
        pass_direction=parse_direction(direction, where=where) if direction else None,
        incidence_angle=angle,
        resolution=None if across is None or along is None else (across, along),
        polarisations=parse_polarisations(channels, where=where) if channels else None,
        look_side=parse_side(side, where=where) if side else None,
    )


def find_row(table: list[Row], sensor: str, start: datetime) -> Row | None:
    """The sensor's row nearest to `start`, if within two minutes.

    Raises:
        SceneUnknown: another row of that time says something else, or one within two minutes does
            and neither is of the very seconds.
    """
    near = [row for row in table if row.sensor == sensor]
    best = min(near, key=lambda row: abs(row.start - start), default=None)
    if best is None or abs(best.start - start) > SAME_ACQUISITION:
        return None
    within = SAME_ROW if abs(best.start - start) <= SAME_ROW else 2 * SAME_ACQUISITION
    for other in near:
        if abs(other.start - start) > SAME_ACQUISITION:
            continue
        if abs(other.start - best.start) <= within and replace(other, start=best.start) != best:
            raise SceneUnknown(
                f"two rows of {sensor} {best.start:%Y%m%dT%H%M%S} say different things",
                where="the acquisition table",
                remedy="keep the row that is right",
            )
    return best
