"""Reference units of an area estimate: points to be interpreted, and what was seen at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.assess.against.truth import open_raster
from cpazmal_scale.errors import SampleError, StoreError
from cpazmal_scale.grid.vectors import read_vectors

if TYPE_CHECKING:
    import geopandas
    from numpy.typing import NDArray
    from rasterio.transform import Affine


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
        Columns `unit` from 1, `row`, `column`, `map` and `reference`, which is empty: the
        interpreter of the place writes the class there without knowing the map's.
    """
    import geopandas

    order = np.random.default_rng(seed).permutation(len(drawn))
    rows, columns = drawn[order, 0], drawn[order, 1]
    x, y = transform * (columns + 0.5, rows + 0.5)
    return geopandas.GeoDataFrame(
        {
            "unit": np.arange(1, len(drawn) + 1),
            "row": rows,
            "column": columns,
            "map": map_id,
            "reference": "",
        },
        geometry=geopandas.points_from_xy(x, y),
        crs=crs,
    )


def label_units(table: geopandas.GeoDataFrame, raster_url: str) -> geopandas.GeoDataFrame:
    """The same points with the class of a reference raster, without those it does not label.

    Raises:
        SampleError: the raster labels none of them.
    """
    with open_raster(raster_url) as (source, names):
        places = table.to_crs(source.crs).geometry
        values = [int(v[0]) for v in source.sample(zip(places.x, places.y, strict=True), 1)]
    classes = np.array(["", *names])
    known = np.array([0 < value <= len(names) for value in values], np.bool_)
    if not known.any():
        raise SampleError(
            "it labels none of the units",
            where=raster_url,
            remedy="give a reference raster that covers the map",
        )
    found = table.assign(reference=classes[np.where(known, values, 0)])
    return found[known].reset_index(drop=True)


def read_units(url: str, map_id: str) -> geopandas.GeoDataFrame:
    """Interpreted points, every one with its `reference`.

    Raises:
        SampleError: columns are missing, a unit was not interpreted, or the points were drawn from
            another map.
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
    seen = table["reference"].fillna("").astype(str).str.strip()
    if (seen == "").any():
        raise SampleError(
            f"{int((seen == '').sum())} of {len(table)} units have no reference class",
            where=url,
            remedy="fill the column `reference`; delete units that nobody can tell",
        )
    return table.assign(reference=seen)


def write_units(table: geopandas.GeoDataFrame, url: str) -> str:
    """Write points as a GeoPackage; returns the address.

    Raises:
        StoreError: something is there already: interpreted units are not overwritten.
    """
    import tempfile
    from pathlib import Path

    if storage.exists(url):
        raise StoreError(
            "something is there already", where=url, remedy="give another name, or remove it"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "units.gpkg"
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
