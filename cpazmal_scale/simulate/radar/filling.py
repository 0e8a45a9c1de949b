"""Whole documents of the provider's schemas, into which the values of a pass are put.

`product.xml` and `georef.xml` beside this module hold every element that the schemas ask for, once.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from xml.etree.ElementTree import Element, fromstring, indent, tostring

import numpy as np

from cpazmal_scale.simulate.radar.passes import View

Value = str | float | int | bool | datetime
_GPS = datetime(1980, 1, 6, tzinfo=UTC)
_LEAP_SECONDS = 18


def blank(name: str) -> Element:
    """The root of a document beside this module."""
    return fromstring(_read(name))  # noqa: S314 - a file of this package


@cache
def _read(name: str) -> str:
    return files("cpazmal_scale.simulate.radar").joinpath(name).read_text(encoding="utf-8")


def node(parent: Element, path: str) -> Element:
    """The first element at a path.

    Raises:
        KeyError: there is none: the table and the code do not fit.
    """
    found = parent.find(path)
    if found is None:
        raise KeyError(f"{parent.tag}/{path}")
    return found


def text(value: Value) -> str:
    """A value as the provider writes it."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    return str(int(value)) if isinstance(value, int | np.integer) else f"{float(value):.17E}"


def put(parent: Element, values: dict[str, Value]) -> None:
    """Set the text of elements that are there."""
    for path, value in values.items():
        node(parent, path).text = text(value)


def repeat(parent: Element, path: str, count: int) -> list[Element]:
    """Copies of an element that is there once, one after the other in its place."""
    way, _, name = path.rpartition("/")
    owner = node(parent, way) if way else parent
    first = node(owner, name)
    place = list(owner).index(first)
    made = [first, *(copy.deepcopy(first) for _ in range(count - 1))]
    for number, one in enumerate(made[1:], start=1):
        owner.insert(place + number, one)
    return made


def polynomial(
    parent: Element, view: View, reference: float, coefficients: tuple[float, ...]
) -> None:
    """Fill a polynomial of the two-way range time that holds over the whole image."""
    sensor = view.sensor
    values: dict[str, Value] = {
        "validityRangeMin": sensor.near,
        "validityRangeMax": sensor.near + (view.samples - 1) * sensor.sample_step,
        "referencePoint": reference,
        "polynomialDegree": len(coefficients) - 1,
    }
    put(parent, values)
    for power, one in enumerate(repeat(parent, "coefficient", len(coefficients))):
        one.set("exponent", str(power))
        one.text = text(coefficients[power])


def gps(when: datetime) -> tuple[int, float]:
    """Whole and remaining seconds of the GPS time."""
    return (when - _GPS) // timedelta(seconds=1) + _LEAP_SECONDS, when.microsecond / 1e6


def document(root: Element) -> bytes:
    """The bytes of a file."""
    indent(root)
    return bytes(tostring(root, encoding="UTF-8", xml_declaration=True))
