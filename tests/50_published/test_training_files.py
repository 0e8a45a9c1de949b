"""Training files of the first generation, read, written and made into feature series."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from support import small_published as small

from cpazmal_scale.assess import Labelled
from cpazmal_scale.config import Features
from cpazmal_scale.errors import DatasetUnreadable, SampleError
from cpazmal_scale.features import windows as kernel
from cpazmal_scale.published.file import opened
from cpazmal_scale.published.repairs import Account
from cpazmal_scale.published.scenarios import temporal_stack
from cpazmal_scale.published.training import (
    is_training,
    read_training,
    training_series,
    write_training,
)
from cpazmal_scale.samples import WindowRule

DATES = ("2020-01-08", "2020-01-19", "2020-02-10")


def authors_file(path: Path, shape: tuple[int, ...], dates: list[str]) -> np.ndarray:
    """As `_save_h5` writes: compressed datasets of fixed-length text and numbers."""
    images = np.random.default_rng(1).gamma(2, 0.1, shape)
    count = shape[0]
    with h5py.File(path, "w") as file:
        file.create_dataset("img", shape, compression="gzip", data=images)
        labels = np.array(["ICA", "HAG"] * count)[:count].astype("S3")
        file.create_dataset("labels", labels.shape, compression="gzip", data=labels)
        groups = np.arange(count) // 2
        file.create_dataset("groups", groups.shape, compression="gzip", data=groups)
        org = np.array([f"ICA{g:03d}" for g in groups]).astype("S6")
        file.create_dataset("org", org.shape, compression="gzip", data=org)
        when = np.array(dates).astype("S")
        file.create_dataset("date", when.shape, compression="gzip", data=when)
    return images


@pytest.mark.parametrize("shape", [(7, 5, 5, 3), (7, 5, 5, 3, 2)])
def test_a_file_of_the_authors_is_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = authors_file(tmp_path / "ax2_spat_20_kfold.h5", shape, ["_".join(DATES)] * 7)
    found = read_training(str(tmp_path / "ax2_spat_20_kfold.h5"))
    np.testing.assert_array_equal(found.power, images.reshape(7, 5, 5, 3, -1).astype(np.float32))
    assert found.labels.tolist() == ["ICA", "HAG"] * 3 + ["ICA"]
    assert found.groups.tolist() == [0, 0, 1, 1, 2, 2, 3]
    assert found.group_names[-1] == "ICA003"
    assert found.dates == (DATES,) * 7


def test_single_dates_in_two_polarisations_are_told_from_two_dates(tmp_path: Path) -> None:
    authors_file(tmp_path / "a.h5", (4, 5, 5, 2), ["2020-01-08"] * 4)
    authors_file(tmp_path / "b.h5", (4, 5, 5, 2), ["2020-01-08_2020-01-19"] * 4)
    assert read_training(str(tmp_path / "a.h5")).power.shape == (4, 5, 5, 1, 2)
    assert read_training(str(tmp_path / "b.h5")).power.shape == (4, 5, 5, 2, 1)


def test_windows_are_written_and_read_back_identical(tmp_path: Path) -> None:
    path = str(tmp_path / "out" / "ax4_spat_20_kfold_HV&HH.h5")
    with opened(str(small.write(tmp_path / "x.hdf5"))) as chips:
        made = temporal_stack(chips, WindowRule(size=5, min_valid=1.0))
    write_training(made, path)
    found = read_training(path)
    np.testing.assert_array_equal(found.power, made.X)
    assert found.labels.tolist() == [made.class_names[code] for code in made.y]
    assert found.group_names.tolist() == [made.group_names[g] for g in made.groups]
    assert found.groups.tolist() == made.groups.tolist()
    assert set(found.dates) == {("2020-01-10", "2020-06-02")}


def test_series_of_windows_with_other_dates_share_a_timeline(tmp_path: Path) -> None:
    later = ("2020-01-08", "2020-02-21", "2020-03-03")
    dates = ["_".join(DATES)] * 4 + ["_".join(later)] * 3
    authors_file(tmp_path / "x.h5", (7, 5, 5, 3, 2), dates)
    found = read_training(str(tmp_path / "x.h5"))
    series = training_series(found, Features(window=5))
    assert series.values.shape == (7, 9, 5)
    assert np.datetime_as_string(series.dates, "D").tolist() == sorted({*DATES, *later})
    np.testing.assert_array_equal(np.isnan(series.values[0, 0]), [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(np.isnan(series.values[6, 0]), [0, 1, 1, 0, 0])
    alone = kernel.window_series(np.transpose(found.power[6:], (0, 4, 3, 1, 2)).copy())
    np.testing.assert_allclose(series.values[6][:, [0, 3, 4]], alone[0], rtol=1e-5)
    with pytest.raises(SampleError, match=r"5 pixels wide, features.window is 7"):
        training_series(found, Features())


def test_resampled_rims_are_no_data(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    authors_file(path, (4, 5, 5, 3), ["_".join(DATES)] * 4)
    with h5py.File(path, "r+") as file:
        file["img"][2, 0, 0, 0] = -300.0
    account = Account()
    assert np.isnan(read_training(str(path), account).power).sum() == 1
    assert account.findings()[0].defect == "resampling_rim"


def test_a_training_file_is_described_and_not_taken_for_chips(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    authors_file(path, (7, 5, 5, 3, 2), ["_".join(DATES)] * 7)
    assert is_training(str(path))
    assert not is_training(str(small.write(tmp_path / "chips.hdf5")))
    assert str(read_training(str(path))).splitlines() == [
        "7 windows of 5 x 5 pixels, 3 dates, 2 polarisations",
        "HAG          3 windows in 3 groups",
        "ICA          4 windows in 4 groups",
    ]
    with pytest.raises(DatasetUnreadable, match="holds windows, not chips"), opened(str(path)):
        pass


def test_methods_are_compared_on_a_training_file(tmp_path: Path) -> None:
    """From the talk's kind of file to figures of merit, groups kept whole."""
    from cpazmal_scale.assess import cross_validate
    from cpazmal_scale.config import RunConfig

    path = str(tmp_path / "ax4.h5")
    with opened(str(small.write(tmp_path / "x.hdf5"))) as chips:
        made = temporal_stack(chips, WindowRule(size=5), orbit="DSC", start=None, end=None)
    write_training(made, path)
    windows = read_training(path)
    few = {"dtw": {"min_dates": 2}, "assess": {"folds": 2, "repeats": 1}}
    config = RunConfig.parse({"features": {"window": 5}, **few})
    series = training_series(windows, config.features)
    found = cross_validate(
        Labelled(series, windows.labels, windows.group_names),
        config,
        methods=("DTW barycenter (sum)", "random forest"),
    )
    assert found.classes == ("ABL", "ICA")
    assert found.folds.groupby("method")["macro_f1"].mean().min() > 0.9


@pytest.mark.parametrize(
    ("name", "words"),
    [("labels", "no member labels"), ("groups", "differ in number"), ("date", "its dates 1")],
)
def test_other_layouts_are_refused(tmp_path: Path, name: str, words: str) -> None:
    path = tmp_path / "x.h5"
    authors_file(path, (4, 5, 5, 3), ["_".join(DATES)] * 4)
    with h5py.File(path, "r+") as file:
        del file[name]
        if name == "groups":
            file["groups"] = np.arange(3)
        elif name == "date":
            file["date"] = np.array(["2020-01-08"] * 4).astype("S")
    with pytest.raises(DatasetUnreadable, match=words):
        read_training(str(path))
