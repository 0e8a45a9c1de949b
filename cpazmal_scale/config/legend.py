"""The legend of a class: its name, colour, order and whether it counts as glacier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from cpazmal_scale.config.section import Label, Section

_HEX = re.compile(r"#?([0-9a-f]{6}|[0-9a-f]{3})", re.IGNORECASE)
_NUMBERS = re.compile(r"(?:rgb\()?\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(?:,\s*255\s*)?\)?")
_NAMES = {
    "black": "#000000", "silver": "#c0c0c0", "gray": "#808080", "grey": "#808080",
    "white": "#ffffff", "maroon": "#800000", "red": "#ff0000", "purple": "#800080",
    "fuchsia": "#ff00ff", "magenta": "#ff00ff", "green": "#008000", "lime": "#00ff00",
    "olive": "#808000", "yellow": "#ffff00", "navy": "#000080", "blue": "#0000ff",
    "teal": "#008080", "aqua": "#00ffff", "cyan": "#00ffff", "orange": "#ffa500",
    "brown": "#a52a2a", "pink": "#ffc0cb", "beige": "#f5f5dc",
}  # fmt: skip
"""Colours of HTML by their names."""


class ClassStyle(Section):
    """One class of the legend; what is not said has its usual value."""

    name: Label | None = Field(None, min_length=1)
    """What people call the class."""
    colour: str | None = None
    """Its colour: `#rrggbb`, `#rgb`, `red,green,blue` from 0 to 255, or an HTML name."""
    order: float | None = None
    """Its place in legends, small numbers first; none: after those that have one."""
    glacier: bool | None = None
    """Whether it counts as glacier; none: as its code or name says."""

    @field_validator("name", mode="before")
    @classmethod
    def _text(cls, name: Any) -> Any:
        return name.strip() if isinstance(name, str) else name

    @field_validator("colour")
    @classmethod
    def _colour(cls, colour: str | None) -> str | None:
        return None if colour is None else as_hex(colour)


def shared_colour(styles: Mapping[str, ClassStyle]) -> str | None:
    """What is wrong with classes that have one colour; none if nothing is."""
    seen: dict[str, str] = {}
    for code, style in styles.items():
        if style.colour is None:
            continue
        if style.colour in seen:
            return f"classes {seen[style.colour]} and {code} have one colour, {style.colour}"
        seen[style.colour] = code
    return None


def as_hex(colour: str) -> str:
    """A colour as `#rrggbb`, in small letters.

    Raises:
        ValueError: it is none.
    """
    text = colour.strip()
    if found := _HEX.fullmatch(text):
        digits = found[1] if len(found[1]) == 6 else "".join(2 * one for one in found[1])
        return f"#{digits.lower()}"
    if (found := _NUMBERS.fullmatch(text)) and max(map(int, found.groups())) <= 255:
        return "#" + "".join(f"{int(part):02x}" for part in found.groups())
    if text.lower() in _NAMES:
        return _NAMES[text.lower()]
    raise ValueError(f"{text!r} is not a colour; write #rrggbb, 31,120,180 or a name such as red")
