"""Model: what is saved opens as the same classifier, on disk and S3; no pickle, no half model."""

from __future__ import annotations

import json
import types

import numpy as np
import pytest
import xarray as xr

from cpazmal_scale import features, model, storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.methods import method
from cpazmal_scale.errors import ModelMismatch, SampleError, StoreDamaged, StoreError, StoreMissing
from cpazmal_scale.execute import DaskExecutor, Executor, SerialExecutor, ThreadExecutor
from cpazmal_scale.model import Workers, barycenters_figure, model_card


def windows(seed: int = 0, classes: str = "AB", per_class: int = 12):
    """Two classes whose seasons differ, on nine features and fourteen dates."""
    rng = np.random.default_rng(seed)
    dates = np.datetime64("2020-01-08", "s") + np.arange(14) * np.timedelta64(11 * 86400, "s")
    season = np.sin(np.arange(14) / 13 * np.pi)
    values, labels, groups = [], [], []
    for c, code in enumerate(classes):
        for i in range(per_class):
            values.append(rng.normal(0, 0.3, (9, 14)) + season * (1 if c == 0 else -1))
            labels.append(code)
            groups.append(f"{code}{i % 3:03d}")
    names = features.names(("HH", "HV"))
    series = types.SimpleNamespace(values=np.array(values, "f4"), names=names, dates=dates)
    return series, labels, groups


def trained(workers: Workers | None = None, **settings):
    series, labels, groups = windows()
    config = RunConfig.parse({"classify": {"method": "sum"}, **settings})
    made = model.train(
        series,
        labels,
        groups,
        config,
        polarisations=("HH", "HV"),
        provenance={"cube": "x"},
        workers=workers,
    )
    return series, made


@pytest.mark.parametrize("place", ["local", "s3"])
def test_saved_and_opened_it_decides_the_same(place: str, request, tmp_path) -> None:
    url = f"{tmp_path}/m.zarr" if place == "local" else request.getfixturevalue("s3_url") + "/m"
    series, made = trained()
    model.save_model(made, url)
    again = model.open_model(url)
    assert (again.id, again.classes, again.names) == (made.id, ("A", "B"), made.names)
    assert (again.features, again.polarisations) == (made.features, ("HH", "HV"))
    np.testing.assert_array_equal(again.dates, made.dates)
    for ours, theirs in zip(
        again.classifier.decide(series.values), made.classifier.decide(series.values), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert (again.classifier.predict(series.values) == np.repeat(["A", "B"], 12)).mean() > 0.95


def test_opens_as_labelled_arrays(tmp_path) -> None:
    _, made = trained()
    model.save_model(made, f"{tmp_path}/m.zarr")
    data = xr.open_zarr(f"{tmp_path}/m.zarr", consolidated=False)
    assert data.barycenters.dims == ("class", "centroid", "feature", "time")
    assert data.barycenters.sel({"class": "A", "feature": "HH.k1"}).shape == (1, 14)
    assert not any(b"pickle" in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_means_of_windows_are_kept_where_averages_are_warped(tmp_path) -> None:
    (series, labels, _), made = windows(), trained()[1]
    model.save_model(made, f"{tmp_path}/m.zarr")
    again = model.open_model(f"{tmp_path}/m.zarr")
    means = [np.nanmean(series.values[np.array(labels) == code], axis=0) for code in "AB"]
    np.testing.assert_allclose(again.means, means, rtol=1e-6)
    later = np.concatenate([series.dates[7:], series.dates[:7] + np.timedelta64(366, "D")])
    order = [*range(7, 14), *range(7)]
    np.testing.assert_array_equal(again.means_on(later), again.means[..., order])
    assert trained(classify={"method": "euclid-sum"})[1].means is None


def test_identity_follows_settings_and_samples() -> None:
    assert trained()[1].id == trained()[1].id
    assert trained()[1].id != trained(seed=1)[1].id
    assert trained()[1].id != trained(dtw={"radius": 3})[1].id


def test_one_class_is_refused() -> None:
    series, labels, groups = windows(classes="A")
    with pytest.raises(SampleError, match="one class cannot be told from none: A"):
        model.train(series, labels, groups, RunConfig(), polarisations=("HH", "HV"), provenance={})


def test_another_year_is_aligned_by_season() -> None:
    _, made = trained()
    year_later = made.dates + np.timedelta64(366 * 86400, "s")
    later, own = made.on_dates(year_later), made.on_dates(made.dates)
    np.testing.assert_array_equal(later.limits, own.limits)
    assert made.on_dates(made.dates[::2]).limits.shape == (7, 2)
    with pytest.raises(ModelMismatch, match="no date in this period"):
        made.on_dates(made.dates[:0])


def test_a_half_written_model_is_no_model(tmp_path) -> None:
    _, made = trained()
    url = f"{tmp_path}/m.zarr"
    model.save_model(made, url)
    (tmp_path / "m.zarr" / "tau" / "zarr.json").unlink()
    with pytest.raises(StoreDamaged, match=r"tau/zarr\.json: an object is lost"):
        model.open_model(url)
    storage.remove(f"{url}/zarr.json")
    with pytest.raises(StoreMissing, match="no model here"):
        model.open_model(url)


def test_figure_draws_every_feature() -> None:
    series, made = trained(train={"barycenters": 2})
    figure = barycenters_figure(
        made, series, np.repeat(["A", "B"], 12), {"A": "tab:red", "B": "tab:blue"}
    )
    assert figure.axes[0].get_title() == "HH  κ₁ of ln amplitude, Np"
    assert len(figure.axes) == 9
    assert "no calendar dates" in figure.get_suptitle()
    for at, axis in enumerate(figure.axes):
        k = at // 3 + 3 * (at % 3)  # features go down the columns
        dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
        assert len(axis.lines) - len(dashed) == 4
        for line, own in zip(dashed, (series.values[:12, k], series.values[12:, k]), strict=True):
            dated = own[:, np.isfinite(own).any(axis=0)]
            np.testing.assert_allclose(line.get_ydata(), np.nanmean(dated, axis=0), rtol=1e-5)


def test_only_averages_of_warped_series_have_no_dates() -> None:
    rows = {setting: method(setting).aligned for setting in ("sum", "euclid-sum", "euclid-vote")}
    assert "warped in time" in rows.pop("sum")
    assert set(rows.values()) == {""}


def same(one: model.Model, two: model.Model) -> None:
    """Everything learnt is equal, bit for bit."""
    for name in ("barycenters_", "tau_", "mean_", "scale_", "temperature_"):
        np.testing.assert_array_equal(
            getattr(one.classifier, name), getattr(two.classifier, name), err_msg=name
        )
    assert one.id == two.id


class Backwards:
    """An executor that finishes the last key first."""

    workers = 1

    def run(self, function, keys):
        for key in reversed(list(keys)):
            yield key, function(key)


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(3), Backwards()])
def test_training_does_not_depend_on_workers(executor: Executor, tmp_path) -> None:
    told: list[tuple[int, int]] = []
    workers = Workers(executor, progress=lambda *at: told.append(at))
    settings = {"train": {"barycenters": 2, "restarts": 3}}
    _, alone = trained(**settings)
    same(alone, trained(workers, **settings)[1])
    same(alone, trained(Workers(executor, str(tmp_path)), **settings)[1])
    averages = 7 * 2 * 9  # all windows and six held-out folds, classes, features
    assert told == [(n, averages) for n in range(1, averages + 1)]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.e2e
def test_workers_of_other_processes_find_the_same_averages(tmp_path) -> None:
    from distributed import Client, LocalCluster

    seen: list[int] = []

    class Watched(DaskExecutor):
        def run(self, function, keys):
            import cloudpickle

            keys = list(keys)
            seen.extend(len(cloudpickle.dumps((function, key))) for key in keys)
            return super().run(function, keys)

    dashboard = {"dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, **dashboard) as cluster,
        Client(cluster) as client,
    ):
        executor = Watched(client, cluster.scheduler_address)
        same(trained()[1], trained(Workers(executor, str(tmp_path)))[1])
    assert max(seen) < 2000  # keys and an address; the series are 12 kB


def test_a_failed_average_is_raised() -> None:
    class Failing:
        workers = 1

        def run(self, _function, keys):
            for key in keys:
                yield key, StoreError("the share is gone")

    with pytest.raises(StoreError, match="the share is gone"):
        trained(Workers(Failing()))


@pytest.mark.parametrize("method", ["neighbors", "learned", "vote", "forest"])
def test_methods_of_every_kind_have_a_card(method: str) -> None:
    _, labels, groups = windows()
    made = trained(classify={"method": method})[1]
    told = json.loads(json.dumps(model_card(made, labels, groups, "a.png"), allow_nan=False))
    assert told["id"] == made.id
    assert told["held_out"] is None or told["held_out"]["windows"] == len(labels)


def test_card_says_what_the_model_is() -> None:
    _, labels, groups = windows()
    made = trained(dtw={"band_days": 22}, train={"barycenters": 2})[1]
    told = json.loads(json.dumps(model_card(made, labels, groups, "a.png")))
    assert told["id"] == made.id
    assert told["classes"]["A"] == {
        "name": "A",
        "colour": "#332288",
        "glacier": False,
        "windows": 12,
        "groups": ["A000", "A001", "A002"],
    }
    assert told["band"] == {"days": 22, "samples": None, "open_ends": None}
    assert told["settings"]["barycenters"] == 2
    assert set(told["features"]) == set(made.names)
    assert told["features"]["HH.k1"]["tau"] == made.classifier.tau_[0]
    held = told["held_out"]
    assert held["windows"] == 24
    assert held["log_loss_calibrated"] <= held["log_loss_uncalibrated"]
    assert held["accuracy"] > 0.9
