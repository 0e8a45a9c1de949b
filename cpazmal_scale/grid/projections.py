"""Whether this process knows coordinate systems: its environment may point PROJ elsewhere."""

from __future__ import annotations

import os

from cpazmal_scale.errors import ConfigError

_VARIABLES = ("PROJ_DATA", "PROJ_LIB")


def check_projections() -> None:
    """Find out at once, not after hours, whether a coordinate system can be looked up.

    Raises:
        ConfigError: it cannot; names the variable that points elsewhere.
    """
    given = [name for name in _VARIABLES if name in os.environ]
    if not given:
        return
    import rasterio
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        with rasterio.Env():  # GDAL's own words go to its log, not to the terminal
            CRS.from_epsg(4326).to_wkt()
    except CRSError:
        raise ConfigError(
            "PROJ finds no usable proj.db there, so that no coordinate system is known",
            where=f"{given[0]}={os.environ[given[0]]}",
            remedy=f"unset {' and '.join(given)}: the installed packages bring their own",
        ) from None
