"""Small Level-1b products: the first lines and samples of a real one, with images of our own."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from cpazmal_scale.config import RunConfig
from cpazmal_scale.scenes.level1b.cosar import HEADER_LINES, SAMPLE_BYTES, write_burst
from cpazmal_scale.scenes.untrusted.xml import parse_utc

TSX1 = "tsx1_ssc_stripmap_2008"
ID = "TSX1_SAR__SSC______SM_S_SRA_20080310T133220_20080310T133228"


def amplitudes(shape: tuple[int, int], seed: int = 0, beta0: float = 0.1) -> np.ndarray:
    """Single-look speckle of a given mean β0 under the real calibration factor."""
    scale = np.sqrt(beta0 / 1.0434469e-05 / 2)
    parts = np.random.default_rng(seed).normal(0, scale, (*shape, 2))
    return np.rint(parts).astype("f4").view("c8")[..., 0]


def cut_annotation(text: str, lines: int, samples: int, size: int) -> str:
    """The annotation of the first lines and samples of a product."""

    def number(path: str) -> float:
        return float(re.search(rf"<{path}[^>]*>([^<]+)</{path}>", text)[1])

    start = re.search(r"<sceneInfo>.*?<timeUTC>([^<]+)<", text, re.S)[1]
    stop = re.search(r"<sceneInfo>.*?<stop>\s*<timeUTC>([^<]+)<", text, re.S)[1]
    last = parse_utc(start, where="") + timedelta(seconds=(lines - 1) * number("columnSpacing"))
    far = number("firstPixel") + (samples - 1) * number("rowSpacing")
    text = re.sub(r"(<numberOfRows>)32710(<)", rf"\g<1>{lines}\2", text, count=1)
    text = re.sub(r"(<numberOfColumns>)15328(<)", rf"\g<1>{samples}\2", text, count=1)
    head, scene = text.split("<sceneInfo>")
    scene = scene.replace(stop, f"{last:%Y-%m-%dT%H:%M:%S.%fZ}", 1)
    scene = re.sub(r"<lastPixel>[^<]+<", f"<lastPixel>{far!r}<", scene, count=1)
    text = f"{head}<sceneInfo>{scene}"
    return text.replace("<size>2006022480</size>", f"<size>{size}</size>")


def cut_product(
    shared: Path, folder: Path, values: np.ndarray, *, version: int = 1, edit: object = None
) -> Path:
    """An SSC product folder whose image is `values`, at the scene's first line and sample."""
    source = shared / "tsx" / TSX1
    product = folder / ID
    (product / "ANNOTATION").mkdir(parents=True)
    (product / "IMAGEDATA").mkdir()
    lines, samples = values.shape
    size = (lines + HEADER_LINES) * (samples + 2) * SAMPLE_BYTES
    text = cut_annotation((source / f"{ID}.xml").read_text(), lines, samples, size)
    (product / f"{ID}.xml").write_text(edit(text) if callable(edit) else text)
    shutil.copy(source / "ANNOTATION" / "GEOREF.xml", product / "ANNOTATION")
    with (product / "IMAGEDATA" / "IMAGE_HH_SRA_strip_011.cos").open("wb") as file:
        write_burst(file, np.array_split(values, 4), values.shape, version=version)
    return product


def settings(scenes: Path, workspace: Path | str = "run", **level1b: Any) -> RunConfig:
    rules = {"height": 1750.0, **level1b}
    return RunConfig.parse(
        {
            "workspace": str(workspace),
            "ingest": {"scenes": str(scenes), "chunk": 256, "level1b": rules},
        }
    )
