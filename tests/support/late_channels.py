"""Scenes whose polarisations come one after the other, as files of one band."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from cpazmal_scale.config import RunConfig
from support.scenes_factory import run_config, speckle, write_raster

SHAPE = (50, 70)
PATTERN = r"X_(?P<start>\d{8}T\d{6})_(?P<polarisation>H[HV])\.tif$"


def channel(
    folder: Path, date: str, name: str, seed: int | None = None, **options: Any
) -> np.ndarray:
    values = speckle(SHAPE, crc32(f"{date}{name}".encode()) % 100_000 if seed is None else seed)
    values[:4] = -999
    write_raster(folder / f"X_{date}_{name}.tif", [values], **options)
    return np.where(values == -999, np.nan, values)


def config(folder: Path | str, workspace: Path | str, **more: object) -> RunConfig:
    naming = {"pattern": PATTERN, "sensor": "PAZ1", "beam": "DSC37", "incidence_angle": 37.4}
    return run_config(folder, workspace, **naming).with_values({"ingest": more})


def described(folder: Path, name: str, bands: list[np.ndarray], labels: str, start: str) -> None:
    write_raster(folder / f"{name}.tif", bands)
    (folder / f"{name}.yaml").write_text(
        f"sensor: PAZ1\nstart: {start}\nbeam: DSC37\nbands: [{labels}]\n"
        "radiometry: gamma0_T\nscale: linear\n"
    )
