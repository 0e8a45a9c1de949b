"""The two periods that a map of change compares."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from cpazmal_scale.errors import ConfigError
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


def require_order(earlier: Sequence[str], later: Sequence[str], where: str) -> None:
    """Refuse maps, of dates in the order of time, that were named in the opposite order.

    Raises:
        ConfigError: the later map's last date is before the earlier one's first.
    """
    if later[-1] < earlier[0]:
        raise ConfigError(
            f"the earlier map is of {in_words(earlier[0], earlier[-1])}, after the later one, of "
            f"{in_words(later[0], later[-1])}: what was lost would be gained",
            where=where,
            remedy="name the earlier map first",
        )


def shared(earlier: Sequence[str], later: Sequence[str]) -> str | None:
    """One sentence where both maps are made of some of the same scenes."""
    both = len({*earlier} & {*later})
    if not both:
        return None
    return (
        f"{both} of {len({*earlier} | {*later})} dates are in both maps: what speckle and weather "
        "of these scenes make wrong is wrong in both and shows no change; map periods apart"
    )


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
