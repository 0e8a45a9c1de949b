"""The equivalent number of looks that a cube tells is that of its pixels."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import fft
from scipy.ndimage import binary_erosion
from support.small_products import ID, cut_product, settings

from cpazmal_scale.catalog.stac import stac_item
from cpazmal_scale.cube import append, open_cube
from cpazmal_scale.grid import lattice
from cpazmal_scale.scenes import (
    Scene,
    discover,
    equivalent_looks,
    overview,
    placed_on,
    scene_card,
)

Bound = Callable[[str, float, float], None]
ZONE = "EPSG:32612"
SHAPE = (900, 850)
BANDS = 2765 * 2.60924658505246043e-4, 1e8 * 9.10032937895266514e-9
"""The real product's bandwidths times its spacings."""


def speckle(bands: tuple[float, float], share: tuple[float, float] = (0.6, 0.6)) -> np.ndarray:
    """Complex noise whose spectrum has a Hamming window over a part of what is sampled."""
    random = np.random.default_rng(0)
    spectrum = random.normal(size=(*SHAPE, 2)).astype("f4").view("c8")[..., 0]
    for axis, (band, flat) in enumerate(zip(bands, share, strict=True)):
        at = fft.fftfreq(SHAPE[axis]) / band
        window = np.where(np.abs(at) <= 0.5, flat + (1 - flat) * np.cos(2 * np.pi * at), 0.0)
        spectrum *= np.expand_dims(window, 1 - axis).astype("f4")
    image = fft.ifft2(spectrum)
    image *= 100 / np.sqrt(np.mean(np.abs(image) ** 2))
    parts = np.stack([image.real, image.imag], -1)
    return np.rint(parts).astype("f4").view("c8")[..., 0]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Scene:
    folder = tmp_path_factory.mktemp("speckle")
    cut_product(shared_data, folder, speckle(BANDS))
    (found,) = discover(settings(folder, noise="keep", radiometry="beta0").ingest)
    return found


def cube_of(scene: Scene, url: Path, pixel: float = 3.0) -> Any:
    """The cube of a scene on pixels of so many metres."""
    onto = lattice.snapped(
        lattice.bounds_in(scene.geobox, ZONE, where=""), lattice.Preset(ZONE, pixel)
    )
    placed = placed_on(scene, onto)
    append(str(url), placed, grid=placed.geobox)
    return open_cube(str(url))


def seen_in(cube: Any) -> float:
    """Squared mean over variance of the pixels of its one date, its border left out."""
    power = cube["HH"].values[0].astype(float)
    inside = binary_erosion(np.isfinite(power), np.ones((3, 3)), iterations=2)
    return float(power[inside].mean() ** 2 / power[inside].var())


@pytest.mark.parametrize(("pixel", "said"), [(2.0, 1.365), (3.0, 1.63), (5.0, 3.557)])
def test_it_is_that_of_the_pixels(
    scene: Scene, tmp_path: Path, pixel: float, said: float, at_most: Bound
) -> None:
    """Of speckle made by its spectrum; an independent count of the real product at 3 m is 1.63."""
    cube = cube_of(scene, tmp_path / "c.zarr", pixel)
    assert cube.attrs["enl"] == pytest.approx(said, rel=0.002)
    at_most(
        "beside that of the pixels, relative", abs(seen_in(cube) / cube.attrs["enl"] - 1), 0.015
    )


def test_card_and_catalog_tell_it(scene: Scene, tmp_path: Path) -> None:
    cube = cube_of(scene, tmp_path / "c.zarr")
    properties = stac_item(str(tmp_path / "c.zarr"))["properties"]
    assert properties["sar:looks_equivalent_number"] == cube.attrs["enl"]
    said = dict(scene_card(scene, overview(scene)))
    assert said["looks"].startswith(f"{cube.attrs['enl']:.2f} equivalent looks")


def test_it_follows_the_annotation(scene: Scene, shared_data: Path, tmp_path: Path) -> None:
    """Half the bandwidth across and no window along; the cube tells the least of its dates."""

    def edit(text: str) -> str:
        for name, value in (("rangeLookBandwidth", "5e7"), ("azimuthWindowID", "None")):
            text = re.sub(rf"<{name}>[^<]*<", f"<{name}>{value}<", text)
        return text.replace("2008-03-10T", "2008-03-21T")

    values = speckle((BANDS[0], BANDS[1] / 2), share=(1.0, 0.6))
    product = cut_product(shared_data, tmp_path / "s", values, edit=edit)
    (product / f"{ID}.xml").rename(product / f"{ID.replace('20080310', '20080321')}.xml")
    georef = product / "ANNOTATION" / "GEOREF.xml"
    georef.write_text(georef.read_text().replace("2008-03-10T", "2008-03-21T"))
    (other,) = discover(settings(tmp_path / "s", noise="keep", radiometry="beta0").ingest)
    cube = cube_of(other, tmp_path / "c.zarr")
    assert cube.attrs["enl"] == pytest.approx(seen_in(cube), rel=0.015)
    told = {cube.attrs["enl"], equivalent_looks(scene, scene.geobox)}
    assert len(told) == 2
    for first, second in ((scene, other), (other, scene)):
        url = tmp_path / f"{first.start:%d}.zarr"
        cube_of(first, url)
        assert cube_of(second, url).attrs["enl"] == min(told)


def test_what_is_not_known_is_not_told(scene: Scene) -> None:
    (file,) = scene.files
    assert file.product is not None
    told = file.product.annotation
    done = replace(told.processing, azimuth_window=("KAISER", 2.0))
    for annotation in (replace(told, processing=done), replace(told, variant="MGD")):
        product = replace(file.product, annotation=annotation)
        other = replace(scene, files=(replace(file, product=product),))
        assert equivalent_looks(other, scene.geobox) is None
    raster = replace(scene, files=(replace(file, product=None),))
    assert equivalent_looks(raster, scene.geobox) is None
