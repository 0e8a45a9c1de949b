"""What the name of a file and a table of acquisitions tell about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

from cpazmal_scale.config import Naming
from cpazmal_scale.errors import ConfigError, SceneUnknown
from cpazmal_scale.scenes.band_names import file_words, plain_words
from cpazmal_scale.scenes.spellings import (
    X_BAND_SENSORS,
    is_later_component,
    parse_direction,
    parse_polarisations,
    parse_time,
)
from cpazmal_scale.vocabulary import POLARISATIONS

_PRODUCT = re.compile(
    r"(?P<id>(?P<sensor>[A-Z0-9]{3,4})_SAR__\w+?_(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6}))"
)
_GROUPS = frozenset(
    {"id", "sensor", "start", "stop", "beam", "pass_direction", "polarisation"},
)


@dataclass(frozen=True)
class Named:
    """What one file's name says; None where it says nothing, `rest` is what stands beside."""

    id: str
    sensor: str
    start: datetime
    stop: datetime | None = None
    beam: str | None = None
    pass_direction: Literal["ASC", "DSC"] | None = None
    polarisation: str | None = None
    rest: str = ""


def compile_pattern(naming: Naming) -> re.Pattern[str] | None:
    """The user's pattern, checked.

    Raises:
        ConfigError: not a regular expression, or without the groups that are needed.
    """
    if naming.pattern is None:
        return None
    where = "ingest.naming.pattern"
    try:
        pattern = re.compile(naming.pattern)
    except re.error as error:
        raise ConfigError(
            f"not a regular expression ({error})", where=where, remedy="test it in Python"
        ) from None
    groups = set(pattern.groupindex)
    if "start" not in groups or not groups <= _GROUPS:
        raise ConfigError(
            f"its named groups are {', '.join(sorted(groups)) or 'none'}",
            where=where,
            remedy=f"name `start` and any of {', '.join(sorted(_GROUPS - {'start'}))}",
        )
    return pattern


def parse_name(url: str, naming: Naming) -> Named | None:
    """What the name says, or None when the file is no scene by its name.

    Raises:
        SceneUnknown: it looks like a scene, but of an unknown sensor, time or polarisation, or of
            the second image of a pair.
        ConfigError: the user's pattern is wrong.
    """
    pattern = compile_pattern(naming)
    if pattern is None:
        return _authors_name(url)
    match = pattern.search(url)
    if match is None:
        return None
    found = {name: text for name, text in match.groupdict().items() if text}
    sensor = found.get("sensor") or naming.sensor
    if sensor is None or "start" not in found:
        raise SceneUnknown(
            "its name does not tell sensor and start",
            where=url,
            remedy="extend ingest.naming.pattern or set ingest.naming.sensor",
        )
    direction, channel = found.get("pass_direction"), found.get("polarisation")
    start, stem = parse_time(found["start"], where=url), _stem_without(url, match, "polarisation")
    if match.start("start") <= url.rfind("/"):  # files of all dates may be called alike
        stem = f"{sensor}_{start:%Y%m%dT%H%M%S}_{stem}"
    return Named(
        id=found.get("id") or stem,
        sensor=sensor,
        start=start,
        stop=parse_time(found["stop"], where=url) if "stop" in found else None,
        beam=found.get("beam"),
        pass_direction=parse_direction(direction, where=url) if direction else None,
        polarisation=parse_polarisations(channel, where=url)[0] if channel else None,
        rest=f"{plain_words(_beside(url, match))} {file_words(url.rpartition('/')[2])}",
    )


def _authors_name(url: str) -> Named | None:
    match = _PRODUCT.search(url.rsplit("/", 1)[-1])
    if match is None:
        return None
    if match["sensor"] not in X_BAND_SENSORS:
        raise SceneUnknown(
            f"unknown sensor `{match['sensor']}`",
            where=url,
            remedy=f"known: {', '.join(X_BAND_SENSORS)}; others need ingest.naming.pattern",
        )
    if is_later_component(match["id"]):
        raise SceneUnknown(
            "it is of the second image of a TanDEM-X pair, whose geometry is not its own",
            where=url,
            remedy="take the first, which transmits (BTX1)",
        )
    rest = match.string[: match.start()] + match.string[match.end() :]
    return Named(
        id=match["id"],
        sensor=match["sensor"],
        start=parse_time(match["start"], where=url),
        stop=parse_time(match["stop"], where=url),
        polarisation=_one_polarisation(rest),
        rest=rest,
    )


def _beside(url: str, match: re.Match[str]) -> str:
    """What a file's name has beside the groups of the user's pattern."""
    name_at, text = url.rfind("/") + 1, list(url)
    for group in match.re.groupindex:
        first, end = match.span(group)
        text[max(first, 0) : max(end, 0)] = " " * (end - first)
    return "".join(text[name_at:])


def _one_polarisation(text: str) -> str | None:
    """The polarisation in what a name has beside the product's, if it is one."""
    found = {part for part in re.split(r"[^A-Z]+", text.upper()) if part in POLARISATIONS}
    return found.pop() if len(found) == 1 else None


def _stem_without(url: str, match: re.Match[str], group: str) -> str:
    """The file's stem without the text of a group, so that channels of one product share it."""
    name_at = url.rfind("/") + 1
    if group in match.re.groupindex and match.start(group) >= name_at:
        url = url[: match.start(group)] + url[match.end(group) :]
    return PurePosixPath(url).stem.strip("_-. ")
