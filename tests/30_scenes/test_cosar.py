"""COSAR against GDAL's driver both ways, block by block, and its lying headers."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from cpazmal_scale.errors import SceneUnreadable
from cpazmal_scale.scenes.level1b.cosar import Cosar, write_burst

SHAPE = (70, 45)


def amplitudes(shape: tuple[int, int] = SHAPE, seed: int = 0, scale: float = 300.0) -> np.ndarray:
    parts = np.random.default_rng(seed).normal(0, scale, (*shape, 2))
    return np.rint(parts).astype("f4").view("c8")[..., 0]


def written(path: Path, values: np.ndarray, **options: Any) -> Path:
    with path.open("wb") as file:
        write_burst(file, np.array_split(values, 3), values.shape, **options)
    return path


def by_gdal(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, driver="COSAR") as raster:
            return raster.read(1).astype("c8")


@pytest.mark.parametrize("version", [1, 2])
def test_gdal_reads_what_is_written_and_the_other_way(tmp_path: Path, version: int) -> None:
    values = amplitudes()
    if version == 2:
        values = (values / 7).astype("c8")
    path = written(tmp_path / "a.cos", values, version=version)
    mine, valid = Cosar(path).read(slice(0, 70), slice(0, 45))
    assert valid.all()
    np.testing.assert_array_equal(mine, by_gdal(path))
    np.testing.assert_allclose(mine, values, rtol=2e-3 * (version - 1), atol=1e-2 * (version - 1))


def test_valid_ranges_agree_with_gdal(tmp_path: Path) -> None:
    values = amplitudes()
    begin, end = np.full(70, 4), np.full(70, 40)
    begin[10], end[10] = 1, 45
    path = written(tmp_path / "a.cos", values, valid_samples=(begin, end))
    mine, valid = Cosar(path).read(slice(0, 70), slice(0, 45))
    np.testing.assert_array_equal(mine, by_gdal(path))
    assert valid[0].sum() == 37
    assert valid[10].all()
    end[11] = 3  # nothing is valid
    path = written(tmp_path / "c.cos", values, valid_samples=(begin, end))
    assert not Cosar(path).read(slice(11, 12), slice(0, 45))[1].any()
    first = np.ones(45)
    first[5] = 30
    path = written(tmp_path / "b.cos", values, valid_lines=(first, np.full(45, 60)))
    _, valid = Cosar(path).read(slice(0, 70), slice(0, 45))
    np.testing.assert_array_equal(valid[:, 5], (np.arange(70) >= 29) & (np.arange(70) < 60))


def test_any_window_is_a_part_of_the_whole(tmp_path: Path) -> None:
    values = amplitudes()
    path = written(tmp_path / "a.cos", values)
    image = Cosar(path)
    for lines, samples in ((slice(0, 1), slice(44, 45)), (slice(13, 61), slice(3, 29))):
        np.testing.assert_array_equal(image.read(lines, samples)[0], values[lines, samples])


def test_several_bursts_are_one_image(tmp_path: Path) -> None:
    parts = [amplitudes((rows, 45), seed=rows) for rows in (20, 31, 25)]
    path = tmp_path / "scan.cos"
    with path.open("wb") as file:
        for number, part in enumerate(parts, start=1):
            write_burst(file, [part], part.shape, index=number)
    image = Cosar(path)
    assert image.shape == (76, 45)
    assert [burst.index for burst in image.bursts] == [1, 2, 3]
    whole = np.concatenate(parts)
    np.testing.assert_array_equal(image.read(slice(15, 60), slice(2, 45))[0], whole[15:60, 2:])
    np.testing.assert_array_equal(by_gdal(path), parts[0])


def test_tens_of_thousands_of_lines_are_not_read_at_once(tmp_path: Path) -> None:
    """A sparse file of 2.4 GB: a window costs what the window holds."""
    import tracemalloc

    lines, samples = 40_000, 15_000
    path = tmp_path / "long.cos"
    with path.open("wb") as file:
        write_burst(file, [np.zeros((1, samples), "c8")], (1, samples))
        file.truncate((lines + 4) * (samples + 2) * 4)
        _patch(file, {12: lines, 0: (lines + 4) * (samples + 2) * 4, 24: lines + 4})
    image = Cosar(path)
    assert image.shape == (lines, samples)
    tracemalloc.start()
    values, valid = image.read(slice(39_000, 39_100), slice(7000, 8000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values.shape == (100, 1000)
    assert not valid.any()
    assert peak < 8e6


def test_a_file_inside_another(tmp_path: Path) -> None:
    values = amplitudes()
    alone = written(tmp_path / "a.cos", values)
    inside = tmp_path / "archive"
    inside.write_bytes(b"x" * 1000 + alone.read_bytes() + b"y" * 512)
    image = Cosar(inside, offset=1000, size=alone.stat().st_size)
    np.testing.assert_array_equal(image.read(slice(0, 70), slice(0, 45))[0], values)


def _patch(file: Any, fields: dict[int, int]) -> None:
    for offset, value in fields.items():
        file.seek(offset)
        file.write(struct.pack(">I", value % 2**32))


LIES = {
    "burst size": {0: 17},
    "samples": {8: 46},
    "samples huge": {8: 2**31},
    "lines": {12: 71},
    "lines huge": {12: 2**32 - 1},
    "no lines": {12: 0, 24: 4, 0: 4 * 47 * 4},
    "line bytes": {20: 47 * 4 + 4},
    "all lines": {24: 73},
    "magic": {28: 0},
    "version": {32: 3},
    "consistent but too long": {12: 71, 24: 75, 0: 75 * 47 * 4},
    "consistent but too short": {12: 69, 24: 73, 0: 73 * 47 * 4},
}


@pytest.mark.parametrize("lie", LIES)
def test_lying_headers_are_refused(tmp_path: Path, lie: str) -> None:
    path = written(tmp_path / "a.cos", amplitudes())
    with path.open("r+b") as file:
        _patch(file, LIES[lie])
    with pytest.raises(SceneUnreadable, match=r"a\.cos"):
        Cosar(path)


def test_a_line_that_lies_about_its_samples_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.cos", amplitudes())
    with path.open("r+b") as file:
        _patch(file, {(4 + 30) * 47 * 4 + 4: 46})
    image = Cosar(path)
    assert image.read(slice(0, 30), slice(0, 45))[1].all()
    with pytest.raises(SceneUnreadable, match="46 of 45"):
        image.read(slice(0, 70), slice(0, 45))


def test_truncated_anywhere_it_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.cos", amplitudes()).read_bytes()
    path = tmp_path / "cut.cos"
    for length in np.linspace(0, len(whole) - 1, 50).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(SceneUnreadable):
            Cosar(path)


def test_half_floats_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.cos", amplitudes(), version=2)
    with path.open("r+b") as file:
        file.seek((4 + 5) * 47 * 4 + 40)
        file.write(b"\x7e\x00")
    with pytest.raises(SceneUnreadable, match="not finite"):
        Cosar(path).read(slice(0, 70), slice(0, 45))


def test_what_cannot_be_written() -> None:
    import io

    with pytest.raises(ValueError, match="do not fit"):
        write_burst(io.BytesIO(), [np.full((2, 20), 40_000, "c8")], (2, 20))
    with pytest.raises(ValueError, match="lines"):
        write_burst(io.BytesIO(), [np.zeros((2, 20), "c8")], (3, 20))
    with pytest.raises(ValueError, match="does not fit"):
        write_burst(io.BytesIO(), [np.zeros((3, 21), "c8")], (3, 20))
    with pytest.raises(ValueError, match="too few"):
        write_burst(io.BytesIO(), [np.zeros((2, 5), "c8")], (2, 5))
