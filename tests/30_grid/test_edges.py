"""Windows and pixels that polygons cover, against shapely's own answer for every single one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import rioxarray  # noqa: F401
import shapely
import xarray as xr

from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid.edges import PixelEdges

LEFT, TOP, STEP, HEIGHT, WIDTH = 334_000.0, 5_080_000.0, 3.0, 40, 56


def cube(down: float = -STEP) -> xr.Dataset:
    y = TOP + down * (np.arange(HEIGHT) + 0.5)
    x = LEFT + STEP * (np.arange(WIDTH) + 0.5)
    return xr.Dataset(coords={"y": y, "x": x}).rio.write_crs("EPSG:32632")


def square(y: float, x: float, size: float, down: float = -STEP) -> shapely.Polygon:
    """The ground of `size` pixels from a corner that counts in pixels."""
    top, bottom = TOP + down * y, TOP + down * (y + size)
    return shapely.box(
        LEFT + STEP * x, min(top, bottom), LEFT + STEP * (x + size), max(top, bottom)
    )


def blob(seed: int) -> shapely.Polygon:
    """A star of random rays around a random place, with a hole."""
    rng = np.random.default_rng(seed)
    at = LEFT + STEP * rng.uniform(10, WIDTH - 10), TOP - STEP * rng.uniform(10, HEIGHT - 10)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 17))
    rays = STEP * rng.uniform(6, 28, 17)
    star = shapely.Polygon(
        np.stack([at[0] + rays * np.cos(angles), at[1] + rays * np.sin(angles)], 1)
    ).buffer(0)
    return star - shapely.Point(*at).buffer(5.0)


@pytest.mark.parametrize("seed", range(6))
def test_pixels_are_those_that_the_shape_covers(seed: int) -> None:
    shape = blob(seed)
    rows, columns = PixelEdges(cube()).pixels_inside(shape)
    every = itertools.product(range(HEIGHT), range(WIDTH))
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {
        (y, x) for y, x in every if shape.covers(square(y, x, 1))
    }
    assert len(rows)


@pytest.mark.parametrize("down", [-STEP, STEP])
@pytest.mark.parametrize(("size", "stride"), [(7, 7), (5, 2), (1, 1)])
def test_windows_lie_wholly_inside(size: int, stride: int, down: float) -> None:
    """A step of one finds every covered window; a larger one a lattice of them."""
    shape = square(3, 4, 24, down) - square(12, 14, 3, down)
    edges = PixelEdges(cube(down))
    ys, xs = edges.windows_inside(shape, size, stride)
    found = set(zip(ys.tolist(), xs.tolist(), strict=True))
    every = {
        (y, x)
        for y, x in itertools.product(range(HEIGHT - size + 1), range(WIDTH - size + 1))
        if shape.covers(square(y, x, size, down))
    }
    assert found == {(y, x) for y, x in every if (y - 3) % stride == 0 and (x - 4) % stride == 0}


def test_a_polygon_along_the_edges_keeps_its_border_pixels() -> None:
    """Coordinates rounded to a micrometre do not cost the row that they touch."""
    shape = shapely.set_precision(square(5, 6, 7), 1e-6)
    ys, xs = PixelEdges(cube()).windows_inside(shape, 7, 7)
    assert (ys.tolist(), xs.tolist()) == ([5], [6])
    assert len(PixelEdges(cube()).pixels_inside(shape)[0]) == 49


def test_what_lies_beyond_the_cube_is_left_out() -> None:
    edges = PixelEdges(cube())
    ys, xs = edges.windows_inside(square(-5, -5, 12), 7, 7)
    assert (ys.tolist(), xs.tolist()) == ([0], [0])
    for found in (
        *edges.windows_inside(square(-30, 0, 9), 7, 7),
        *edges.pixels_inside(square(0, 90, 9)),
    ):
        assert found.size == 0


def test_a_cube_without_a_crs_is_refused() -> None:
    bare = cube().drop_vars("spatial_ref")
    bare.attrs["beam"] = "DSC37"
    with pytest.raises(SampleError, match="DSC37: the cube has no CRS"):
        PixelEdges(bare)
