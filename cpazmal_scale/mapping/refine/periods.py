"""The two periods that a map of change compares."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from cpazmal_scale.storage import seal

NAME = "compared"
"""Attribute of a map of change, and tag of its GeoTIFF."""


class Period(NamedTuple):
    """First and last day, `YYYY-MM-DD`, and the number of dates between them that a map used."""

    first: str
    last: str
    dates: int

    @classmethod
    def of(cls, dates: Sequence[str]) -> Period:
        """Of dates in the order of time."""
        return cls(dates[0][:10], dates[-1][:10], len(dates))

    def __str__(self) -> str:
        return f"{in_words(self.first, self.last)} ({self.dates} dates)"


def in_words(first: str, last: str) -> str:
    """Two days as people write them."""
    days = [date.fromisoformat(day[:10]) for day in (first, last)]
    return " – ".join(f"{day.day} {day:%b %Y}" for day in days)


def told(earlier: Sequence[str], later: Sequence[str]) -> dict[str, str]:
    """The attribute, of the dates of the two maps."""
    return {NAME: json.dumps([Period.of(earlier), Period.of(later)])}


def compared(attributes: Mapping[str, Any]) -> tuple[Period, ...]:
    """The earlier and the later period, of a map of change that says them; else nothing.

    Raises:
        StoreDamaged: what the map says are no periods.
    """
    with seal.parsing("its periods are damaged", str(attributes.get("id")), "map again"):
        return tuple(Period(*period) for period in json.loads(attributes.get(NAME, "[]")))


def compared_periods(attributes: Mapping[str, Any]) -> str:
    """Both periods in words; nothing where there are none."""
    return " → ".join(map(str, compared(attributes)))
