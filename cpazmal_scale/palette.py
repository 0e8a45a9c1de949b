"""One colour per class code, the same in every map and figure, told apart by colour-blind eyes."""

from __future__ import annotations

from collections.abc import Iterable

_KNOWN = {
    "ABL": "#0f6cb4",
    "ACC": "#a5dcf5",
    "HAG": "#f2a01c",
    "ICA": "#b5305f",
    "FOR": "#7f9c86",
    "CIT": "#c4c4c4",
    "LAC": "#5d6380",
    "ROC": "#a6978c",
    "PLA": "#d6d4b4",
}
"""Glacier classes in colour; the others muted, so that a map of everything still shows the ice."""

_OTHERS = (
    "#332288", "#88ccee", "#ddcc77", "#cc6677", "#117733", "#aa4499", "#44aa99", "#999933",
    "#882255", "#6699cc", "#ee8866", "#bbcc33", "#99ddff", "#ffaabb", "#225555", "#aaaa00",
)  # fmt: skip
"""Paul Tol's muted and light schemes, dark and bright in turn."""

REJECTED = "#d9d4c7"
"""Pixels too far from every class."""
NO_DATA = "#2b2f36"
"""Background of figures where the map holds no data."""


def colours(classes: Iterable[str]) -> dict[str, str]:
    """Hexadecimal colour of every class code.

    The codes of the CPAZMAL dataset have fixed colours; others, such as the `C1 … Cn` of an
    unsupervised map, get theirs by their position among the unknown ones. On a map of change, whose
    codes are `a` and `a-b` for all pairs, what stayed is pale.
    """
    codes = tuple(classes)
    found, unknown = {}, 0
    for code in codes:
        if code in _KNOWN:
            found[code] = _KNOWN[code]
        else:
            found[code] = _OTHERS[unknown % len(_OTHERS)]
            unknown += 1
    if shows_change(codes):
        found |= {code: _pale(found[code]) for code in codes if "-" not in code}
    return found


def shows_change(classes: Iterable[str]) -> bool:
    """Whether these are the codes of a map of change: `a` and `a-b` for all pairs of classes."""
    codes = set(classes)
    alone = [code for code in codes if "-" not in code]
    return len(alone) > 1 and codes == {a if a == b else f"{a}-{b}" for a in alone for b in alone}


def _pale(colour: str) -> str:
    """One part of the colour in four parts of white."""
    return "#" + "".join(f"{255 - (255 - part) // 4:02x}" for part in rgb(colour))


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`, 0–255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
