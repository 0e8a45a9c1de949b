"""Small scenes in the authors' form, for the tests of the scenes and cube rooms."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

from cpazmal_scale.config import RunConfig

ORIGIN = (339_000.0, 5_087_001.0)
PIXEL = 3.0
HEADER = (
    "sensor,start,beam,pass_direction,incidence_angle,"
    "resolution_range,resolution_azimuth,polarisations"
)


def speckle(shape: tuple[int, ...], seed: int = 0, mean: float = 0.2) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, mean / 2, shape).astype("f4")


def product(start: str, sensor: str = "PAZ1", mode: str = "D", seconds: int = 7) -> str:
    begin = datetime.strptime(start, "%Y%m%dT%H%M%S")
    stop = begin + timedelta(seconds=seconds)
    return f"{sensor}_SAR__SSC______SM_{mode}_SRA_{start}_{stop:%Y%m%dT%H%M%S}"


def file_name(start: str, subset: int = 0, sensor: str = "PAZ1", mode: str = "D") -> str:
    return f"subset_{subset}_of_{product(start, sensor, mode)}_Cal_Tf_Tc_TC.tif"


def write_raster(
    path: Path,
    bands: list[np.ndarray],
    *,
    at: tuple[int, int] = (0, 0),
    nodata: float | None = -999.0,
    crs: str | None = "EPSG:32632",
    pixel: float = PIXEL,
    shift: float = 0.0,
    **options: Any,
) -> Path:
    """A GeoTIFF whose first pixel is `at` (row, column) of the common lattice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    x, y = ORIGIN[0] + (at[1] + shift) * PIXEL, ORIGIN[1] - at[0] * PIXEL
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "count": len(bands),
        "height": bands[0].shape[0],
        "width": bands[0].shape[1],
        "dtype": "float32",
        "nodata": nodata,
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 64,
        "compress": "lzw",
        **options,
    }
    if crs is not None:
        profile |= {"crs": crs, "transform": Affine(pixel, 0, x, 0, -pixel, y)}
    with rasterio.open(path, "w", **profile) as raster:
        for number, band in enumerate(bands, start=1):
            raster.write(band.astype(profile["dtype"]), number)
    return path


def row(
    start: str,
    beam: str = "DSC37",
    direction: str = "DSC",
    angle: float = 37.4,
    polarisations: str = "HH/HV",
    sensor: str = "PAZ1",
) -> str:
    return f"{sensor},{start},{beam},{direction},{angle},2.9,6.6,{polarisations}"


def write_table(folder: Path, rows: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "acquisitions.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


STARTS = ("20200108T054412", "20200119T054411", "20200130T054411", "20200210T054410")


def campaign(
    folder: Path, shape: tuple[int, int] = (100, 130), starts: tuple[str, ...] = STARTS
) -> Path:
    """Dates of one beam; the last has HH only; a no-data border; one layover and shadow patch."""
    rows = []
    for number, start in enumerate(starts):
        dual = number < len(starts) - 1
        bands = [speckle(shape, seed=10 * number + k) for k in range(2 if dual else 1)]
        mask = np.zeros(shape, "f4")
        mask[10:20, 10:20] += 1
        mask[15:25, 15:25] += 2
        for band in bands:
            band[:, :5] = -999
        mode = "D" if dual else "S"
        write_raster(folder / "dsc" / file_name(start, mode=mode), [*bands, mask])
        rows.append(row(start, polarisations="HH/HV" if dual else "HH"))
    write_table(folder, rows)
    return folder


def run_config(scenes: Path | str, workspace: Path | str, **naming: Any) -> RunConfig:
    return RunConfig.parse(
        {
            "workspace": str(workspace),
            "ingest": {
                "scenes": str(scenes),
                "chunk": 32,
                "naming": naming,
                "precision": "full",
            },
        }
    )
