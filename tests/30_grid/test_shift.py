"""How far an image lies off, against scenes drawn at known places."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cpazmal_scale.grid.shift import Shift, measure_shift

EDGE = 160


def scene(rows: float, columns: float, seed: int, looks: int = 9) -> NDArray[np.float32]:
    """Logarithms of power of ridges and a lake, moved down and right; speckle of its own."""
    y, x = np.mgrid[:EDGE, :EDGE].astype(float)
    y, x = y - rows, x - columns
    ground = 2 * np.sin(x / 5 + np.sin(y / 9)) + 1.5 * np.cos(y / 4 + x / 11)
    ground -= 4.0 * (np.hypot(y - 70, x - 90) < 22)
    speckle = np.random.default_rng(seed).gamma(looks, 1 / looks, ground.shape)
    return (ground / 2 + np.log(speckle)).astype(np.float32)


@pytest.mark.parametrize(
    ("rows", "columns"), [(0, 0), (1, -2), (0.4, 0.7), (-2.3, 0.15), (3.1, -3.2)]
)
def test_a_known_shift_is_found(rows: float, columns: float) -> None:
    found = measure_shift(scene(rows, columns, 1), scene(0, 0, 2))
    assert found is not None
    assert found.rows == pytest.approx(rows, abs=0.06)
    assert found.columns == pytest.approx(columns, abs=0.06)
    assert found.length == pytest.approx(np.hypot(rows, columns), abs=0.09)


def points(rows: float, columns: float, seed: int) -> NDArray[np.float32]:
    """Logarithms of power of points, as wide as a radar's resolution, above speckle."""
    y, x = np.mgrid[:EDGE, :EDGE].astype(float)
    power = np.random.default_rng(seed).gamma(2, 1 / 2, y.shape)
    for row, column in np.random.default_rng(1).uniform(8, EDGE - 8, (150, 2)):
        power += 300 * np.exp(-((y - rows - row) ** 2) - (x - columns - column) ** 2)
    return np.log(power).astype(np.float32)


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (0.37, -0.61), (-2.4, 1.15)])
def test_points_are_placed_by_all_their_frequencies(rows: float, columns: float) -> None:
    """They are sharp where slopes are not."""
    apart = []
    for seed in (10, 20, 30):
        images = points(rows, columns, seed), points(0, 0, seed + 1)
        for likeliest in (False, True):
            found = measure_shift(*images, likeliest=likeliest)
            assert found is not None
            apart.append(np.hypot(found.rows - rows, found.columns - columns))
    band, likely = (np.sqrt(np.mean(np.square(apart[number::2]))) for number in (0, 1))
    assert max(apart[1::2]) < 0.035
    assert likely < 0.8 * band


@pytest.mark.parametrize(("rows", "columns"), [(0.8, -0.6), (-1.5, 0.3), (0.5, -0.5)])
def test_gaps_do_not_pull(rows: float, columns: float) -> None:
    """A fifth of the pixels is missing in patches, the same of both images, as layover is."""
    image, reference = scene(rows, columns, 3), scene(0, 0, 4)
    noise = gaussian_filter(np.random.default_rng(5).normal(size=image.shape), 3)
    image[noise > np.quantile(noise, 0.8)] = np.nan
    reference[np.isnan(image)] = np.nan
    found = measure_shift(image, reference)
    assert found is not None
    assert np.hypot(found.rows - rows, found.columns - columns) < 0.15


def test_nothing_is_said_where_nothing_can_be_known() -> None:
    speckle = [
        np.log(np.random.default_rng(seed).exponential(1, (EDGE, EDGE))).astype(np.float32)
        for seed in (5, 6)
    ]
    assert measure_shift(*speckle) is None, "speckle alone has no place"
    assert measure_shift(scene(9, 0, 7), scene(0, 0, 8)) is None, "further than is looked for"
    assert measure_shift(scene(0, 0, 7)[:20], scene(0, 0, 8)[:20]) is None, "too small"
    holes = scene(0, 0, 9)
    holes[: EDGE * 2 // 3] = np.nan
    assert measure_shift(holes, scene(0, 0, 10)) is None, "too few pixels in common"


def test_words_say_columns_and_rows() -> None:
    assert str(Shift(0.25, -1.5)) == "-1.50 columns and +0.25 rows"
