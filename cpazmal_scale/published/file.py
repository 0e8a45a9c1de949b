"""The published dataset (second generation), opened lazily: facts now, pixels when asked for."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import DatasetUnreadable
from cpazmal_scale.published import chunks, hdf5
from cpazmal_scale.published.beams import beams_by_day
from cpazmal_scale.published.chips import Group, Orbit, Series
from cpazmal_scale.published.repairs import Account, repaired_image, repaired_mask
from cpazmal_scale.vocabulary import POLARISATIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORBITS: tuple[Orbit, ...] = ("ASC", "DSC")
NODATA = -999.0
_GROUP = re.compile(r"[\w .-]{1,64}")
_DAY = re.compile(r"[12]\d{3}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")


@contextlib.contextmanager
def opened(url: str, account: Account | None = None) -> Iterator[PublishedFile]:
    """A published file; what is repaired goes into `account`.

    Raises:
        DatasetUnreadable: damaged, unsafe, or not of this layout.
        StoreMissing: nothing is there.
    """
    with hdf5.opened(url) as file:
        yield PublishedFile(file, url, Account() if account is None else account)


class PublishedFile:
    """`Chips` of a published file, repaired as they are read.

    `groups` by name, `series` by path, `classes` in the file's order, `created` its date, and
    the `account` of what was repaired so far.
    """

    def __init__(self, file: Any, url: str, account: Account) -> None:
        self.url, self.account = url, account
        if "img" in hdf5.names(file):
            raise DatasetUnreadable(
                "a training file of the first generation holds windows, not chips",
                where=url,
                remedy="`cpazmal dataset show` describes it, samples.published.training reads it",
            )
        self._data = hdf5.group(file, "data")
        metadata = hdf5.group(file, "metadata")
        self.nodata = hdf5.number(metadata, "nodata_value", NODATA)
        self.created = hdf5.text(metadata, "creation_date", "")
        self._order: dict[str, list[int]] = {}
        self._sources: dict[str, tuple[Any, Any]] = {}
        self.groups = {name: self._group(name) for name in hdf5.names(self._data)}
        self.series: tuple[Series, ...] = tuple(self._all_series())
        self.classes = tuple(_classes(metadata, self.groups))
        self._check_counts(metadata)
        self._check_index(file)
        self._check_shapes()

    def read(self, series: Series, date: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Power (H, W), linear, NaN for no data; and mask (H, W) of `MASK_BITS`, one date.

        Raises:
            DatasetUnreadable: the chunk is lost or damaged.
        """
        images, masks = self._sources[series.path]
        stored = self._order[series.path][date]
        where = f"{series.path} {series.dates[date]}"
        power = repaired_image(chunks.image(images, stored), self.nodata, self.account, where)
        codes = chunks.image(masks, stored)
        return power, repaired_mask(codes, power, self.account, where)

    def check(self) -> None:
        """Check that every image and mask is there, without reading them.

        Raises:
            DatasetUnreadable: naming the first chunk that was never written or cannot be one.
        """
        for images, masks in self._sources.values():
            chunks.check_chunks(images)
            chunks.check_chunks(masks)

    def _group(self, name: str) -> Group:
        if not _GROUP.fullmatch(name):
            raise hdf5.refuse(f"a group is called {name!r}", self._data)
        owner = hdf5.group(self._data, name)
        numbers = ("latitude", "longitude", "elevation", "orientation", "slope")
        return Group(
            name=name,
            label=hdf5.text(owner, "class"),
            number=hdf5.text(owner, "group_num", name[-3:]),
            id=int(hdf5.number(owner, "id", 0)),
            **{key: hdf5.number(owner, key, math.nan) for key in numbers},
        )

    def _all_series(self) -> Iterator[Series]:
        """All series with their beams, which need the angles of every group."""
        raw = [
            _RawSeries(hdf5.group(hdf5.group(hdf5.group(self._data, name), orbit), channel), name)
            for name in self.groups
            for orbit in hdf5.names(hdf5.group(self._data, name))
            for channel in hdf5.names(hdf5.group(hdf5.group(self._data, name), orbit))
        ]
        beams: dict[str, dict[str, str]] = {}
        for orbit in ORBITS:
            angles: dict[str, float] = {}
            for one in raw:
                for day, angle in zip(one.days, one.angles.tolist(), strict=True):
                    if one.orbit == orbit and not np.isfinite(angles.get(day, math.nan)):
                        angles[day] = angle if angle > 0 else math.nan
            beams[orbit] = beams_by_day(angles, orbit)
            self._note_beams(orbit, angles, beams[orbit])
        for one in raw:
            yield self._kept(one, beams[one.orbit])

    def _note_beams(self, orbit: str, angles: dict[str, float], beams: dict[str, str]) -> None:
        names = sorted(set(beams.values()))
        unknown = sum(not np.isfinite(angle) for angle in angles.values())
        self.account.add("angle_unknown", orbit, unknown, len(angles))
        if len(names) > 1:
            days = list(beams.values())
            note = ", ".join(f"{name} {days.count(name)} dates" for name in names)
            self.account.add("mixed_beams", orbit, len(days), len(days), note)

    def _kept(self, one: _RawSeries, beams: dict[str, str]) -> Series:
        """A series in order of time, each day once."""
        order = sorted(range(len(one.days)), key=lambda place: (one.days[place], place))
        first = [p for i, p in enumerate(order) if not i or one.days[order[i - 1]] != one.days[p]]
        self.account.add("double_date", one.path, len(order) - len(first), len(order))
        self.account.add("unsorted", one.path, int(order != sorted(order)), 1)
        if one.lowest < 0:
            note = f"a lowest backscatter of {one.lowest:.4g}"
            self.account.add("statistics", one.path, 1, 1, note)
        self._order[one.path] = first
        self._sources[one.path] = one.images, one.masks
        angles = np.where(one.angles > 0, one.angles, np.nan).astype(np.float32)
        return Series(
            group=one.group,
            orbit=one.orbit,
            polarisation=one.polarisation,
            shape=one.images.shape[:2],
            dates=tuple(one.days[place] for place in first),
            beams=tuple(beams[one.days[place]] for place in first),
            passes=tuple(one.passes[place] for place in first),
            angles=angles[first],
            resolution_range=one.resolution[0][first],
            resolution_azimuth=one.resolution[1][first],
            transform=one.transform,
            crs=one.crs,
        )

    def _check_counts(self, metadata: Any) -> None:
        claimed = int(hdf5.number(metadata, "n_total_groups", len(self.groups)))
        if claimed != len(self.groups):
            note = f"says {claimed} groups, holds {len(self.groups)} in {len(self.series)} series"
            self.account.add("counted_paths", "metadata", claimed, len(self.groups), note)

    def _check_index(self, file: Any) -> None:
        """Compare the index with the data; an absent index is no defect of the data."""
        if "index" not in hdf5.names(file):
            return
        index = hdf5.group(file, "index")
        ranges = _json(hdf5.text(hdf5.group(index, "temporal_ranges"), "ranges_json"), index)
        own = {s.path: (s.dates[0], s.dates[-1]) for s in self.series}
        said = {
            path: (str(entry.get("start")), str(entry.get("end")))
            for path, entry in (ranges.items() if isinstance(ranges, dict) else ())
            if isinstance(entry, dict)
        }
        wrong = sorted(path for path in {*own, *said} if own.get(path) != said.get(path))
        self.account.add("index", "temporal_ranges", len(wrong), len(own), ", ".join(wrong[:3]))

    def _check_shapes(self) -> None:
        shapes = {s.path: s.shape for s in self.series}
        for series in self.series:
            co = f"{series.group}/{series.orbit}/HH"
            if co in shapes and shapes[co] != series.shape:
                note = f"{series.path} {series.shape}, HH {shapes[co]}"
                self.account.add("chip_shape", series.path, 1, 1, note)


class _RawSeries:
    """One series as stored, its tables read and compared, its pixels not."""

    def __init__(self, owner: Any, group: str) -> None:
        self.path = owner.name.removeprefix("/data/")
        self.group = group
        _, orbit, self.polarisation = self.path.split("/")
        if orbit not in ORBITS or self.polarisation not in POLARISATIONS:
            raise hdf5.refuse(f"it is neither of {ORBITS} nor of {POLARISATIONS}", owner)
        self.orbit: Orbit = "ASC" if orbit == "ASC" else "DSC"
        self.images = hdf5.dataset(owner, "images", "f", 3)
        self.masks = hdf5.dataset(owner, "masks", "i", 3)
        self.days = [_day(raw, owner) for raw in chunks.table(owner, "timestamps", "S").tolist()]
        self.passes = [
            raw.decode("ascii", "replace") for raw in chunks.table(owner, "passes", "S").tolist()
        ]
        names = ("angles_incidence", "resolution_range", "resolution_azimuth")
        self.angles, *self.resolution = (
            chunks.table(owner, name, "f").astype(np.float32) for name in names
        )
        lengths = {len(self.days), len(self.passes), len(self.angles), self.images.shape[2]}
        lengths |= {len(values) for values in self.resolution}
        if self.masks.shape != self.images.shape or len(lengths) > 1 or not self.days:
            raise hdf5.refuse("its images, masks and tables differ in length", owner)
        self.transform = _transform(hdf5.vector(owner, "geo_transform"), owner)
        self.crs = hdf5.text(owner, "geo_projection")
        self.lowest = hdf5.number(owner, "stat_min", 0.0)


def _transform(numbers: NDArray[np.float64], owner: Any) -> Any:
    """The affine transform of a chip's pixels."""
    from affine import Affine

    if len(numbers) not in (6, 9) or not np.isfinite(numbers).all():
        raise hdf5.refuse("its geo_transform is not six or nine numbers", owner)
    found = Affine(*numbers[:6].tolist())
    if found.b or found.d or found.a <= 0 or found.e >= 0:
        raise hdf5.refuse("its geo_transform is not north-up", owner)
    return found


def _day(raw: bytes, owner: Any) -> str:
    day = raw.decode("ascii", "replace")
    if not _DAY.fullmatch(day):
        raise hdf5.refuse(f"a timestamp is {day!r}", owner)
    return day


def _classes(metadata: Any, groups: dict[str, Group]) -> list[str]:
    """Classes in the file's order, then those only groups have."""
    told = _json(hdf5.text(metadata, "classes", "[]"), metadata)
    present = {one.label for one in groups.values()}
    first = [str(name) for name in told if name in present] if isinstance(told, list) else []
    return first + sorted(present - set(first))


def _json(text: str, owner: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise hdf5.refuse("its index is not JSON", owner) from None
