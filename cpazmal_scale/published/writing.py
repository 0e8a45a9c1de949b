"""Write samples in the layout of the published dataset, so that its authors' loader opens them."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.config import MASK_BITS
from cpazmal_scale.errors import SampleError
from cpazmal_scale.published.chips import Chips, Group, Series
from cpazmal_scale.published.file import NODATA
from cpazmal_scale.published.repairs import NODATA_CODE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.progress import Progress


_GZIP = {"compression": "gzip", "compression_opts": 4}
_LAYOVER, _SHADOW = MASK_BITS["layover"], MASK_BITS["shadow"]
_NO_CODE = MASK_BITS["not_valid"] | MASK_BITS["no_dem"] | MASK_BITS["outside_swath"]


def write_published(
    chips: Chips, url: str, *, created: datetime | None = None, progress: Progress | None = None
) -> None:
    """Write all series of `chips` into one file, put in place in one step.

    Masks keep layover and shadow, by SNAP's codes; pixels that are not valid, without DEM or
    outside the swath become no-data; the layout has no code for noise-limited ones. The numbers
    of groups are those of groups; the statistics those of the backscatter.

    Args:
        chips: what to write.
        url: of the file, any fsspec URL.
        created: date the file carries; none: now.
        progress: called with series done and series in all.

    Raises:
        SampleError: there is nothing to write.
        StoreError: the address cannot be written.
    """
    import h5py

    if not chips.series:
        raise SampleError(
            "no group has a chip to write", where=url, remedy="check polygons and classes"
        )
    with storage.local_scratch() as folder:
        path = folder / "dataset.hdf5"
        with h5py.File(path, "w", libver=("v108", "v108")) as file:
            data = file.create_group("data")
            for done, series in enumerate(chips.series, 1):
                _write_series(data, chips, series)
                if progress is not None:
                    progress(done, len(chips.series))
            _write_index(file, chips, created or datetime.now(UTC))
        storage.upload(path, url)


def _write_series(data: Any, chips: Chips, series: Series) -> None:
    """One series, date by date; only one date is in memory."""
    group = chips.groups[series.group]
    if series.group not in data:
        _describe(data.create_group(series.group), group)
    orbits = data[series.group]
    if series.orbit not in orbits:
        orbits.create_group(series.orbit).attrs["orbit"] = (
            "ascending" if series.orbit == "ASC" else "descending"
        )
    owner = orbits[series.orbit].create_group(series.polarisation)
    shape = (*series.shape, len(series.dates))
    chunks = (*series.shape, 1)
    images = owner.create_dataset("images", shape, np.float32, chunks=chunks, **_GZIP)
    masks = owner.create_dataset("masks", shape, np.int8, chunks=chunks, **_GZIP)
    totals = _Statistics()
    for date in range(len(series.dates)):
        power, mask = chips.read(series, date)
        totals.add(power)
        images[:, :, date] = np.where(np.isfinite(power), power, np.float32(NODATA))
        masks[:, :, date] = to_codes(mask)
    owner.create_dataset("timestamps", data=np.array(series.dates, "S8"))
    owner.create_dataset("passes", data=np.array(series.passes, "S20"))
    for name in ("angles_incidence", "resolution_range", "resolution_azimuth"):
        values = series.angles if name == "angles_incidence" else getattr(series, name)
        owner.create_dataset(name, data=np.nan_to_num(values, nan=0.0).astype(np.float32))
    for name, value in totals.attributes().items():
        owner.attrs[f"stat_{name}"] = value
    owner.attrs["geo_projection"] = series.crs
    owner.attrs["geo_transform"] = np.array(tuple(series.transform), np.float64)
    owner.attrs["shape_original"] = np.array([*series.shape, 2])
    owner.attrs["n_timestamps"] = len(series.dates)


def _describe(owner: Any, group: Group) -> None:
    owner.attrs["class"] = group.label
    owner.attrs["group_num"] = group.number
    for name in ("latitude", "longitude", "elevation", "orientation", "slope"):
        owner.attrs[name] = float(getattr(group, name))
    owner.attrs["id"] = group.id
    owner.attrs["nodata"] = NODATA


def to_codes(mask: NDArray[np.uint8]) -> NDArray[np.int8]:
    """SNAP's codes of our mask bits: 1 layover, 2 shadow, 3 both, -127 where nothing is known."""
    codes = (mask & _LAYOVER > 0) + 2 * (mask & _SHADOW > 0).astype(np.int8)
    return np.where(mask & _NO_CODE > 0, NODATA_CODE, codes).astype(np.int8)


class _Statistics:
    """Statistics of a series' backscatter; the percentiles from a sample of each date."""

    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, 0.0, 0.0
        self.low, self.high = np.inf, -np.inf
        self.some: list[NDArray[np.float32]] = []

    def add(self, power: NDArray[np.float32]) -> None:
        """Count the valid pixels of one date."""
        valid = power[np.isfinite(power)]
        if not valid.size:
            return
        self.count += valid.size
        self.total += float(valid.sum(dtype=np.float64))
        self.squares += float(np.square(valid, dtype=np.float64).sum())
        self.low, self.high = min(self.low, float(valid.min())), max(self.high, float(valid.max()))
        self.some.append(valid[:: max(1, valid.size // 20_000)])

    def attributes(self) -> dict[str, float]:
        """Mean, deviation, extremes and percentiles; the authors' defaults where nothing is."""
        if not self.count:
            names = ("mean", "std", "min", "max", "percentile_1", "percentile_99")
            return dict(zip(names, (0.0, 1.0, 0.0, 1.0, 0.0, 1.0), strict=True))
        mean = self.total / self.count
        low, high = np.percentile(np.concatenate(self.some), [1, 99])
        return {
            "mean": mean,
            "std": max(0.0, self.squares / self.count - mean**2) ** 0.5,
            "min": self.low,
            "max": self.high,
            "percentile_1": float(low),
            "percentile_99": float(high),
        }


def _write_index(file: Any, chips: Chips, created: datetime) -> None:
    entries: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    ranges = {}
    for series in chips.series:
        label = chips.groups[series.group].label
        count = len(series.dates)
        entries[label].append(
            {
                "path": series.path,
                "group": series.group,
                "orbit": series.orbit,
                "polarisation": series.polarisation,
                "n_samples": count,
            }
        )
        ranges[series.path] = {
            "start": series.dates[0],
            "end": series.dates[-1],
            "n_samples": count,
        }
    by_class = file.create_group("index/by_class")
    for label, members in entries.items():
        owner = by_class.create_group(label)
        owner.attrs["n_groups"] = len({member["group"] for member in members})
        owner.attrs["entries_json"] = json.dumps(members)
    file.create_group("index/temporal_ranges").attrs["ranges_json"] = json.dumps(ranges)
    metadata = file.create_group("metadata")
    metadata.attrs["classes"] = json.dumps(list(entries))
    metadata.attrs["n_total_groups"] = len({series.group for series in chips.series})
    metadata.attrs["creation_date"] = created.replace(tzinfo=None).isoformat()
    metadata.attrs["nodata_value"] = NODATA
