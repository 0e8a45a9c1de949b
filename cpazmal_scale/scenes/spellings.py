"""How names, tables and annotations write sensors, times, directions and polarisations."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from cpazmal_scale.errors import SceneUnknown
from cpazmal_scale.vocabulary import POLARISATIONS

X_BAND_SENSORS = ("PAZ1", "TSX1", "TDX1")
_SENTINEL_1 = re.compile(r"S(?:ENTINEL[- ]?)?1[A-D]?", re.IGNORECASE)
_COMPONENT = re.compile(r"_SAR__?SSC_([A-Z]{3})(\d)_")
"""A component of a TanDEM-X pair: how it was acquired, T or R for transmitting, and its number."""


def is_later_component(name: str) -> bool:
    """Whether a name is that of an image of a TanDEM-X pair that was only received, or is resampled
    onto the first.
    """
    found = _COMPONENT.search(name)
    return found is not None and ("R" in found[1][1:] or found[2] != "1")


def looks_right(sensor: str) -> bool:
    """Whether a sensor looks to the right of its path unless its product says otherwise."""
    return sensor in X_BAND_SENSORS or _SENTINEL_1.fullmatch(sensor) is not None


_TIME = re.compile(
    r"(?P<year>(?:19|20)\d\d)(?P<dash>[-/_.]?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"(?:(?:[T _-]?(?=\d{6}(?!\d))|[T _-])(?P<hour>\d\d)(?P<colon>[:_-]?)(?P<minute>\d\d)"
    r"(?:(?P=colon)(?P<second>\d\d)(?:[.,]\d+)?)?"
    r"(?:Z|(?P<sign>[+-])(?P<hours>0\d|1[0-4]):?(?P<minutes>[0-5]\d)?)?)?",
    re.I,
)


def parse_time(text: str, *, where: object) -> datetime:
    """A UTC time from `20200108T054412`, `2020-01-08T05:44:12.5+02:00`, `20200108T0544` and such.

    Year, month and day have all their digits, and so have hour and minute; seconds left out are 0.
    An offset from UTC of at most 14 hours is applied; without one the time is UTC. A leap second
    (`23:59:60`) becomes the next second. Fractions of a second are dropped.

    Raises:
        SceneUnknown: the text is no such time.
    """
    match = _TIME.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        year, month, day, hour, minute, second = (
            int(match[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second")
        )
        leap = second == 60 and minute == 59
        when = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
    except ValueError:
        raise SceneUnknown(
            f"`{text}` is not a time", where=where, remedy="write it as 20200108T054412 (UTC)"
        ) from None
    ahead = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
    if ahead > timedelta(hours=14):
        raise SceneUnknown(
            f"`{text}` is not a time: no clock is so far from UTC", where=where, remedy="write UTC"
        )
    return when + timedelta(seconds=int(leap)) - (-ahead if match["sign"] == "-" else ahead)


def direction_in(text: str) -> Literal["ASC", "DSC"] | None:
    """Flight direction from its usual spellings; None: it is none of them."""
    word = text.strip().lower()
    if re.fullmatch(r"a|asc(end(ing)?)?", word):
        return "ASC"
    return "DSC" if re.fullmatch(r"d|dsc|des(c(end(ing)?)?)?", word) else None


def parse_direction(text: str, *, where: object) -> Literal["ASC", "DSC"]:
    """Flight direction from its usual spellings.

    Raises:
        SceneUnknown: it is none of them.
    """
    found = direction_in(text)
    if found is not None:
        return found
    raise SceneUnknown(
        f"`{text}` is not a flight direction", where=where, remedy="write ASC or DSC"
    )


def side_in(text: str) -> Literal["R", "L"] | None:
    """Side the antenna looks to, from `R`, `right`, `L` or `left`; None: it is none of them."""
    word = re.sub(r"[\s_-]*look(ing)?[\s_-]*", "", text.strip().lower())
    if word in ("r", "right"):
        return "R"
    return "L" if word in ("l", "left") else None


def parse_side(text: str, *, where: object) -> Literal["R", "L"]:
    """Side the antenna looks to, from `R`, `right`, `L` or `left`.

    Raises:
        SceneUnknown: it is none of them.
    """
    found = side_in(text)
    if found is not None:
        return found
    raise SceneUnknown(f"`{text}` is not a look side", where=where, remedy="write R or L")


def parse_polarisations(text: str, *, where: object) -> tuple[str, ...]:
    """Polarisations in the order given, from `HH`, `HH/HV`, `HH+HV` and the like.

    Raises:
        SceneUnknown: one of them is not HH, HV, VH or VV, or is there twice.
    """
    found = tuple(part for part in re.split(r"[^A-Za-z]+", text.upper()) if part)
    unknown = [part for part in found if part not in POLARISATIONS]
    if unknown or not found or len(set(found)) < len(found):
        raise SceneUnknown(
            f"`{text}` does not name polarisations",
            where=where,
            remedy=f"use {', '.join(POLARISATIONS)}",
        )
    return found
