"""Small Level-1b products: the first lines and samples of a real one, with images of our own."""

from __future__ import annotations

import re
import shutil
import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

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


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.S)
    assert found, pattern
    return found[1]


def cut_annotation(text: str, lines: int, samples: int, size: int) -> str:
    """The annotation of the first lines and samples of a product."""

    def number(path: str) -> float:
        return float(_first(rf"<{path}[^>]*>([^<]+)</{path}>", text))

    start = _first(r"<sceneInfo>.*?<timeUTC>([^<]+)<", text)
    stop = _first(r"<sceneInfo>.*?<stop>\s*<timeUTC>([^<]+)<", text)
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


def ground_product(
    shared: Path,
    folder: Path,
    image: np.ndarray,
    *,
    turned: bool = True,
    georef: object = None,
    edit: object = None,
) -> Path:
    """The real scene as a detected product in ground range (MGD), after the provider's schema.

    Its polynomial is the ellipsoidal ground range at mid scene, from the incidence angles of the
    real geolocation grid; row 1 is the latest one if `turned`. The grid keeps its positions in the
    complex image. Spacings are those that fit `image` (uint16) to the scene.
    """
    source = shared / "tsx" / TSX1
    name = ID.replace("_SSC______", "_MGD_SE___")
    product = folder / name
    (product / "ANNOTATION").mkdir(parents=True)
    (product / "IMAGEDATA").mkdir()
    text = (source / f"{ID}.xml").read_text().replace(ID, name)
    grid = (source / "ANNOTATION" / "GEOREF.xml").read_text()
    (product / "ANNOTATION" / "GEOREF.xml").write_text(georef(grid) if callable(georef) else grid)
    lines, samples = image.shape
    axes = ground_axes(shared, image.shape, turned=turned)
    for path, value in (
        ("productVariant", "MGD"),
        ("projection", "GROUNDRANGE"),
        ("imageDataType", "DETECTED"),
        ("imageDataFormat", "GEOTIFF"),
        ("imageDataDepth", "16"),
        ("numberOfRows", str(lines)),
        ("numberOfColumns", str(samples)),
    ):
        text = re.sub(rf"<{path}>[^<]+<", f"<{path}>{value}<", text, count=1)
    text = re.sub(
        r'<rowSpacing units="s">[^<]+<', _metres("rowSpacing", axes.spacing), text, count=1
    )
    text = re.sub(r'<columnSpacing units="s">[^<]+<', _metres("columnSpacing", 60.0), text, count=1)
    corners = iter([(t, tau) for t in axes.times for tau in axes.ranges])

    def numbered(match: re.Match[str]) -> str:
        t, tau = next(corners)
        row, column = round(axes.line(t)) + 1, round(axes.column(tau)) + 1
        corner = re.sub(r"<refRow>\d+", f"<refRow>{row}", match[0])
        corner = re.sub(r"<refColumn>\d+", f"<refColumn>{column}", corner)
        return re.sub(r"<rangeTime>[^<]+", f"<rangeTime>{tau!r}", corner)

    text = re.sub(r"<sceneCornerCoord>.*?</sceneCornerCoord>", numbered, text, flags=re.S)
    terms = "".join(
        f'<coefficient exponent="{power}">{value!r}</coefficient>'
        for power, value in enumerate(axes.coefficients)
    )
    low, high = axes.ranges
    projected = (
        "</complexImageInfo><projectedImageInfo><slantToGroundRangeProjection>"
        f"<validityRangeMin>{low!r}</validityRangeMin><validityRangeMax>{high!r}</validityRangeMax>"
        f"<referencePoint>{axes.reference!r}</referencePoint>"
        f"<polynomialDegree>{len(axes.coefficients) - 1}</polynomialDegree>{terms}"
        "</slantToGroundRangeProjection></projectedImageInfo>"
    )
    text = text.replace("</complexImageInfo>", projected, 1)
    text = text.replace("IMAGE_HH_SRA_strip_011.cos", "IMAGE_HH_SRA_strip_011.tif")
    (product / f"{name}.xml").write_text(edit(text) if callable(edit) else text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # as delivered
        with rasterio.open(
            product / "IMAGEDATA" / "IMAGE_HH_SRA_strip_011.tif",
            "w",
            driver="GTiff",
            count=1,
            dtype="uint16",
            height=lines,
            width=samples,
        ) as file:
            file.write(image.astype("uint16"), 1)
    return product


def _metres(name: str, value: float) -> str:
    return f'<{name} units="m">{value!r}<'


@dataclass(frozen=True)
class GroundAxes:
    """Line of seconds after the scene's start, column of two-way range seconds."""

    shape: tuple[int, int]
    times: tuple[float, float]
    ranges: tuple[float, float]
    reference: float
    coefficients: tuple[float, ...]
    spacing: float
    turned: bool

    def line(self, t: float) -> float:
        begin, end = self.times
        along = (t - begin) / (end - begin) * (self.shape[0] - 1)
        return self.shape[0] - 1 - along if self.turned else along

    def column(self, tau: float) -> float:
        ground = np.polynomial.polynomial.polyval(tau - self.reference, self.coefficients)
        return float(ground) / self.spacing


def ground_axes(shared: Path, shape: tuple[int, int], *, turned: bool = True) -> GroundAxes:
    """Axes of the real scene in ground range: dG = c/2 dτ / sin θ, fitted by a cubic."""
    text = (shared / "tsx" / TSX1 / "ANNOTATION" / "GEOREF.xml").read_text()
    points = re.findall(
        r'<gridPoint iaz="61" irg="\d+">.*?<tau>([^<]+)<.*?<inc>([^<]+)<', text, re.S
    )
    near, far = 4.22716597608860812e-03, 4.36664673020162927e-03
    tau = np.array([near + float(one) for one, _ in points])
    slope = 149_896_229.0 / np.sin(np.radians([float(two) for _, two in points]))
    ground = np.concatenate([[0], np.cumsum(np.diff(tau) * (slope[1:] + slope[:-1]) / 2)])
    reference = (near + far) / 2
    scale = (far - near) / 2
    fitted = np.polynomial.polynomial.polyfit((tau - reference) / scale, ground, 3)
    coefficients = [float(c) / scale**power for power, c in enumerate(fitted)]
    first = np.polynomial.polynomial.polyval(near - reference, coefficients)
    coefficients[0] -= float(first)
    width = float(np.polynomial.polynomial.polyval(far - reference, coefficients))
    spacing = width / (shape[1] - 1)
    times = 0.0, 8.534585
    return GroundAxes(shape, times, (near, far), reference, tuple(coefficients), spacing, turned)


def settings(scenes: Path, workspace: Path | str = "run", **level1b: Any) -> RunConfig:
    rules = {"height": 1750.0, **level1b}
    return RunConfig.parse(
        {
            "workspace": str(workspace),
            "ingest": {
                "scenes": str(scenes),
                "chunk": 256,
                "level1b": rules,
                "precision": "full",
            },
        }
    )
