"""How names, tables and annotations write sensors, times, directions and polarisations."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from cpazmal_scale.errors import SceneUnknown
from cpazmal_scale.vocabulary import POLARISATIONS

X_BAND_SENSORS = ("PAZ1", "TSX1", "TDX1")


def parse_time(text: str, *, where: object) -> datetime:
    """A UTC time from `20200108T054412`, `2020-01-08T05:44:12.5Z` or `20200108`.

    A leap second (`23:59:60`) becomes the next second. Fractions of a second are dropped.

    Raises:
        SceneUnknown: the text holds no such time.
    """
    digits = re.sub(r"\D", "", text.split(".")[0])
    if len(digits) == 8:
        digits += "000000"
    leap = digits.endswith("60") and len(digits) == 14
    try:
        when = datetime.strptime(digits[:12] + "59" if leap else digits, "%Y%m%d%H%M%S")
    except ValueError:
        raise SceneUnknown(
            f"`{text}` is not a time", where=where, remedy="write it as 20200108T054412 (UTC)"
        ) from None
    return when.replace(tzinfo=UTC) + timedelta(seconds=int(leap))


def parse_direction(text: str, *, where: object) -> Literal["ASC", "DSC"]:
    """Flight direction from its usual spellings.

    Raises:
        SceneUnknown: it is none of them.
    """
    initial = text.strip().upper()[:1]
    if initial == "A":
        return "ASC"
    if initial == "D":
        return "DSC"
    raise SceneUnknown(
        f"`{text}` is not a flight direction", where=where, remedy="write ASC or DSC"
    )


def parse_polarisations(text: str, *, where: object) -> tuple[str, ...]:
    """Polarisations in the order given, from `HH`, `HH/HV`, `HH+HV` and the like.

    Raises:
        SceneUnknown: one of them is not HH, HV, VH or VV.
    """
    found = tuple(part for part in re.split(r"[^A-Za-z]+", text.upper()) if part)
    unknown = [part for part in found if part not in POLARISATIONS]
    if unknown or not found:
        raise SceneUnknown(
            f"`{text}` does not name polarisations",
            where=where,
            remedy=f"use {', '.join(POLARISATIONS)}",
        )
    return found
