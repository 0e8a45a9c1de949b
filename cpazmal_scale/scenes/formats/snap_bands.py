"""What SNAP's documents say of a band: its no-data value, its scale, and what hides pixels of it.

The document is that of a BEAM-DIMAP product, or the same inside a GeoTIFF that SNAP has written.
"""

from __future__ import annotations

import math
import re

from cpazmal_scale.errors import SceneUnknown
from cpazmal_scale.scenes.untrusted.xml import Node

MAX_BANDS = 1000
FLATTENING = "Terrain-Flattening"
_NAME = r"'?(?P<name>\w+?)(?:\.raw)?'?"
_NO_DATA = tuple(
    re.compile(rf"{text}[\s)]*", re.I)
    for text in (
        rf"{_NAME}\s*(?:!=|>)\s*0(?:\.0*)?f?",
        rf"(?:!|not)\s*(?:nan|inf)\s*\(\s*{_NAME}\s*\)",
        rf"fneq\s*\(\s*{_NAME}\s*,\s*(?:0(?:\.0*)?f?|nan)\s*\)",
    )
)
"""Expressions of SNAP that hide what is no data anyway: zero, NaN and infinite values of a band."""


def described_bands(root: Node) -> list[Node]:
    """The descriptions of all bands, in their order."""
    return list(root.all("Image_Interpretation/Spectral_Band_Info"))[:MAX_BANDS]


def operators(root: Node) -> frozenset[str]:
    """SNAP's operators that have made the product; empty where its history is not kept."""
    return frozenset(one.text() for one in root.all(".//MDATTR[@name='operator']"))


def abstracted(root: Node) -> dict[str, str]:
    """SNAP's common metadata of every product, by attribute name."""
    element = root.maybe(".//MDElem[@name='Abstracted_Metadata']")
    if element is None:
        return {}
    return {one.attribute("name") or "": one.text() for one in element.all("MDATTR")}


def nodata(info: Node) -> float | None:
    """The no-data value of a band; none where it is not used, is NaN or infinite, which never are
    data, or not told: SNAP takes 0 then, which is none either.

    Raises:
        SceneUnreadable: it is no number.
    """
    text = info.text("NO_DATA_VALUE", "").strip()
    if not text or not info.flag("NO_DATA_VALUE_USED", False):
        return None
    try:
        value = float(text)
    except ValueError:
        return info.number("NO_DATA_VALUE")
    return value if math.isfinite(value) else None


def refuse_hidden(info: Node, name: str, url: str) -> None:
    """What the band's own expression hides is no data anyway.

    Raises:
        SceneUnknown: it hides something else.
    """
    term = info.text("VALID_MASK_TERM", "").strip()
    if all(_hides_nothing(one, name) for one in re.split(r"&&|\band\b", term)):
        return
    raise SceneUnknown(
        f"the expression `{term[:60]}` hides pixels of {name}",
        where=url,
        remedy="write it from SNAP with that expression converted to a no-data value",
    )


def _hides_nothing(term: str, name: str) -> bool:
    """Whether an expression is true of every pixel of a band that is data."""
    term = term.strip().lstrip("( ")
    matches = [one.fullmatch(term) for one in _NO_DATA]
    return term.lower() in ("", "true") or any(one and one["name"] == name for one in matches)


def refuse_scaled(info: Node, name: str, url: str) -> None:
    """The numbers of a band are its values.

    Raises:
        SceneUnknown: they are scaled.
    """
    factor, offset = info.number("SCALING_FACTOR", 1.0), info.number("SCALING_OFFSET", 0.0)
    if (factor, offset) != (1, 0) or info.flag("LOG10_SCALED", False):
        raise SceneUnknown(
            f"the values of {name} are scaled",
            where=url,
            remedy="write it from SNAP as 32-bit floating point",
        )
