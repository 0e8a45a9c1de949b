"""One colour per class code, the same in every map and figure, told apart by colour-blind eyes."""

from __future__ import annotations

import colorsys
from collections.abc import Collection, Iterable, Mapping

from cpazmal_scale.surfaces import GLACIER, kind_of

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
    "GLA": "#3f90d0",
    "SER": "#7b5cae",
    "DCG": "#7e8ea3",
    "SNO": "#dce8ef",
    "DEB": "#8a6f5c",
    "MEA": "#b5c290",
    "VEG": "#93b083",
    "SHR": "#98a46c",
    "WET": "#7c999d",
    "CRO": "#d3c27a",
    "SOI": "#c8b190",
    "RIV": "#7986a8",
}
"""Glacier classes in colour; the others muted, so that a map of everything still shows the ice."""

_OTHERS = (
    "#332288", "#88ccee", "#ddcc77", "#cc6677", "#117733", "#aa4499", "#44aa99", "#999933",
    "#882255", "#6699cc", "#ee8866", "#bbcc33", "#99ddff", "#ffaabb", "#225555", "#aaaa00",
)  # fmt: skip
"""Paul Tol's muted and light schemes, dark and bright in turn."""

STAYED, LOSS, GAIN = "stayed", "loss of glacier", "gain of glacier"
WITHIN, BESIDE = "within glacier", "other change"
_HUES = {LOSS: (345, 380), GAIN: (200, 240), WITHIN: (265, 315), BESIDE: (60, 150)}
"""Degrees of the colours of each kind of change, red, blue, violet and green."""
_LIGHT = (0.38, 0.52, 0.66)

REJECTED = "#d9d4c7"
"""Pixels too far from every class."""
NO_DATA = "#2b2f36"
"""Background of figures where the map holds no data."""


def colours(
    classes: Iterable[str],
    given: Mapping[str, str] | None = None,
    glacier: Collection[str] | None = None,
) -> dict[str, str]:
    """Hexadecimal colour of every class code.

    A class has the colour that is given for it, or else that of the surface its name says in one of
    four languages; others, such as the `C1 … Cn` of an unsupervised map, get theirs by their
    position among the unknown ones. No two classes share one before all are used. On a map of
    change, whose codes are `a` and `a-b` for all pairs, what stayed is pale, and every transition
    has a colour of its own among those of its kind: red is loss of glacier, blue gain, violet
    change within the glacier, green any other.

    Args:
        classes: codes, in the map's order.
        given: colours `#rrggbb` of some of them.
        glacier: codes that are glacier, for maps of change; none: by what they mean.
    """
    codes, chosen = tuple(classes), dict(given or {})
    change = shows_change(codes)
    if change:
        chosen = _of_change(codes, glacier) | chosen
    taken = {chosen[code] for code in codes if code in chosen}
    found, unknown = {}, 0
    for code in codes:
        kind = None if change and code not in _KNOWN else kind_of(code)
        colour = chosen.get(code) or _KNOWN.get(kind or "")
        if code not in chosen and (colour is None or colour in taken):
            free = [c for c in _OTHERS if c not in taken] or _OTHERS
            colour = _OTHERS[unknown % len(_OTHERS)]
            colour = colour if colour in free else free[0]
            unknown += 1
        found[code] = colour or NO_DATA
        taken.add(found[code])
    if change:
        found |= {code: _pale(found[code]) for code in codes if "-" not in code}
    return found


def shows_change(classes: Iterable[str]) -> bool:
    """Whether these are the codes of a map of change: `a` and `a-b` for all pairs of classes."""
    codes = set(classes)
    alone = [code for code in codes if "-" not in code]
    return len(alone) > 1 and codes == {a if a == b else f"{a}-{b}" for a in alone for b in alone}


def transition(code: str, glacier: Collection[str] | None = None) -> str:
    """The kind of a class of a map of change: stayed, loss, gain, within glacier, or other.

    Args:
        code: `a` or `a-b`.
        glacier: codes that are glacier; none: by what they mean.
    """
    before, _, after = code.partition("-")
    if not after:
        return STAYED
    ice = [
        kind_of(one) in GLACIER if glacier is None else one in glacier for one in (before, after)
    ]
    return {(True, False): LOSS, (False, True): GAIN, (True, True): WITHIN}.get(
        (ice[0], ice[1]), BESIDE
    )


def _of_change(codes: tuple[str, ...], glacier: Collection[str] | None) -> dict[str, str]:
    """Colours of transitions, by kind; of a single kind all hues."""
    kinds: dict[str, list[str]] = {}
    for code in codes:
        if "-" in code:
            kinds.setdefault(transition(code, glacier), []).append(code)
    found = {}
    for kind, members in kinds.items():
        first, last = _HUES[kind] if len(kinds) > 1 else (0, 330)
        for i, code in enumerate(members):
            hue = first + (last - first) * i / max(len(members) - 1, 1)
            light = _LIGHT[i % len(_LIGHT)]
            parts = colorsys.hls_to_rgb(hue % 360 / 360, light, 0.45 if kind == BESIDE else 0.7)
            found[code] = "#" + "".join(f"{round(255 * part):02x}" for part in parts)
    return found


def _pale(colour: str) -> str:
    """One part of the colour in four parts of white."""
    return "#" + "".join(f"{255 - (255 - part) // 4:02x}" for part in rgb(colour))


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`, 0–255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
