"""Small files in the published layout, written as their authors write them, defects and all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

PIXEL = 2.69494585e-5
NODATA = -999.0
Calendar = dict[tuple[str, str], dict[str, float]]
Groups = dict[str, tuple[str, tuple[int, int], tuple[int, int]]]

CALENDAR: Calendar = {
    ("ASC", "HH"): {"20200110": 44.8, "20200602": 44.9, "20210214": 53.9, "20211031": 44.6},
    ("ASC", "HV"): {"20200110": 44.8, "20200602": 44.9},
    ("DSC", "HH"): {"20200108": 37.8, "20200804": 37.8, "20201111": 37.8, "20210127": 37.8},
    ("DSC", "HV"): {"20200108": 37.8, "20200804": 37.8, "20201111": 37.8, "20210127": 37.8},
}
GROUPS: Groups = {
    "ABL001": ("ABL", (30, 36), (40, 60)),
    "ABL005": ("ABL", (26, 31), (10, 100)),
    "ALLGLA": ("STUDY", (60, 70), (30, 50)),
    "ICA001": ("ICA", (24, 24), (90, 40)),
    "ICA002": ("ICA", (33, 25), (90, 90)),
}
"""Class, shape and place (row, column on the authors' lattice) of every group."""
TOP, LEFT = 1_704_500, 257_000
"""The region's corner in pixels of the authors' lattice."""


def chip(name: str, orbit: str, channel: str, date: int, shape: tuple[int, int]) -> np.ndarray:
    """Backscatter with speckle inside an ellipse, no data outside."""
    seed = [sum(name.encode()), orbit == "ASC", channel == "HV", date]
    level = {"ABL": 0.05, "ICA": 0.3, "STUDY": 0.1}[GROUPS[name][0]] * (
        0.4 if channel == "HV" else 1
    )
    image = np.random.default_rng(seed).gamma(3, level / 3, shape).astype(np.float32)
    y, x = np.indices(shape)
    outside = ((y - shape[0] / 2 + 0.5) / shape[0]) ** 2 + (
        (x - shape[1] / 2 + 0.5) / shape[1]
    ) ** 2
    image[outside > 0.24] = NODATA
    return image


def mask(image: np.ndarray, date: int) -> np.ndarray:
    """Codes: layover on the left on even dates, shadow and both in a corner, no data outside."""
    codes = np.zeros(image.shape, np.int8)
    if date % 2 == 0:
        codes[:, :6] = 1
    codes[-8:-6, 8:12] = 2
    codes[-6:-4, 8:12] = 3
    codes[image == NODATA] = -127
    return codes


def write(path: Path, *, calendar: Calendar = CALENDAR, groups: Groups = GROUPS) -> Path:
    """A faithful file: everything the layout has, in the types it has."""
    index: dict[str, list[dict[str, Any]]] = {}
    ranges = {}
    with h5py.File(path, "w") as file:
        metadata = file.create_group("metadata")
        data = file.create_group("data")
        for number, (name, (label, shape, (row, column))) in enumerate(groups.items(), 1):
            owner = data.create_group(name)
            owner.attrs.update({"class": label, "group_num": name[-3:], "latitude": 45.9})
            owner.attrs.update({"longitude": 6.9, "elevation": 2300.0 + number, "slope": 12.0})
            owner.attrs.update({"orientation": 301.0, "id": number, "nodata": NODATA})
            for (orbit, channel), angles in calendar.items():
                if orbit not in owner:
                    text = "ascending" if orbit == "ASC" else "descending"
                    owner.create_group(orbit).attrs["orbit"] = text
                images = [chip(name, orbit, channel, t, shape) for t in range(len(angles))]
                masks = [mask(image, t) for t, image in enumerate(images)]
                transform = (PIXEL, 0, (LEFT + column) * PIXEL, 0, -PIXEL, (TOP - row) * PIXEL)
                series(owner[orbit].create_group(channel), images, masks, angles, transform)
                place = f"{name}/{orbit}/{channel}"
                days = list(angles)
                entry: dict[str, Any] = {"path": place, "group": name, "orbit": orbit}
                entry |= {"polarisation": channel, "n_samples": len(days)}
                index.setdefault(label, []).append(entry)
                ranges[place] = {"start": days[0], "end": days[-1], "n_samples": len(days)}
        by_class = file.create_group("index/by_class")
        for label, entries in index.items():
            by_class.create_group(label).attrs["n_groups"] = len(entries)
            by_class[label].attrs["entries_json"] = json.dumps(entries)
        file.create_group("index/temporal_ranges").attrs["ranges_json"] = json.dumps(ranges)
        metadata.attrs["classes"] = json.dumps(list(index))
        metadata.attrs["n_total_groups"] = len(ranges)
        metadata.attrs["creation_date"] = "2025-12-18T16:06:00"
        metadata.attrs["nodata_value"] = NODATA
    return path


def series(
    owner: h5py.Group,
    images: list[np.ndarray],
    masks: list[np.ndarray],
    angles: dict[str, float],
    transform: tuple[float, ...],
) -> None:
    stack, codes = np.stack(images, axis=-1), np.stack(masks, axis=-1)
    chunks = (*stack.shape[:2], 1)
    packed = {"compression": "gzip", "compression_opts": 4, "chunks": chunks}
    owner.create_dataset("images", data=stack, dtype=np.float32, **packed)
    owner.create_dataset("masks", data=codes, dtype=np.int8, **packed)
    owner.create_dataset("timestamps", data=np.array(list(angles), "S8"))
    owner.create_dataset("passes", data=np.array(["Descending"] * len(angles), "S20"))
    owner.create_dataset("angles_incidence", data=np.array(list(angles.values()), np.float32))
    for name, metres in (("resolution_range", 2.9), ("resolution_azimuth", 6.6)):
        owner.create_dataset(name, data=np.full(len(angles), metres, np.float32))
    valid = stack[~np.isclose(stack, NODATA, atol=5)]
    for name, value in (("mean", valid.mean()), ("std", valid.std())):
        owner.attrs[f"stat_{name}"] = float(value)
    for name in ("min", "max", "percentile_1", "percentile_99"):
        owner.attrs[f"stat_{name}"] = 0.0
    owner.attrs["geo_projection"] = "EPSG:4326"
    owner.attrs["geo_transform"] = (*transform, 0.0, 0.0, 1.0)
    owner.attrs["shape_original"] = np.array([*stack.shape[:2], 2])
    owner.attrs["n_timestamps"] = len(angles)
