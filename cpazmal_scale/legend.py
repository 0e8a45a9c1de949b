"""The legend of a model or map: names, colours, order and glacier, by class."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cpazmal_scale.config import ClassStyle
from cpazmal_scale.config.legend import shared_colour
from cpazmal_scale.errors import ConfigError, SampleError
from cpazmal_scale.palette import change_colours, colours, sides
from cpazmal_scale.surfaces import GLACIER as GLACIER_SURFACES
from cpazmal_scale.surfaces import kind_of
from cpazmal_scale.vocabulary import CLASS_NAMES, GLACIER, OTHER

Styles = Mapping[str, ClassStyle]
"""What a user said of classes, by their codes."""


@dataclass(frozen=True)
class Legend:
    """What classes are called, how they are drawn, and which of them are glacier.

    `classes` are in the order of the map's values, from 1; `order` is that of legends. `names` has
    an entry for every class that has a name beside its code, `colours` (`#rrggbb`) for every class.
    `given` is what the user said, which is stored. `changes` has the classes before and after of
    every code of a map of change, and is empty for other maps.
    """

    classes: tuple[str, ...]
    order: tuple[str, ...]
    names: Mapping[str, str]
    colours: Mapping[str, str]
    glacier: frozenset[str]
    given: Styles
    changes: Mapping[str, tuple[str, str]]

    @property
    def subject(self) -> str:
        """What a map of these classes shows, as pictures, pages and reports are titled."""
        if self.changes:
            return "Change of surface classes"
        return "Glacier surface classes" if set(self.classes) <= self.glacier else "Surface classes"

    def name(self, code: str) -> str:
        """The name of a class, or its code where it has none."""
        return self.names.get(code, code)

    def label(self, code: str) -> str:
        """Code and name."""
        name = self.names.get(code, "")
        return code if name in ("", code) else f"{code} {name}"

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Codes of glacier and other classes in the order of legends; empty if one is missing."""
        ice = tuple(code for code in self.order if code in self.glacier)
        rest = tuple(code for code in self.order if code not in self.glacier)
        return {GLACIER: ice, OTHER: rest} if ice and rest else {}

    def text(self) -> str:
        """What the user said, as JSON."""
        return json.dumps(plain(self.given), ensure_ascii=False, sort_keys=True)

    def with_classes(self, classes: Iterable[str]) -> Legend:
        """The same styles for other classes."""
        return legend(classes, self.given)


def legend(classes: Iterable[str], given: Styles | None = None) -> Legend:
    """The legend of some classes; what is not given follows from what their codes mean.

    Args:
        classes: codes in the order of the map's values.
        given: what the user said of some of them; other codes in it have no effect.
    """
    codes, said = tuple(classes), dict(given or {})
    styles = {code: said.get(code, ClassStyle()) for code in codes}
    names = {code: style.name or _usual_name(code) for code, style in styles.items()}
    changes = sides(codes)
    alone = tuple(code for code in codes if code not in changes or len(set(changes[code])) == 1)
    meant = {code: _meant(code, styles[code]) for code in alone}
    own = {code: style.colour for code, style in styles.items() if style.colour}
    usual = colours(meant.values(), {meant[c]: own[c] for c in alone if c in own})
    drawn = {code: usual[word] for code, word in meant.items()}
    ice = frozenset(code for code in codes if _is_glacier(meant.get(code), styles[code]))
    if changes:
        of_changes = {code: colour for code, colour in own.items() if code not in meant}
        drawn = change_colours(changes, drawn, ice) | of_changes
    return Legend(
        classes=codes,
        order=tuple(sorted(codes, key=lambda code: _place(styles[code]))),
        names={code: name for code, name in names.items() if name},
        colours=drawn,
        glacier=ice,
        given={code: style for code, style in said.items() if style != ClassStyle()},
        changes=changes,
    )


def _meant(code: str, style: ClassStyle) -> str:
    """The word that says a class's surface: its code, or else its name."""
    return code if style.name is None or kind_of(code) else f"{style.name} ({code})"


def _usual_name(code: str) -> str:
    return CLASS_NAMES.get(code.upper(), "")


def _place(style: ClassStyle) -> float:
    return float("inf") if style.order is None else style.order


def _is_glacier(word: str | None, style: ClassStyle) -> bool:
    """What is said of a class, or what its word means; pixels that changed are of no class."""
    if style.glacier is not None:
        return style.glacier
    return word is not None and kind_of(word) in GLACIER_SURFACES


def plain(styles: Styles) -> dict[str, dict[str, Any]]:
    """Styles as plain JSON values."""
    return {code: style.model_dump(exclude_none=True) for code, style in styles.items()}


def parsed(values: Mapping[str, Any] | str | None) -> dict[str, ClassStyle]:
    """Styles out of what `plain` or `Legend.text` made; nothing is none.

    Raises:
        ValueError: they are not such values.
    """
    read = json.loads(values) if isinstance(values, str) else values
    return {str(code): ClassStyle.model_validate(style) for code, style in (read or {}).items()}


def merged(beneath: Styles, above: Styles) -> dict[str, ClassStyle]:
    """Two sets of styles; what the one above says of a class replaces the other's word by word.

    A colour that the one above takes is free of its former class.
    """
    both = plain(beneath)
    own = {style.colour for style in above.values() if style.colour}
    for values in both.values():
        if values.get("colour") in own:
            del values["colour"]
    for code, values in plain(above).items():
        both[code] = {**both.get(code, {}), **values}
    return parsed(both)


def checked(rows: Mapping[str, Mapping[str, Any]], *, where: object) -> dict[str, ClassStyle]:
    """Styles out of a user's values.

    Raises:
        ConfigError: a colour is none, or two classes have one.
    """
    styles = {}
    for code, values in rows.items():
        try:
            styles[code] = ClassStyle.model_validate(dict(values))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise ConfigError(
                f"{field} of class {code}: {first['msg'].removeprefix('Value error, ')}",
                where=where,
                remedy=f"correct the column `{field}`",
            ) from None
    shared = shared_colour(styles)
    if shared is not None:
        raise ConfigError(shared, where=where, remedy="give each class a colour of its own")
    return styles


def spelt_as(answers: Iterable[str], classes: Iterable[str]) -> list[str]:
    """Names in the spelling of the classes that they differ from by capitals and blanks alone.

    Others keep the spelling that they have first. Classes that differ by capitals alone are told
    apart by them.
    """
    known = tuple(classes)
    spelling: dict[str, str] = {}
    for code in known:
        spelling.setdefault(_folded(code), code)
    return [
        answer if answer in known else spelling.setdefault(_folded(answer), answer.strip())
        for answer in answers
    ]


def answered(name: str, classes: Iterable[str]) -> tuple[str, str]:
    """The classes before and after that somebody names on a map of change, in its spelling.

    `a` and `a-a` stayed, `a-b` changed. They may be others than the map's `classes`; of several
    hyphens that one parts them which leaves most of these.
    """
    known = tuple(classes)
    ways = [(name[:at], name[at + 1 :]) for at, sign in enumerate(name) if sign == "-"]
    spelt = [spelt_as(way, known) for way in (*ways, (name, name))]
    before, after = max(spelt, key=lambda way: sum(one in known for one in way))
    return before, after


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def require_one_spelling(classes: Iterable[str], *, where: object) -> None:
    """Check that no two classes differ in capitals or blanks alone.

    Raises:
        SampleError: two do.
    """
    spelt: dict[str, str] = {}
    for code in sorted(set(classes)):
        other = spelt.setdefault(_folded(code), code)
        if other != code:
            raise SampleError(
                f"classes {other} and {code} differ in capitals or blanks alone",
                where=where,
                remedy="write the class in one way",
            )


def require_known(styles: Styles, classes: Iterable[str], *, where: object) -> None:
    """Check that a legend speaks of classes that are there.

    Raises:
        ConfigError: it speaks of another one.
    """
    known = sorted(set(classes))
    for code in styles:
        if code not in known:
            raise ConfigError(
                f"the legend has a class {code} that is not there",
                where=where,
                remedy=f"choose among {', '.join(known)}",
            )
