"""A small cube with four seasonal classes and a model trained on it, for tests of the map."""

from __future__ import annotations

import functools
import types
import zlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from cpazmal_scale import model, storage
from cpazmal_scale.config import Features, RunConfig
from cpazmal_scale.cube.format import layout, record
from cpazmal_scale.features import block_series, names

CLASSES = ("ABL", "ACC", "HAG", "ICA")
DATES = 10
NO_HV = 3
SHAPE = (88, 104)
UTM = GeoBox(SHAPE, Affine(3, 0, 331200, 0, -3, 5078400), "EPSG:32632")
M2 = 9.000906
"""Of a pixel of it, by geodesic polygons."""
WGS84 = GeoBox(SHAPE, Affine(2.69494585e-5, 0, 6.86, 0, -2.69494585e-5, 45.84), "EPSG:4326")


def truth(shape: tuple[int, int]) -> np.ndarray:
    """Class positions 0..3 in diagonal stripes."""
    y, x = np.indices(shape)
    stripes: np.ndarray = (y // 22 + x // 26) % 4
    return stripes.astype(np.uint8)


@functools.cache
def backscatter(
    shape: tuple[int, int] = SHAPE, dates: int = DATES, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power (2, T, H, W) with speckle and gaps, mask (T, H, W), start of each date in seconds."""
    rng = np.random.default_rng(seed)
    season = np.sin(np.linspace(0, 2 * np.pi, dates))
    level = np.array([-8.0, -12.0, -6.0, -10.0])[:, None] + np.stack(
        [3 * season, -3 * season, 1.5 * np.roll(season, 2), 2 * np.roll(season, 4)]
    )
    decibel = level[truth(shape)].transpose(2, 0, 1)
    power = 10 ** (np.stack([decibel, decibel - 6]) / 10)
    power = (power * rng.gamma(3, 1 / 3, power.shape)).astype(np.float32)
    power[1, NO_HV] = np.nan
    power[:, :, :, -9:] = np.nan
    power[:, :, 40:44, 30:34] = np.nan
    mask = np.zeros((dates, *shape), np.uint8)
    mask[:, 60:66, 10:40] = 1
    mask[::2, 5:8, 50:90] = 2
    mask[:, :, -9:] = 32
    start = 1578464400 + np.arange(dates) * 11 * 86400
    return power, mask, start


def whole_series(features: Features) -> np.ndarray:
    """Feature series (K, T, H, W) of every pixel, without blocks or tiles, no data around."""
    power, mask, _ = backscatter()
    half = features.window // 2
    around = ((0, 0), (half, half), (half, half))
    return block_series(
        np.pad(power, ((0, 0), *around), constant_values=np.nan),
        np.pad(mask, around, constant_values=32),
        features.excluded,
        window=features.window,
        **features.kernel,
    )


def make_cube(
    url: str,
    *,
    grid: GeoBox = UTM,
    chunk: int = 32,
    order: tuple[int, ...] | None = None,
    dates: int = DATES,
    seed: int = 1,
    without_hv: Collection[int] = (NO_HV,),
) -> str:
    """Write a cube in which date `order[i]` was ingested as the i-th."""
    shape = (grid.shape[0], grid.shape[1])
    power, mask, start = backscatter(shape, dates, seed)
    order = order or tuple(range(dates))
    layers = {"HH": power[0], "HV": power[1], "mask": mask}
    documents = layout.documents(tuple(layers), grid, chunk, dates, "gamma0_T")
    texts = {
        "scene_id": [f"scene{i}" for i in order],
        "sensor": ["PAZ1"] * dates,
        "beam": ["DSC_1"] * dates,
        "pass_direction": ["DSC"] * dates,
        "polarisations": ["HH" if i in without_hv else "HH+HV" for i in order],
        "source_sha256": [f"{i:064d}" for i in order],
        "resampling": [""] * dates,
    }
    put = functools.partial(_put, url)
    beyond = layout.DATES_PER_CHUNK - dates
    for name, values in texts.items():
        put(f"{name}/c/0", layout.encode_texts([*values, *[""] * beyond]))
    put("time/c/0", layout.encode(np.pad(start[list(order)].astype(np.int64), (0, beyond))))
    for name in ("incidence_angle", "resolution_range", "resolution_azimuth"):
        put(f"{name}/c/0", layout.encode(np.full(layout.DATES_PER_CHUNK, 35, np.float32)))
    for name, axis in zip(("y", "x"), layout.axis_values(grid), strict=True):
        put(f"{name}/c/0", layout.encode(axis))
    put("spatial_ref/c", layout.encode(np.zeros((), np.int64)))
    for name, layer in layers.items():
        for at, i in enumerate(order):
            if name != "HV" or i not in without_hv:
                _put_layer(put, name, at, layer[i], chunk)
    attributes = {
        "cpazmal_cube": layout.FORMAT,
        "beam": "DSC_1",
        "radiometry": "gamma0_T",
        "chunk": chunk,
        "polarisations": ["HH", "HV"],
    }
    put("zarr.json", record.root_document(attributes, documents))
    return url


def _put(url: str, key: str, data: bytes) -> None:
    storage.write_bytes(storage.join(url, key), data)


def _put_layer(
    put: Callable[[str, bytes], None], name: str, at: int, values: np.ndarray, chunk: int
) -> None:
    sums = np.zeros((-(-values.shape[0] // chunk), -(-values.shape[1] // chunk)), np.uint32)
    for row in range(-(-values.shape[0] // chunk)):
        for column in range(-(-values.shape[1] // chunk)):
            whole = np.full((chunk, chunk), layout.layer_fill(name), values.dtype)
            part = values[row * chunk : (row + 1) * chunk, column * chunk : (column + 1) * chunk]
            whole[: part.shape[0], : part.shape[1]] = part
            data = layout.encode(whole)
            sums[row, column] = zlib.crc32(data)
            put(layout.chunk_key(name, at, row, column), data)
    put(layout.list_key(name, at), layout.encode(sums))


def make_model(url: str, config: RunConfig | None = None, *, chosen: slice = slice(None)) -> str:
    """Train on windows of the campaign that `make_cube` writes."""
    config = config or RunConfig()
    if config.classify.method == "best":
        config = config.with_values({"classify": {"method": "sum"}})
    power, mask, start = backscatter()
    settings = config.features
    series = block_series(
        np.ascontiguousarray(power[:, chosen]),
        np.ascontiguousarray(mask[chosen]),
        settings.excluded,
        window=settings.window,
        **settings.kernel,
    )
    rng = np.random.default_rng(3)
    half = settings.window // 2
    y = rng.integers(0, series.shape[2], 160)
    x = rng.integers(0, series.shape[3] - 20, 160)
    values = series[:, :, y, x].transpose(2, 0, 1)
    keep = np.isfinite(values[:, 0]).all(axis=1)
    labels = np.array(CLASSES)[truth(SHAPE)[y + half, x + half]]
    made = model.train(
        types.SimpleNamespace(  # type: ignore[arg-type]
            values=values[keep],
            names=names(("HH", "HV"), settings.xpol, settings.statistics),
            dates=start[chosen].astype("datetime64[s]"),
        ),
        labels[keep].tolist(),
        [f"{code}{i % 4}" for i, code in enumerate(labels[keep])],
        config,
        polarisations=("HH", "HV"),
        provenance={"cube": "test"},
    )
    model.save_model(made, url)
    return url


def workspace(folder: Path | str, **settings: Any) -> RunConfig:
    """A serial run in a folder."""
    return RunConfig.parse({"workspace": str(folder), "cluster": {"kind": "serial"}, **settings})
