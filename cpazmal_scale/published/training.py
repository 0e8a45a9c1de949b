"""Training files of the first generation (`ax2_spat_20_kfold_HH.h5` …): windows, not chips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError
from cpazmal_scale.published import chunks, hdf5
from cpazmal_scale.published.file import NODATA
from cpazmal_scale.published.repairs import Account, repaired_values
from cpazmal_scale.samples import WindowSeries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import Features
    from cpazmal_scale.published.gathering import LabelledWindows

LARGEST_FILE = 2**33
"""Bytes of windows at most."""


@dataclass(frozen=True, eq=False)
class TrainingWindows:
    """N windows as the talk's training files hold them.

    `power` (N, w, w, T, P) float32, linear, NaN for no data; `labels` (N) class codes; `groups`
    (N) numbers and `group_names` (N) such as ABL001; `dates` (N) tuples of T days `YYYY-MM-DD`.
    """

    power: NDArray[np.float32]
    labels: NDArray[np.str_]
    groups: NDArray[np.int64]
    group_names: NDArray[np.str_]
    dates: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        count, size, _, dates, channels = self.power.shape
        held = f"{dates} dates, {channels} polarisation{'s' if channels > 1 else ''}"
        lines = [f"{count} windows of {size} x {size} pixels, {held}"]
        for label in np.unique(self.labels):
            own = self.labels == label
            groups = len(np.unique(self.group_names[own]))
            lines.append(f"{label:<7}{int(own.sum()):>7} windows in {groups} groups")
        return "\n".join(lines)


def is_training(url: str) -> bool:
    """Whether a file holds windows of the first generation.

    Raises:
        DatasetUnreadable: not an HDF5 file.
        StoreMissing: nothing is there.
    """
    with hdf5.opened(url) as file:
        return "img" in hdf5.names(file)


def read_training(url: str, account: Account | None = None) -> TrainingWindows:
    """Read a training file; values below zero, made by resampling, become no data.

    Raises:
        DatasetUnreadable: damaged, unsafe, too large, or not of this layout.
        StoreMissing: nothing is there.
    """
    account = Account() if account is None else account
    with hdf5.opened(url) as file:
        images = hdf5.dataset(file, "img", "f", (4, 5))
        dates = [tuple(_text(raw).split("_")) for raw in chunks.table(file, "date", "S").tolist()]
        labels, names = (
            np.array([_text(raw) for raw in chunks.table(file, key, "S").tolist()], np.str_)
            for key in ("labels", "org")
        )
        groups = chunks.table(file, "groups", "iu").astype(np.int64)
        shape = _shape(images, dates)
        if {len(dates), len(labels), len(names), len(groups)} != {shape[0]}:
            raise hdf5.refuse("its windows and labels differ in number", images)
        power = np.empty(shape, np.float32)
        for rows in _batches(images):
            box = ((rows.start, rows.stop), *((0, length) for length in images.shape[1:]))
            part = chunks.region(images, box).astype(np.float32)
            values, rim = repaired_values(part, NODATA)
            account.add("resampling_rim", f"img {rows.start}", int(rim.sum()), rim.size)
            power[rows] = values.reshape(-1, *shape[1:])
    return TrainingWindows(power, labels, groups, names, tuple(dates))


def write_training(windows: LabelledWindows, url: str) -> None:
    """Write windows in the layout of the training files, put in place in one step.

    Args:
        windows: as `temporal_stack` gives them, in `intensity`.
        url: of the file, any fsspec URL.

    Raises:
        StoreError: the address cannot be written.
    """
    import h5py

    joined = "_".join(f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in windows.dates)
    values = windows.X if windows.X.shape[-1] > 1 else windows.X[..., 0]
    codes = np.array(windows.class_names)[windows.y].astype("S3")
    names = np.array(windows.group_names)[windows.groups].astype("S6")
    with storage.local_scratch() as folder:
        path = folder / "training.h5"
        with h5py.File(path, "w") as file:
            for name, data in (
                ("img", values),
                ("labels", codes),
                ("groups", windows.groups.astype(np.int64)),
                ("org", names),
                ("date", np.full(len(codes), joined.encode())),
            ):
                file.create_dataset(name, data=data, compression="gzip")
        storage.upload(path, url)


def training_series(windows: TrainingWindows, features: Features) -> WindowSeries:
    """Feature series of the windows, on the union of their dates; NaN where a window lacks one.

    The channels are HH, and HV if the file holds two.

    Raises:
        SampleError: the windows' width is even, or not `features.window`.
    """
    from cpazmal_scale.features import names
    from cpazmal_scale.features import windows as kernel

    size, channels = windows.power.shape[1], ("HH", "HV")[: windows.power.shape[4]]
    if size != features.window:
        raise SampleError(
            f"the file's windows are {size} pixels wide, features.window is {features.window}",
            remedy=f"set features.window to {size}" if size % 2 else "read a file of odd windows",
        )
    days = sorted({day for own in windows.dates for day in own})
    shape = (len(windows.labels), len(channels), len(days), size, size)
    power = np.full(shape, np.nan, np.float32)
    for own in set(windows.dates):
        rows = np.array([row for row, dates in enumerate(windows.dates) if dates == own])
        places = [days.index(day) for day in own]
        power[rows[:, None], :, places] = np.transpose(windows.power[rows], (0, 3, 4, 1, 2))
    values = kernel.window_series(
        power,
        xpol=features.xpol,
        unbiased=features.unbiased,
        floor=features.floor,
        min_valid=features.min_valid,
    )
    return WindowSeries(values, names(channels, features.xpol), np.array(days, "datetime64[s]"))


def _shape(images: Any, dates: list[tuple[str, ...]]) -> tuple[int, ...]:
    """(N, w, w, T, P) of an image array whose last axes may be left out."""
    length = len(dates[0]) if dates else 0
    whole = tuple(int(n) for n in images.shape)
    if len(whole) == 4:
        dual = length == 1 and whole[3] == 2
        whole = (*whole[:3], 1, 2) if dual else (*whole, 1)
    if whole[1] != whole[2] or whole[3] != length or whole[4] not in (1, 2):
        raise hdf5.refuse(f"its windows are {images.shape}, its dates {length}", images)
    if any(len(own) != length for own in dates):
        raise hdf5.refuse("its windows differ in their number of dates", images)
    if np.prod(whole, dtype=float) * 4 > LARGEST_FILE:
        raise hdf5.refuse(f"it claims windows of {images.shape}", images)
    return whole


def _batches(images: Any) -> Iterator[slice]:
    """Rows of windows that are read at once."""
    row = int(np.prod(images.shape[1:])) * int(images.dtype.itemsize)
    step = max(1, chunks.LARGEST_REGION // 4 // max(1, row))
    for start in range(0, images.shape[0], step):
        yield slice(start, min(start + step, images.shape[0]))


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "replace")
