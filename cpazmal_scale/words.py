"""Numbers formatted for people: signs, intervals, per cent, coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

NONE = "–"
"""A figure that does not exist."""


def number(value: float, digits: int = 3) -> str:
    """A fixed number of digits."""
    if not math.isfinite(value):
        return NONE
    # No sign on what rounds to nothing.
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign."""
    text = number(value, digits)
    return text if text.startswith(("−", NONE)) else f"+{text}"


def spread(mean: float, std: float, digits: int = 3) -> str:
    """Mean ± standard deviation, or the mean alone where there is no deviation."""
    if not math.isfinite(std):
        return number(mean, digits)
    return f"{number(mean, digits)} ± {number(std, digits)}"


def interval(low: float, high: float, digits: int = 3) -> str:
    """A range from low to high."""
    return f"{number(low, digits)} to {number(high, digits)}"


def probability(p: float) -> str:
    """A p-value, not below what thousands of draws can tell."""
    return "< 0.001" if p < 0.001 else number(p)


def per_cent(share: float, digits: int = 1) -> str:
    """A share as per cent."""
    return NONE if not math.isfinite(share) else f"{number(100 * share, digits)} %"


def count(value: int) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}".replace(",", "\u202f")


def window(size: int, pixel: float, unit: str) -> str:
    """A window of `size` pixels and its edge on the ground, such as `7 × 7 pixels (21 m)`."""
    return f"{size} × {size} pixels ({size * pixel:.3g}{unit})"


def latitude(degrees: float, digits: int = 2) -> str:
    """A latitude, such as `45.83° N` or `43.60° S`."""
    return f"{abs(degrees):.{digits}f}° {'S' if degrees < 0 else 'N'}"


def longitude(degrees: float, digits: int = 2) -> str:
    """A longitude, such as `6.86° E` or `73.10° W`; those from 0 to 360 count from -180, too."""
    around = degrees - 360 if degrees > 180 else degrees
    return f"{abs(around):.{digits}f}° {'W' if around < 0 else 'E'}"


def box(bounds: tuple[float, float, float, float], digits: int = 2) -> str:
    """West, south, east and north in degrees, as a range of longitudes and one of latitudes."""
    west, south, east, north = bounds
    along = f"{longitude(west, digits)} to {longitude(east, digits)}"
    return f"{along}, {latitude(south, digits)} to {latitude(north, digits)}"


def coefficient(radiometry: str | None) -> str:
    """The sign of a backscatter coefficient, such as `γ0_T` for `gamma0_T`."""
    signs = {"beta": "β", "sigma": "σ", "gamma": "γ"}
    word, _, rest = (radiometry or "").partition("0")
    return f"{signs[word]}0{rest}" if word in signs else "backscatter"


def channels(dates_of: Mapping[str, int], dates: int) -> str:
    """Channels that were acquired: `HH`, or `HH, HV on 12 of 30 dates`; those on no date are not.

    Args:
        dates_of: how many dates hold each channel.
        dates: how many there are.
    """
    told = [
        name if held >= dates else f"{name} on {held} of {dates} dates"
        for name, held in dates_of.items()
        if held
    ]
    return ", ".join(told) or NONE


def many(n: int, noun: str) -> str:
    """A number of things: `1 block`, `2 blocks`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def listed(names: Iterable[str], given: Iterable[str]) -> str:
    """Names to choose among, and how to write several where one that was given holds a comma."""
    hint = ", several with a blank between" if any("," in one for one in given) else ""
    return f"{', '.join(names)}{hint}"


def seconds(value: float) -> str:
    """A duration."""
    if value < 0.1:
        return f"{1000 * value:.0f} ms"
    if value < 10:
        return f"{value:.2f} s"
    return f"{value:.0f} s" if value < 120 else f"{int(value) // 60} min {int(value) % 60:02d} s"


def memory(size: float) -> str:
    """Bytes as MiB or GiB."""
    mib = size / 2**20
    return f"{mib:.0f} MiB" if mib < 1024 else f"{mib / 1024:.2f} GiB"


def amount(size: float) -> str:
    """Bytes with a binary unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} TiB"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
