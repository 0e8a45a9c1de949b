"""What the columns of labelled polygons say of their classes: name, colour, order, glacier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpazmal_scale.errors import ConfigError
from cpazmal_scale.legend import checked

if TYPE_CHECKING:
    import geopandas
    import pandas as pd

    from cpazmal_scale.config import ClassStyle

_COLUMNS = {
    "name": ("class_name", "name"),
    "colour": ("colour", "color"),
    "order": ("order",),
    "glacier": ("glacier", "is_glacier"),
}
_YES = frozenset(("true", "yes", "y", "1", "1.0", "oui", "vrai", "ja", "wahr", "si", "sì", "vero"))
_NO = frozenset(("false", "no", "n", "0", "0.0", "non", "faux", "nein", "falsch", "falso"))


def styles_of(polygons: geopandas.GeoDataFrame, where: object) -> dict[str, ClassStyle]:
    """Styles of all classes of a table of polygons with a column `class`.

    Columns are found whatever their case; a cell may be empty, and one polygon of a class is
    enough. A column `name` counts if all polygons of a class share a name of their own: else it
    names polygons. A column `glacier` without any yes or no names glaciers.

    Raises:
        ConfigError: polygons of a class disagree, a value cannot be understood, or two classes have
            one colour.
    """
    here = {str(column).lower(): column for column in polygons.columns}
    rows: dict[str, dict[str, Any]] = {}
    for field, names in _COLUMNS.items():
        column = next((here[name] for name in names if name in here), None)
        if column is None:
            continue
        filled = polygons[["class", column]].dropna()
        texts = filled[column].astype(str).str.strip()
        seen = texts[texts != ""].groupby(filled["class"]).unique()
        if field == "name" and column != here.get("class_name") and not _names_classes(seen):
            continue
        if field == "glacier" and not any(t.lower() in _YES | _NO for ts in seen for t in ts):
            continue
        for code, values in seen.items():
            rows.setdefault(str(code), {})[field] = _value(field, str(code), list(values), where)
    return checked(rows, where=where)


def _names_classes(seen: pd.Series[Any]) -> bool:
    """Whether every class has one name, and no two the same."""
    names = [values[0] for values in seen]
    return all(len(values) == 1 for values in seen) and len(set(names)) == len(names)


def _value(field: str, code: str, values: list[str], where: object) -> Any:
    """One value for a class, as its column means it."""
    if field == "glacier":
        flags = {True if v.lower() in _YES else False if v.lower() in _NO else v for v in values}
        values = sorted(map(str, flags))
        found: Any = next(iter(flags))
        if isinstance(found, str) and len(flags) == 1:
            raise ConfigError(
                f"glacier of class {code}: {found!r} is neither yes nor no",
                where=where,
                remedy="write yes or no in the column `glacier`",
            )
    else:
        found = values[0]
    if len(values) > 1:
        raise ConfigError(
            f"polygons of class {code} disagree on its {field}: {', '.join(values[:3])}",
            where=where,
            remedy=f"give all of them one {field}, or fill it for one only",
        )
    return found
