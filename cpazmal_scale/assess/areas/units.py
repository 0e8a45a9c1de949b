"""Reference units of an area estimate: points to be interpreted, and what was seen at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError, StoreError
from cpazmal_scale.grid.vectors import read_vectors
from cpazmal_scale.words import per_cent

if TYPE_CHECKING:
    import geopandas
    from numpy.typing import NDArray
    from rasterio.transform import Affine

UNKNOWN = "unknown"
"""The answer where nobody can tell the class."""


def place_units(
    drawn: NDArray[np.int64], transform: Affine, crs: str, map_id: str, seed: int
) -> geopandas.GeoDataFrame:
    """Pixel centres to interpret, in an order that tells nothing of the map's class.

    Args:
        drawn: (n, 3) row, column and class, as `sampling.draw` returns them.
        transform: of the map's grid.
        crs: of the map.
        map_id: the map they were drawn from.
        seed: of the order.

    Returns:
        Columns `unit` from 1 to `units`, `row`, `column`, `map` and `reference`, which is empty:
        the interpreter of the place writes the class there without knowing the map's.
    """
    import geopandas

    order = np.random.default_rng(seed).permutation(len(drawn))
    rows, columns = drawn[order, 0], drawn[order, 1]
    x, y = transform @ (columns + 0.5, rows + 0.5)
    return geopandas.GeoDataFrame(
        {
            "unit": np.arange(1, len(drawn) + 1),
            "units": len(drawn),
            "row": rows,
            "column": columns,
            "map": map_id,
            "reference": "",
        },
        geometry=geopandas.points_from_xy(x, y),
        crs=crs,
    )


def read_units(url: str, map_id: str) -> geopandas.GeoDataFrame:
    """Interpreted points, every one with its `reference`, which may be `unknown`.

    Raises:
        SampleError: columns are missing, a unit was not interpreted or is there twice, or the
            points were drawn from another map.
    """
    table = read_vectors(url)
    absent = [name for name in ("row", "column", "map", "reference") if name not in table]
    if absent:
        raise SampleError(
            f"no column {', '.join(absent)}", where=url, remedy="draw units with `areas design`"
        )
    others = sorted({str(name) for name in table["map"]} - {map_id})
    if others:
        raise SampleError(
            f"its units were drawn from map {others[0]}, not {map_id}",
            where=url,
            remedy="name that map, or draw units from this one",
        )
    for names in (["row", "column"], ["unit"]):
        repeated = _repeated(table, names)
        if repeated is not None:
            raise SampleError(
                f"{repeated} is there twice, and would count twice",
                where=url,
                remedy="keep one of them: every unit was drawn once",
            )
    seen = table["reference"].fillna("").astype(str).str.strip()
    if (seen == "").any():
        raise SampleError(
            f"{int((seen == '').sum())} of {len(table)} units "
            f"({per_cent(float((seen == '').mean()))}) have no reference class",
            where=url,
            remedy=f"fill the column `reference`, with `{UNKNOWN}` where nobody can tell",
        )
    return table.assign(reference=seen.where(seen.str.lower() != UNKNOWN, UNKNOWN))


def _repeated(table: geopandas.GeoDataFrame, names: list[str]) -> str | None:
    """The first row whose values of some columns an earlier one has; none, or no such column."""
    if not set(names) <= set(table):
        return None
    known = table[names].dropna()
    again = known[known.duplicated()]
    if not len(again):
        return None
    return "the unit of " + ", ".join(f"{name} {again[name].iloc[0]}" for name in names)


def drawn_in_all(table: geopandas.GeoDataFrame) -> int:
    """How many units a design had, also where rows of its file were removed since."""
    import pandas as pd

    numbers = [len(table)]
    for name in ("units", "unit"):
        if name in table:
            column = pd.to_numeric(table[name], errors="coerce").max()
            numbers.append(0 if np.isnan(column) else int(column))
    return max(numbers)


def write_units(table: geopandas.GeoDataFrame, url: str) -> str:
    """Write points as a GeoPackage; returns the address.

    Raises:
        StoreError: something is there already: interpreted units are not overwritten.
    """
    if storage.exists(url):
        raise StoreError(
            "something is there already", where=url, remedy="give another name, or remove it"
        )
    with storage.local_scratch() as folder:
        path = folder / "units.gpkg"
        table.to_file(path, driver="GPKG", layer="units")
        storage.upload(path, url)
    return url


def count_units(
    mapped: Sequence[str], reference: Sequence[str], classes: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Units by map class (rows) and reference class (columns).

    Reference classes that the map does not know come after its own, as rows without units.

    Returns:
        The class codes (C) and (C, C) counts.
    """
    every = (*classes, *sorted(set(reference) - set(classes)))
    counts = np.zeros((len(every), len(every)), np.int64)
    place = {name: i for i, name in enumerate(every)}
    for here, there in zip(mapped, reference, strict=True):
        counts[place[here], place[there]] += 1
    return every, counts
