"""A pixel beside the typical series of the classes: what is drawn is what the map's method does."""

from __future__ import annotations

import numpy as np
import pytest
from support.series_campaign import CONFIG, DATES, campaign

from cpazmal_scale.catalog.pixels import Pixel, alignment_of, series_figure
from cpazmal_scale.config.methods import METHODS
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.legend import legend
from cpazmal_scale.model import train
from cpazmal_scale.samples import WindowSeries

OTHERS = [
    row.setting
    for row in METHODS
    if row.needs is None and row.setting not in ("sum", "soft", "vote", "learned")
]


def pixel(setting: str, dates: np.ndarray = DATES, **settings) -> Pixel:
    series, labels, groups = campaign()
    series.values[:, 1] = np.exp(series.values[:, 1])
    values = {
        "classify": {"method": setting},
        "features": {"statistics": ["k1", "k2"], "xpol": "none"},
        "train": {"barycenters": 2 if setting == "sum" else 1},
    }
    config = CONFIG.with_values(values | settings)
    windows = WindowSeries(series.values, ("HH.k1", "HH.k2"), DATES)
    model = train(windows, labels, groups, config, polarisations=("HH",), provenance={})
    values = series.values[3].astype(np.float64)
    values[:, 5] = np.nan
    return Pixel(values, dates, model, model.on_dates(dates))


def title(found: Pixel, c: int, k: int) -> str:
    figure = alignment_of(found, c, k, "here")
    (axes,) = (one for one in figure.get_axes() if one.get_title(loc="left"))
    pairs = [line for line in axes.get_lines() if line.get_color() == "0.75"]
    assert pairs
    assert max(np.ptp(line.get_xdata()) for line in pairs) <= 33 + 6
    return axes.get_title(loc="left")


@pytest.mark.parametrize("dates", [DATES, DATES + np.timedelta64(366 * 86400, "s")])
def test_an_alignment_has_the_distance_of_the_map(dates) -> None:
    found = pixel("sum", dates, dtw={"band_days": 12.0, "min_dates": 2})
    ready = found.ready
    block = np.ascontiguousarray(found.values[:, ready.order, None], np.float32)
    far = ready.classifier.distances_block(block, ready.limits)[..., 0]
    for k, c in np.ndindex(far.shape):
        assert f"DTW distance {far[k, c]:.3g} × that within classes" in title(found, c, k)


@pytest.mark.parametrize("setting", OTHERS)
def test_an_alignment_that_the_map_does_not_make_is_called_an_illustration(setting) -> None:
    told = title(pixel(setting), 1, 0)
    joint = setting in ("neighbors", "soft-dtw", "wasserstein", "wasps")
    assert "illustration: " in told
    assert ("warps all features together" if joint else "does not warp") in told


def test_a_feature_without_valid_date_is_refused_in_words() -> None:
    found = pixel("sum")
    found.values[1] = np.nan
    with pytest.raises(ConfigError, match=r"the pixel has no valid date of HH\.k2"):
        alignment_of(found, 0, 1, "here")
    assert title(found, 0, 0)


def test_lines_of_classes_are_their_typical_series_in_nepers_and_decibels() -> None:
    found = pixel("sum")
    centres = found.ready.shown.centres()
    figure = series_figure(found, legend(found.model.classes), "here")
    for k, axis in enumerate(figure.axes[:2]):
        *drawn, own = axis.get_lines()
        assert [line.get_label() for line in drawn[::2]] == list(found.model.classes)
        for line, values in zip(drawn, centres[:, :, k].reshape(-1, 12), strict=True):
            np.testing.assert_allclose(line.get_ydata(), values)
            np.testing.assert_array_equal(line.get_xdata(orig=True), DATES)
        np.testing.assert_array_equal(own.get_xdata(orig=True), DATES)
    first, second = figure.axes[:2]
    assert (first.get_title(), second.get_title()) == (
        "HH  κ₁ of ln amplitude, Np",
        "HH  κ₂ of ln amplitude, Np²",
    )
    (beside,) = first.child_axes
    figure.draw_without_rendering()
    np.testing.assert_allclose(beside.get_ylim(), 20 * np.log10(np.exp(first.get_ylim())))
    assert not second.child_axes
