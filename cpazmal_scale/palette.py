"""One colour per class code, the same in every map and figure, told apart by colour-blind eyes."""

from __future__ import annotations

import colorsys
import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from cpazmal_scale.surfaces import kind_of

_KNOWN = {
    "ABL": "#0f6cb4",
    "ACC": "#a5dcf5",
    "HAG": "#f2a01c",
    "ICA": "#b5305f",
    "FOR": "#9bad76",
    "CIT": "#f3f3f3",
    "LAC": "#7e86a9",
    "ROC": "#a6978c",
    "PLA": "#d6d4b4",
    "GLA": "#3f90d0",
    "SER": "#7138c2",
    "DCG": "#55463f",
    "SNO": "#dce8ef",
    "DEB": "#8a6f5c",
    "MEA": "#b5c290",
    "VEG": "#93b083",
    "SHR": "#98a46c",
    "WET": "#7c999d",
    "CRO": "#d3c27a",
    "SOI": "#c8b190",
    "RIV": "#5d6380",
}
"""Glacier classes in colour; the others muted, so that a map of everything still shows the ice."""

_OTHERS = (
    "#332288", "#88ccee", "#ddcc77", "#cc6677", "#117733", "#aa4499", "#44aa99", "#999933",
    "#882255", "#6699cc", "#ee8866", "#bbcc33", "#99ddff", "#ffaabb", "#225555", "#aaaa00",
)  # fmt: skip
"""Paul Tol's muted and light schemes, dark and bright in turn."""

STAYED, LOSS, GAIN = "stayed", "loss of glacier", "gain of glacier"
WITHIN, BESIDE = "within glacier", "other change"
_HUES = {LOSS: (345, 380), GAIN: (205, 240), WITHIN: (265, 315), BESIDE: (70, 110)}
"""Degrees of the colours of each kind of change, red, blue, violet and green."""
_SHADES = {
    LOSS: (0.36, 0.42, 0.48),
    GAIN: (0.30, 0.36, 0.42),
    WITHIN: (0.66, 0.71, 0.76),
    BESIDE: (0.55, 0.62, 0.69),
}
"""Lightness: what is red or blue is dark and what is green or violet light, so that those who see
no red or no green tell the kinds apart."""
_LIGHT = (0.38, 0.52, 0.66)
"""Lightness where there is one kind of change alone."""
_JOINS = ("-", "->")
"""Between the classes of a transition; the second where the first leaves two names alike."""

REJECTED = "#d9d4c7"
"""Pixels too far from every class."""
NO_DATA = "#2b2f36"
"""Background of figures where the map holds no data."""


def colours(classes: Iterable[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Hexadecimal colour of every class code.

    A class has the colour that is given for it, or else that of the surface its name says in one of
    four languages; others, such as the `C1 … Cn` of an unsupervised map, get theirs by their
    position among the unknown ones. No two classes share one before all are used.

    Args:
        classes: codes, in the map's order.
        given: colours `#rrggbb` of some of them.
    """
    codes, chosen = tuple(classes), dict(given or {})
    taken = {chosen[code] for code in codes if code in chosen}
    found, unknown = {}, 0
    for code in codes:
        colour = chosen.get(code) or _KNOWN.get(kind_of(code) or "")
        if code not in chosen and (colour is None or colour in taken):
            free = [c for c in _OTHERS if c not in taken] or _OTHERS
            colour = _OTHERS[unknown % len(_OTHERS)]
            colour = colour if colour in free else free[0]
            unknown += 1
        found[code] = colour or NO_DATA
        taken.add(found[code])
    return found


def transitions(classes: Sequence[str]) -> tuple[str, ...]:
    """Codes of a map of change: `a` where class a stayed, `a-b` where b followed it; b runs faster.

    Two names that hyphens make alike, such as `snow-ice` of a class and of a change, have `->`.

    Raises:
        ValueError: that does not tell them apart.
    """
    for join in _JOINS:
        codes = _paired(classes, join)
        if len(set(codes)) == len(codes):
            return codes
    raise ValueError("two changes between these classes have one name")


def sides(codes: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The classes before and after of every code of a map of change; empty for other maps.

    They follow from the order of the codes, whatever the names contain.
    """
    count = math.isqrt(len(codes))
    classes = tuple(codes[:: count + 1])
    if count < 2 or not any(tuple(codes) == _paired(classes, join) for join in _JOINS):
        return {}
    return dict(zip(codes, itertools.product(classes, classes), strict=True))


def _paired(classes: Sequence[str], join: str) -> tuple[str, ...]:
    return tuple(a if a == b else f"{a}{join}{b}" for a in classes for b in classes)


def transition(before: str, after: str, glacier: Collection[str]) -> str:
    """The kind of a change between two codes: stayed, loss, gain, within glacier, or other."""
    if before == after:
        return STAYED
    kinds = {(True, False): LOSS, (False, True): GAIN, (True, True): WITHIN}
    return kinds.get((before in glacier, after in glacier), BESIDE)


def change_colours(
    changes: Mapping[str, tuple[str, str]], classes: Mapping[str, str], glacier: Collection[str]
) -> dict[str, str]:
    """Hexadecimal colour of every code of a map of change.

    What stayed is a pale tone of its class, and every transition has a colour of its own among
    those of its kind: dark red is loss of glacier, dark blue gain, light violet change within the
    glacier, light green any other.

    Args:
        changes: the classes before and after of every code, as `sides` tells them.
        classes: colours of the classes.
        glacier: classes that are glacier.
    """
    kinds: dict[str, list[str]] = {}
    found = {}
    for code, (before, after) in changes.items():
        if before == after:
            found[code] = _pale(classes[before])
        else:
            kinds.setdefault(transition(before, after, glacier), []).append(code)
    for kind, members in kinds.items():
        first, last = _HUES[kind] if len(kinds) > 1 else (0, 330)
        shades = _SHADES[kind] if len(kinds) > 1 else _LIGHT
        for i, code in enumerate(members):
            hue = first + (last - first) * i / max(len(members) - 1, 1)
            light = shades[i % len(shades)]
            parts = colorsys.hls_to_rgb(hue % 360 / 360, light, 0.45 if kind == BESIDE else 0.7)
            found[code] = "#" + "".join(f"{round(255 * part):02x}" for part in parts)
    return found


def _pale(colour: str) -> str:
    """One part of the colour in four parts of white."""
    return "#" + "".join(f"{255 - (255 - part) // 4:02x}" for part in rgb(colour))


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`, 0–255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
