"""What metadata items mean by their names and values, however programs spell them.

A name is compared by its small letters and digits alone; most say what they are in a few words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Literal

from cpazmal_scale.scenes.band_names import is_definitely_other, says_other_day
from cpazmal_scale.scenes.spellings import X_BAND_SENSORS, direction_in, looks_right, side_in
from cpazmal_scale.vocabulary import POLARISATIONS

_OF_VALUES = r"(?:radiometric|linear|data|dn|values?|band|pixel|raster|cf|re)?"
FACTOR = re.compile(
    rf"{_OF_VALUES}(?:scale|scaling)(?:factor|gain|value)?(?:linear)?|{_OF_VALUES}gain|slope|"
    rf"multiplier|rescaling(?:factor|gain)|{_OF_VALUES}multiplicativefactor"
)
OFFSET = re.compile(rf"(?:add|scale)?{_OF_VALUES}(?:scaling)?offset|bias|intercept")
FILL = re.compile(
    r"(?:fill|missing|null|nodata|nan|invalid|background|void)(?:values?|data|val|pixels?)?|maskvalue"
)
_RANGE = re.compile(r"(?:actual)?validrange|rangevalid|validlimits")
_LOWEST = re.compile(r"valid(?:min|minimum)(?:value)?|(?:min|minimum)valid(?:value)?")
_HIGHEST = re.compile(r"valid(?:max|maximum)(?:value)?|(?:max|maximum)valid(?:value)?")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?f?"
_ENDS = re.compile(
    rf"[\[({{]?\s*({_NUMBER})\s*(?:[,;/:\s]|to|\.\.\.?|bis|à)+\s*({_NUMBER})\s*[\])}}]?"
)
_PASS = re.compile(r".*(?:pass|orbit|direction|heading|flight|track).*")
_DIRECTION = re.compile(
    r"(?:orbit|flight)?(?:pass)?(?:direction)|(?:sat)?orbit(?:pass|state)?|pass"
)
"""Names under which one letter is a direction."""
_SIDE = re.compile(r".*(?:look|antenna|pointing|side).*")
_SENSOR = re.compile(r"(?:sensor|satellite|mission|platform|spacecraft)(?:name|id|identifier)?")
_ACQUIRED = re.compile(
    r".*(?:acqui|sensing|zerodoppler|firstline|timecoveragestart|dateobs).*|"
    r"(?:scene|image|pass|overpass|observation)(?:date|time)|start(?:date)?time(?:utc)?"
)
_MADE = re.compile(
    r".*(?:process|produc|creat|generat|publi|updat|stop|end|last|reference|master).*"
)
_FAMILIES: tuple[tuple[str, frozenset[str]], ...] = (
    (r"paz.*", frozenset({"PAZ1"})),
    (r"td[xm].*|tandem.*", frozenset({"TDX1"})),
    (r"tsx.*|terrasar.*", frozenset({"TSX1", "TDX1"})),
    (r"s(?:entinel)?1.*", frozenset()),
)
_POLARISATION = re.compile(r"([hv])[ /+_,-]{0,2}([hv])", re.IGNORECASE)


def number(text: str) -> float | None:
    """A number, also of lists of one such as `{0.5}`; NaN and what is none are None."""
    try:
        value = float(text.strip(" {}[]").removesuffix("f"))
    except ValueError:
        return None
    return None if math.isnan(value) else value


def numbers(name: re.Pattern[str], *told: Mapping[str, str]) -> list[float]:
    """Numbers of items with such a name, of the band before those of the whole raster."""
    found = (number(text) for items in told for text in _texts(name, items))
    return [value for value in found if value is not None]


def first_but(neutral: float, values: list[float]) -> float | None:
    """The first that changes something, else what there is, if anything."""
    return next((value for value in values if value != neutral), values[0] if values else None)


def valid_range(*told: Mapping[str, str]) -> tuple[float, float]:
    """Stored numbers that are data, from and to: infinite where nothing says so."""
    for items in told:
        for text in _texts(_RANGE, items):
            ends = _ENDS.fullmatch(text.strip().lower())
            if ends is not None:
                low, high = (float(end.removesuffix("f")) for end in ends.groups())
                return low, high
    return (
        next(iter(numbers(_LOWEST, *told)), -math.inf),
        next(iter(numbers(_HIGHEST, *told)), math.inf),
    )


def polarisation(told: Mapping[str, str]) -> str:
    """The one polarisation that items hold as their whole value; empty: none, or several."""
    shapes = (_POLARISATION.fullmatch(text.strip()) for text in told.values())
    found = {"".join(shape.groups()).upper() for shape in shapes if shape is not None}
    return found.pop() if len(found) == 1 and found <= set(POLARISATIONS) else ""


def no_power(told: Mapping[str, str]) -> str:
    """What an item says that no backscatter is called, such as a coherence; empty: nothing."""
    return next((text for text in told.values() if is_definitely_other(text)), "")


def pass_direction(told: Mapping[str, str]) -> Literal["ASC", "DSC"] | None:
    """Flight direction by its name, or by what the value of an orbit's item can mean alone."""
    texts = [text for text in _texts(_PASS, told) if len(text.strip()) > 2]
    found = {direction_in(text) for text in (*texts, *_texts(_DIRECTION, told))} - {None}
    return found.pop() if len(found) == 1 else None


def look_side(told: Mapping[str, str]) -> Literal["R", "L"] | None:
    """Side the antenna looks to."""
    found = {side_in(text) for text in _texts(_SIDE, told)} - {None}
    return found.pop() if len(found) == 1 else None


def other_sensor(told: Mapping[str, str], sensor: str) -> str:
    """What an item calls a satellite that is not this sensor; empty: none does."""
    for text in _texts(_SENSOR, told):
        letters = _letters(text)
        for family, sensors in _FAMILIES:
            if re.fullmatch(family, letters):
                own = sensor in (sensors or {sensor if sensor.startswith("S1") else ""})
                known = sensor in X_BAND_SENSORS or looks_right(sensor)
                if known and not own:
                    return text
                break
    return ""


def other_day(told: Mapping[str, str], day: date) -> str:
    """When an item says that a raster was acquired, if on another day; empty: none does."""
    texts = (text for name, text in told.items() if _is(_ACQUIRED, name) and not _is(_MADE, name))
    return next((text for text in texts if says_other_day(text, day)), "")


def _texts(name: re.Pattern[str], told: Mapping[str, str]) -> Iterator[str]:
    return (text for key, text in told.items() if _is(name, key) and text.strip())


def _is(name: re.Pattern[str], key: str) -> bool:
    letters = _letters(key)
    return name.fullmatch(letters) is not None or (
        letters[-2:].upper() in POLARISATIONS and name.fullmatch(letters[:-2]) is not None
    )


def _letters(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())
