"""Vector files, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    import geopandas


def read_vectors(url: str) -> geopandas.GeoDataFrame:
    """All features of a GeoPackage, GeoJSON or (zipped) shapefile, on any fsspec URL.

    Raises:
        SampleError: not a vector file, or one without shapes or CRS.
        StoreMissing: nothing is there.
    """
    import geopandas

    with storage.open_local(url) as path:
        try:
            table = geopandas.read_file(path)
        except (RuntimeError, ValueError, OSError):
            raise SampleError(
                "not a vector file that can be read",
                where=url,
                remedy="give a GeoPackage, GeoJSON or zipped shapefile",
            ) from None
    if not isinstance(table, geopandas.GeoDataFrame):
        raise SampleError("holds no shapes", where=url, remedy="draw shapes and save them")
    if table.crs is None:
        raise SampleError("no CRS", where=url, remedy="save the file with its reference system")
    return table
