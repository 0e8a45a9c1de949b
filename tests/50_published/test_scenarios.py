"""The authors' window rule and learning scenarios, beside plain twins of their code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import small_published as small

from cpazmal_scale.errors import SampleError
from cpazmal_scale.published.expected import STACKS, check_counts, check_windows
from cpazmal_scale.published.file import PublishedFile, opened
from cpazmal_scale.published.scenarios import (
    geometry_adaptation,
    polarisation_adaptation,
    temporal_prediction,
    temporal_stack,
)
from cpazmal_scale.samples import WindowRule, to_scale


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedFile]:
    path = small.write(tmp_path_factory.mktemp("published") / "CPAZMaL.hdf5")
    with opened(str(path)) as file:
        yield file


def authors_windows(
    image: np.ndarray, mask: np.ndarray, rule: WindowRule, offset: tuple[int, int] = (0, 0)
) -> list[tuple[int, int]]:
    """Their rule, window by window, with their codes: 2 and more is shadow."""
    stride, size, found = rule.stride or rule.size, rule.size, []
    for y in range(offset[0], mask.shape[0] - size + 1, stride):
        for x in range(offset[1], mask.shape[1] - size + 1, stride):
            box = slice(y, y + size), slice(x, x + size)
            known = np.isfinite(image[box]).all(axis=3)
            bad = np.any((mask[box] >= 2) & (mask[box] < 4) | (mask[box] == 32) & known, axis=-1)
            valid = known.all(axis=2)
            if bad.mean() <= rule.max_masked and valid.mean() >= rule.min_valid:
                found.append((y, x))
    return found


def authors_best_offset(image: np.ndarray, mask: np.ndarray, rule: WindowRule) -> Any:
    stride = rule.stride or rule.size
    most = min(stride, rule.size)
    offsets = [
        (y, x)
        for y in range(most)
        for x in range(most)
        if y + rule.size <= mask.shape[0] and x + rule.size <= mask.shape[1]
    ]
    counts = [len(authors_windows(image, mask, rule, offset)) for offset in offsets]
    return offsets[int(np.argmax(counts))]


@pytest.mark.parametrize("seed", range(12))
def test_windows_are_those_of_the_authors_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(4, 40, 2).tolist())
    image = rng.gamma(2, 1, (*shape, 3, 2)).astype(np.float32)
    image[rng.random(shape) < 0.05] = np.nan
    mask = rng.choice([0, 1, 2, 3, 32], (*shape, 3), p=[0.85, 0.09, 0.02, 0.02, 0.02])
    mask = mask.astype(np.uint8)
    rule = WindowRule(
        size=int(rng.integers(2, 9)),
        stride=None if seed % 3 else int(rng.integers(1, 12)),
        max_masked=float(rng.choice([0, 0.1, 0.4])),
        min_valid=float(rng.choice([0.3, 0.8, 1.0])),
    )
    assert [tuple(c) for c in rule.corners(image, mask).tolist()] == authors_windows(
        image, mask, rule
    )
    best = WindowRule(**{**vars(rule), "best_offset": True})
    if min(shape) >= rule.size:
        expected = authors_windows(image, mask, rule, authors_best_offset(image, mask, rule))
        assert [tuple(c) for c in best.corners(image, mask).tolist()] == expected
    else:
        assert len(best.corners(image, mask)) == 0


def test_layover_is_a_flag_not_a_rank() -> None:
    """`max_mask_value=1` let layover pass and refused shadow; here each flag is named."""
    image = np.ones((4, 4, 1), np.float32)
    layover, shadow = np.full((4, 4, 1), 1, np.uint8), np.full((4, 4, 1), 2, np.uint8)
    only_layover = WindowRule(size=4, masked=("layover",), max_masked=0)
    only_shadow = WindowRule(size=4, masked=("shadow",), max_masked=0)
    assert [len(only_layover.corners(image, m)) for m in (layover, shadow)] == [0, 1]
    assert [len(only_shadow.corners(image, m)) for m in (layover, shadow)] == [1, 0]


def test_scales() -> None:
    power = np.array([0.01, 4, np.nan, -0.02], np.float32)
    assert to_scale(power, "intensity") is power
    np.testing.assert_allclose(to_scale(power, "amplitude"), [0.1, 2, np.nan, np.nan], rtol=1e-6)
    np.testing.assert_allclose(to_scale(power, "dB"), [-20, 6.0206, np.nan, np.nan], rtol=1e-5)


def stack_of(name: str, orbit: str, channels: str, dates: list[int]) -> np.ndarray:
    shape = small.GROUPS[name][1]
    stacks = [
        np.stack([small.chip(name, orbit, channel, t, shape) for t in dates], axis=-1)
        for channel in channels.split()
    ]
    values = np.stack(stacks, axis=-1)
    return np.where(values == small.NODATA, np.nan, values)


def test_stacks_hold_every_window_of_every_group(published: PublishedFile) -> None:
    """The authors' version kept the first window of each group only."""
    rule = WindowRule(size=6)
    found = temporal_stack(published, rule, orbit="ASC", scale="amplitude")
    assert found.dates == ("20200110", "20200602")
    assert found.class_names == ("ABL", "ICA")
    assert found.group_names == ("ABL001", "ABL005", "ICA001", "ICA002")
    assert found.X.shape[1:] == (6, 6, 2, 2)
    assert found.X.dtype == np.float32
    row = 0
    for number, name in enumerate(found.group_names):
        image = stack_of(name, "ASC", "HH HV", [0, 1])
        masks = [small.mask(np.nan_to_num(image[..., t, 0], nan=-999), t) for t in (0, 1)]
        codes = np.stack(masks, axis=-1)
        corners = authors_windows(image, np.where(codes == -127, 32, codes), rule)
        assert len(corners) > 1
        for corner in corners:
            y, x = corner
            assert tuple(found.positions[row]) == corner
            assert found.groups[row] == number
            assert found.class_names[found.y[row]] == small.GROUPS[name][0]
            expected = np.sqrt(image[y : y + 6, x : x + 6])
            np.testing.assert_allclose(found.X[row], expected, rtol=1e-6)
            row += 1
    assert row == len(found.X) == sum(found.counts().values())
    assert found.left_out == {}


def test_prediction_has_the_same_windows_later(published: PublishedFile) -> None:
    pair = temporal_prediction(published, WindowRule(size=6, min_valid=0.9))
    assert pair.source.dates == ("20200108", "20200804")
    assert pair.target.dates == ("20201111",)
    np.testing.assert_array_equal(pair.source.positions, pair.target.positions)
    np.testing.assert_array_equal(pair.source.groups, pair.target.groups)
    valid = np.isfinite(pair.target.X).all(axis=(3, 4)).mean(axis=(1, 2))
    assert (valid >= 0.9).all()
    name = pair.source.group_names[pair.source.groups[0]]
    y, x = pair.source.positions[0]
    later = stack_of(name, "DSC", "HH", [2])[y : y + 6, x : x + 6]
    np.testing.assert_array_equal(pair.target.X[0], later)
    with pytest.raises(SampleError, match="let the periods follow each other"):
        temporal_prediction(published, train=("20200101", "20201231"))


def test_prediction_refuses_windows_that_are_lost_later(tmp_path: Path) -> None:
    """The authors checked the mask only of the windows to predict."""
    import h5py

    path = small.write(tmp_path / "x.hdf5")
    rule = WindowRule(size=6, min_valid=0.9)
    with opened(str(path)) as file:
        before = temporal_prediction(file, rule)
    with h5py.File(path, "r+") as file:
        images = file["data/ABL001/DSC/HH/images"]
        image = images[:, :, 2]
        image[:18] = small.NODATA
        images[:, :, 2] = image
    with opened(str(path)) as file:
        after = temporal_prediction(file, rule)
    first = before.source.group_names.index("ABL001")
    lost = (before.source.groups == first) & (before.source.positions[:, 0] < 18)
    assert lost.sum() > 0
    assert len(after.source.X) == len(after.target.X) == len(before.source.X) - lost.sum()


def test_polarisations_are_compared_at_the_same_places(published: PublishedFile) -> None:
    pair = polarisation_adaptation(published, WindowRule(size=6))
    assert (pair.source.polarisations, pair.target.polarisations) == (("HH",), ("HV",))
    assert pair.source.dates == pair.target.dates == ("20200804",)
    np.testing.assert_array_equal(pair.source.positions, pair.target.positions)
    name = pair.source.group_names[pair.source.groups[-1]]
    y, x = pair.source.positions[-1]
    for side, channel in ((pair.source, "HH"), (pair.target, "HV")):
        expected = stack_of(name, "DSC", channel, [1])[y : y + 6, x : x + 6]
        np.testing.assert_array_equal(side.X[-1], expected)
    assert np.isfinite(pair.source.X).mean() > 0.5


def test_geometries_share_groups_not_windows(published: PublishedFile) -> None:
    pair = geometry_adaptation(published, WindowRule(size=6))
    assert pair.source.dates == ("20210127",)
    assert pair.target.dates == ("20210214",)
    assert pair.source.group_names == pair.target.group_names
    assert len(pair.source.X) > 4
    assert len(pair.target.X) > 4
    dual = geometry_adaptation(
        published,
        WindowRule(size=6),
        days=("20200108", "20200110"),
        polarisations=(("HH", "HV"), ("HH", "HV")),
    )
    assert dual.source.X.shape[-1] == 2


def test_groups_without_windows_are_named(published: PublishedFile) -> None:
    found = temporal_stack(published, WindowRule(size=28, min_valid=0.3))
    assert set(found.left_out) == {"ABL005", "ICA001", "ICA002"}
    assert set(found.left_out.values()) == {"no window satisfies the rule"}
    with pytest.raises(SampleError, match=r"no window in ASC HH\+VV .* has no series ASC/VV"):
        temporal_stack(published, polarisations=("HH", "VV"))
    with pytest.raises(SampleError, match="no date of HH in the period"):
        polarisation_adaptation(published, day="20190101")


def test_counts_are_compared_with_the_published_ones(published: PublishedFile) -> None:
    checks = {check.what: check for check in check_counts(published)}
    assert (checks["series"].expected, checks["series"].found) == (276, 20)
    assert not checks["series"].agrees
    assert checks["acquisitions"].found == 8
    assert str(checks["groups of ABL"]) == "groups of ABL: 2 (differs: expected 7)"
    assert sum(STACKS.values()) == 17249


def test_the_real_file_has_the_published_counts() -> None:
    """Acceptance: for holders of the file (`CPAZMAL_H5=/path`)."""
    import os

    path = os.environ.get("CPAZMAL_H5")
    if not path:
        pytest.skip("set CPAZMAL_H5 to the published CPAZMaL.hdf5")
    with opened(path) as file:
        wrong = [check for check in check_counts(file) if not check.agrees]
        wrong += [check for check in check_windows(file) if not check.agrees]
        assert wrong == []
