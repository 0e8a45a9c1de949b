"""Names of runs, and headings, units and numbers of artifacts, as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import CpazmalError
from cpazmal_scale.legend import legend, parsed
from cpazmal_scale.words import NONE, count, interval, number, per_cent, spread

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = {
    "id": "identity", "crs": "reference system", "start": "first date", "end": "last date",
    "km2": "area", "bbox": "place", "shape": "size", "no_data_km2": "no data (km²)",
    "rejected_km2": "rejected (km²)", "zone": "glacier",
}  # fmt: skip
_LEFT_OUT = {"polarisations", "legend"}
"""What `channels` and the colours of the picture say better."""
_SUFFIXES = {
    "_expected_km2": " expected (km²)",
    "_km2": " (km²)",
    "_share": " (share)",
    "_probability": " mean probability",
}


def run_name(flow: str, config: RunConfig, maps: Sequence[str] = ()) -> str:
    """What a run is called: its stage, then its maps, or its beam and period."""
    stage = flow.replace("-", " ")
    if maps:
        return f"{stage} {' and '.join(maps)}"
    return f"{stage} {config.beam or ''}".strip() + f", {period(config)}"


def period(config: RunConfig) -> str:
    """The dates of a run in words."""
    start, end = config.start, config.end
    told = "all dates"
    if start and end:
        told = f"{start} to {end}"
    elif start or end:
        told = f"from {start}" if start else f"until {end}"
    if config.dates:
        told = f"{len(config.dates)} dates" if len(config.dates) > 1 else str(config.dates[0])
    months = "" if not config.months else f", months {', '.join(map(str, config.months))}"
    return told + months


def facts_in_words(facts: Mapping[str, Any]) -> dict[str, str]:
    """Facts of a product under headings, with units and two decimals."""
    told = {name: value for name, value in facts.items() if name not in _LEFT_OUT}
    if isinstance(told.get("km2"), Mapping):
        told["km2"] = _by_name(told["km2"], facts.get("legend"))
    return {heading(name): _told(name, value) for name, value in told.items()}


def _by_name(areas: Mapping[str, float], given: Any) -> dict[str, float]:
    """Areas by the names of classes, with the code before names that are not one's own."""
    named = legend(areas, parsed(given))
    names = [named.name(code) for code in areas]
    return {
        name if names.count(name) == 1 else named.label(code): area
        for name, (code, area) in zip(names, areas.items(), strict=True)
    }


def rows_in_words(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The same of a table."""
    return [{heading(name): _told(name, value) for name, value in row.items()} for row in rows]


def matrix_in_words(areas: pd.DataFrame) -> list[dict[str, str]]:
    """Areas in km² that went from one class to another: a row for each, a column for the other."""
    return [
        {
            "from (row) to (column), km²": str(code),
            **{str(to): number(area, 4) for to, area in row.items()},
        }
        for code, row in areas.iterrows()
    ]


def errors_in_words(errors: Sequence[CpazmalError]) -> list[dict[str, str]]:
    """What is wrong with each of several scenes or files."""
    return [
        {"scene": str(one.where), "what is wrong": one.what, "remedy": one.remedy or NONE}
        for one in errors
    ]


def merit_in_words(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Figures of merit of the methods, mean ± deviation over folds."""
    return [
        {
            "method": str(row["method"]),
            "macro-F1": spread(row["macro_f1_mean"], row["macro_f1_std"], 2),
            "95 % interval": interval(row["macro_f1_low"], row["macro_f1_high"], 2),
            "overall accuracy": spread(row["oa_mean"], row["oa_std"], 2),
            "log loss": number(row["log_loss_mean"], 2),
            "calibration error": number(row["ece_pooled"], 2),
        }
        for row in rows
    ]


def heading(name: str) -> str:
    """The name of a fact or column as people read it."""
    if name in HEADINGS:
        return HEADINGS[name]
    for suffix, words in _SUFFIXES.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix) + words
    return name.replace("_", " ")


def _told(name: str, value: Any) -> str:
    if name == "shape":
        size = " × ".join(count(n) for n in value[-2:]) + " pixels"
        return size if len(value) == 2 else f"{value[0]} dates of {size}"
    if name == "bbox":
        west, south, east, north = (f"{edge:.3f}" for edge in value)
        return f"{west}° to {east}° east, {south}° to {north}° north"
    if name == "km2" and isinstance(value, Mapping):
        return ", ".join(f"{what} {number(area, 2)} km²" for what, area in value.items())
    if name.endswith("_share") and isinstance(value, float):
        return per_cent(value, 2)
    if isinstance(value, Mapping):
        return ", ".join(f"{what} {_told('', one)}" for what, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_told("", one) for one in value) or NONE
    if isinstance(value, float):
        return number(value, 2)
    return count(value) if type(value) is int else str(value)
