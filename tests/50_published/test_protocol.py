"""The authors' protocol: its windows, its runs, and the command with their figures beside."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from support import small_published

from cpazmal_scale.cli import dataset
from cpazmal_scale.errors import SampleError
from cpazmal_scale.published import protocol
from cpazmal_scale.published.gathering import LabelledWindows
from cpazmal_scale.published.protocol import Run
from cpazmal_scale.published.simulated import SimulatedChips
from cpazmal_scale.simulate.campaign import campaign


def windows(levels: dict[str, float], *, polygons: int = 3, each: int = 14) -> LabelledWindows:
    """Speckled windows whose season has a level of the class, on 8 dates."""
    random = np.random.default_rng(0)
    names = tuple(sorted(levels))
    season = 1 + 0.3 * np.sin(np.arange(8))
    parts, y, groups = [], [], []
    for code, name in enumerate(names):
        for polygon in range(polygons):
            speckle = random.gamma(3, 1 / 3, (each, 12, 12, 8, 1))
            parts.append(np.sqrt(levels[name] * season[:, None] * speckle))
            y += [code] * each
            groups += [polygons * code + polygon] * each
    pixels = np.concatenate(parts).astype(np.float32)
    return LabelledWindows(
        X=pixels,
        masks=np.zeros(pixels.shape[:4], np.uint8),
        y=np.array(y),
        groups=np.array(groups),
        positions=np.zeros((len(y), 2), np.int64),
        dates=tuple(f"202001{day:02d}" for day in range(1, 9)),
        polarisations=("HH",),
        class_names=names,
        group_names=tuple(map(str, range(polygons * len(names)))),
        left_out={},
    )


@pytest.mark.parametrize("split", ["windows", "polygons"])
@pytest.mark.parametrize("by", ["1-NN", "barycenter"])
@pytest.mark.parametrize("view", ["raw", "parameters", "WaSPS"])
def test_classes_far_apart_are_told_apart(view, by, split) -> None:
    run = Run(view, 0.01, by, split, 0.5)
    (made,) = protocol.protocol(
        windows({"ABL": 0.02, "ROC": 2.0, "FOR": 40.0}), runs=(run,), seeds=2
    )
    assert made.mean > 0.95
    assert made.difference == pytest.approx(made.mean - 0.5)
    assert "published: 0.500 (+0." in str(made)


def test_equal_classes_are_guessed() -> None:
    runs = [one for one in protocol.RUNS if one.gamma == 0.001]
    for made in protocol.protocol(windows({"ABL": 0.1, "ROC": 0.1}), runs=runs, seeds=4):
        assert 0.25 < made.mean < 0.75, made


def test_held_out_sides_share_no_window_and_no_polygon() -> None:
    given = windows({"ABL": 0.1, "ROC": 0.2, "HAG": 0.3}, polygons=4, each=20)
    kept = np.flatnonzero(given.y != given.class_names.index("HAG"))
    for split in ("windows", "polygons"):
        random = np.random.default_rng(1)
        train, test = protocol.sides(given.y[kept], given.groups[kept], split, random)
        assert not set(train) & set(test)
        if split == "windows":
            assert np.bincount(given.y[kept][train]).max() == protocol.TRAIN
            assert np.bincount(given.y[kept][test]).max() == protocol.TEST
        else:
            assert not set(given.groups[kept][train]) & set(given.groups[kept][test])
            assert len(train) == 120
    views, y, _ = protocol.views_of(given)
    assert set(y) == {0, 2}
    assert views["raw"].shape == (160, 144, 8)


def test_classes_stay_as_unequal_as_their_windows_where_polygons_are_held_out() -> None:
    y = np.repeat([0, 1], [3000, 300])
    groups = np.arange(3300) // 100
    train, test = protocol.sides(y, groups, "polygons", np.random.default_rng(0))
    assert np.bincount(y[train]).tolist() == [709, 71]
    assert np.bincount(y[test]).tolist() == [1000, 100]
    assert not set(groups[train]) & set(groups[test])


def test_other_classes_are_refused() -> None:
    with pytest.raises(SampleError, match="fewer than two of ABL"):
        protocol.protocol(windows({"HAG": 0.1, "ABL": 0.2}), seeds=1)


def test_simulated_chips_are_the_campaign_s_pixels(tmp_path: Path) -> None:
    day = date(2020, 8, 4)
    made = campaign(
        tmp_path, size=256, seed=7, grid="authors", beams=("DSC37",), start=day, end=day
    )
    chips = SimulatedChips(7, 256)
    assert {one.label for one in chips.groups.values()} == set(made.polygons)
    seen = 0
    with rasterio.open(made.files[0]) as raster:
        scene = raster.read(1)
        for series in chips.series[::9]:
            power, mask = chips.read(series, series.dates.index("20200804"))
            row = round((raster.transform.f - series.transform.f) / raster.res[0])
            column = round((series.transform.c - raster.transform.c) / raster.res[0])
            place = scene[row : row + series.shape[0], column : column + series.shape[1]]
            known = np.isfinite(power)
            seen += int(known.sum())
            assert (power[known] == place[known]).all()
            assert (mask[~known] != 0).all()
    assert seen > 400


def test_beams_of_one_campaign_see_the_same_polygons() -> None:
    beams = ("DSC37", "ASC45")
    one, other = (SimulatedChips(7, 256, beam, among=beams) for beam in beams)
    assert one.groups == other.groups
    transforms = [{s.group: s.transform for s in chips.series} for chips in (one, other)]
    assert transforms[0] == transforms[1]
    assert {s.orbit for s in other.series} == {"ASC"}


def test_the_command_runs_on_a_published_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = {
        f"{code}{number:03d}": (code, (44, 48), (20 + 60 * row, 20 + 60 * number))
        for row, code in enumerate(("ABL", "ICA"))
        for number in range(1, 4)
    }
    monkeypatch.setattr(small_published, "GROUPS", small_published.GROUPS | groups)
    days = {f"2020{month:02d}08": 37.8 for month in range(1, 7)}
    file = small_published.write(tmp_path / "a.hdf5", calendar={("DSC", "HH"): days}, groups=groups)
    dataset.protocol(str(file), seeds=1, threads=1)
    told = capsys.readouterr().out
    assert "12 x 12 windows of DSC HH on 6 dates: ABL" in told
    assert "fewer than 40 windows" in told
    lines = [line for line in told.splitlines() if "published:" in line]
    assert len(lines) == len(protocol.RUNS)
    assert all(" ± " in line for line in lines)
    assert sum("macro" in line for line in lines) == 3
    assert "of 15 published figures within 0.05" in told
