"""Open a cube lazily, as xarray; every chunk is checked when it is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.cube.format import integrity, layout
from cpazmal_scale.cube.format.record import require_record, state
from cpazmal_scale.cube.read.zarr_store import CubeStore
from cpazmal_scale.errors import ConfigError, CpazmalError, CubeDamaged

if TYPE_CHECKING:
    import xarray as xr


def open_cube(
    url: str,
    *,
    start: date | str | None = None,
    end: date | str | None = None,
    months: Sequence[int] | None = None,
    dates: Sequence[date | str] | None = None,
) -> xr.Dataset:
    """A cube with its dates sorted, from `start` to `end` (whole days, inclusive).

    Of these, only those in some `months` (1 to 12) and on some days, `dates`, if given. Days are
    written 2020-01-31; a time of day is left out of account.

    Returns:
        Dataset with dimensions (time, y, x): one float32 variable of linear power per
        polarisation (NaN: no data) and `mask` (uint8 flags), as dask arrays in the chunks of the
        store; coordinates in memory; `.rio.crs` set. `attrs["state"]` names the content of the
        selected dates, whatever the order in which they were ingested.

    Raises:
        ConfigError: a day or month is none, or `start` lies after `end`.
        StoreMissing: no cube is there.
        CubeDamaged: it cannot be read as one. Computing from the arrays raises it too, when a
            chunk is lost or altered.
    """
    import rioxarray  # noqa: F401  # makes `.rio` available to the caller
    import xarray as xr

    within(np.empty(0, "datetime64[s]"), start, end, months, dates)
    record = require_record(url)
    try:
        # A store out of reach is no damage.
        with storage.one_sentence(url, "read"):
            cube: xr.Dataset = xr.open_zarr(
                CubeStore(record),
                consolidated=True,
                decode_coords="all",
                chunks=None,
            )
            chunk = int(cube.attrs["chunk"])
            cube = cube.assign_coords({name: _loaded(cube[name]) for name in cube.coords})
        chunks = {"time": 1, "y": chunk, "x": chunk}
        sizes = {name: {d: chunks[str(d)] for d in cube[name].dims} for name in cube}
        content_state(cube)
    except CpazmalError:
        raise
    except Exception as error:  # codecs and xarray raise many kinds
        raise CubeDamaged(
            f"it cannot be opened ({(str(error).splitlines() or [type(error).__name__])[0]})",
            where=url,
            remedy="run `cpazmal verify`, then restore or ingest again",
        ) from error
    for name, values in zip("yx", layout.axis_values(record.grid), strict=True):
        if not np.array_equal(cube[name].to_numpy(), values):
            raise CubeDamaged(
                f"the coordinate {name} is altered",
                where=storage.join(url, name),
                remedy="run `cpazmal verify --repair`, or restore it from a copy",
            )
    times = cube["time"].to_numpy()
    order = np.argsort(times, kind="stable")
    order = order[within(times[order], start, end, months, dates)]
    if not np.array_equal(order, np.arange(times.size)):
        cube = cube.isel(time=order)
    cube = cube.assign({name: cube[name].chunk(sizes[name]) for name in cube})
    cube.attrs.pop(integrity.NAME, None)
    cube.attrs["state"] = content_state(cube)
    return cube


def _loaded(coordinate: xr.DataArray) -> xr.DataArray:
    """A coordinate in memory, text as plain numpy strings."""
    if coordinate.dtype.kind == "T":
        return coordinate.copy(data=np.array(coordinate.to_numpy().tolist(), dtype=np.str_))
    return coordinate.load()


def content_state(cube: xr.Dataset) -> str:
    """Name of the content: dates, scenes, bytes, polarisations, grid and radiometry."""
    names = ("scene_id", "source_sha256", "polarisations")
    times = cube["time"].to_numpy().astype("datetime64[s]").astype(np.int64).tolist()
    rows = list(zip(times, *(cube[name].to_numpy().tolist() for name in names), strict=True))
    reference = cube["spatial_ref"].attrs
    shape = [cube.sizes["y"], cube.sizes["x"]]
    losses = [cube.attrs["losses"]] if cube.attrs.get("losses") else []
    rounded = [f"{cube.attrs['precision']} bits"] if "precision" in cube.attrs else []
    grid = (reference["crs_wkt"], reference["GeoTransform"], shape)
    return state(rows, *grid, cube.attrs["radiometry"], *losses, *rounded)


def within(
    times: np.ndarray[tuple[int], np.dtype[np.datetime64]],
    start: date | str | None = None,
    end: date | str | None = None,
    months: Sequence[int] | None = None,
    dates: Sequence[date | str] | None = None,
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which times lie in a period, in some months and on some days; none: no such condition.

    Raises:
        ConfigError: a day or month is none, or `start` lies after `end`.
    """
    chosen = np.ones(times.shape, np.bool_)
    first, last = (when if when is None else _day(when) for when in (start, end))
    if first is not None and last is not None and first > last:
        raise ConfigError(f"start {first} is after end {last}", remedy="exchange them")
    days = times.astype("datetime64[D]")  # nanoseconds end in 2262, and begin again in 1677
    if first is not None:
        chosen &= days >= first
    if last is not None:
        chosen &= days <= last
    if months is not None:
        wrong = [month for month in months if month not in range(1, 13)]
        if wrong:
            raise ConfigError(f"there is no month {wrong[0]}", remedy="write numbers from 1 to 12")
        chosen &= np.isin(times.astype("datetime64[M]").astype(np.int64) % 12 + 1, months)
    if dates is not None:
        chosen &= np.isin(days, [_day(one) for one in dates])
    return chosen


def _day(when: date | str) -> np.datetime64:
    """A day, of a text with a whole date."""
    try:
        return np.datetime64(datetime.fromisoformat(str(when)).date(), "D")
    except ValueError:
        raise ConfigError(f"{when} is no day", remedy="write the day as 2020-01-31") from None
