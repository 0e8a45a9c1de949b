"""What is delivered of a pass: the raster of its image, and the product's name and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cpazmal_scale.simulate.radar.images import Noise


@dataclass(frozen=True)
class Raster:
    """The image as delivered: lines and samples, and what is between them.

    SSC: spacings are seconds. MGD: metres, `ground` the reference (two-way s) and coefficients of
    the ground range (m); `flipped`: the first line is the latest.
    """

    variant: Literal["SSC", "MGD"]
    lines: int
    samples: int
    line_spacing: float
    sample_spacing: float
    looks: tuple[float, float] = (1.0, 1.0)
    ground: tuple[float, tuple[float, ...]] | None = None
    flipped: bool = False


@dataclass(frozen=True)
class Product:
    """One product: its name and satellite, image files by polarisation, and relative orbit."""

    name: str
    sensor: str
    orbit: int
    raster: Raster
    images: tuple[tuple[str, int], ...]
    noise: tuple[Noise, ...]
    noise_removed: bool = False
